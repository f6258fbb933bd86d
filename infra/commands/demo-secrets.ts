/** The tokens of the demo API in Secrets Manager, where a stage on an emulator looks for them: so that the examples run. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { CreateSecretCommand, ResourceExistsException, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { ROOT } from '../bundle.ts';

const OWN = join(ROOT, '.env.local');
const DEMO = join(ROOT, 'local', 'demo', 'demo.env');

/** Those of `.env.local`, and of the demo what is not there. Existing ones stay as they are. Resolves to the names of the new ones. */
export async function createSecrets(client: SecretsManagerClient, prefix: string): Promise<string[]> {
  const values = { ...read(DEMO), ...(existsSync(OWN) ? read(OWN) : {}) };
  const made: string[] = [];
  for (const [variable, value] of Object.entries(values)) {
    // The deployment key is the stack's own.
    if (variable.startsWith('HOLDFAST_')) continue;
    const name = `${prefix}${secretName(variable)}`;
    try {
      await client.send(new CreateSecretCommand({ Name: name, SecretString: value }));
      made.push(name);
    } catch (error) {
      if (!(error instanceof ResourceExistsException)) throw error;
    }
  }
  return made;
}

/** `CRM_TOKEN` is `crm/token`: the first underscore was the slash, others were dashes. */
export function secretName(variable: string): string {
  return variable.toLowerCase().replace('_', '/').replaceAll('_', '-');
}

function read(file: string): Record<string, string> {
  return Object.fromEntries(Object.entries(parseEnv(readFileSync(file, 'utf8'))).map(([name, value]) => [name, value ?? '']));
}
