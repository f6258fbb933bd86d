/** The secret that idempotency keys are derived from, and that credentials are encrypted with. One for a stage, kept over deployments. */
import type { SecretSource } from '../../engine/ports.ts';

export const DEPLOYMENT_KEY = 'holdfast/deployment-key';

/** `isDeveloper`: secrets are in a file of a developer's, where one without it will do: it needs to be stable, not secret. */
export async function deploymentKey(secrets: SecretSource, { isDeveloper }: { isDeveloper: boolean }): Promise<string> {
  try {
    return await secrets.get(DEPLOYMENT_KEY);
  } catch (error) {
    if (isDeveloper) return 'a developer has no deployment key';
    throw error;
  }
}
