/** Secrets from AWS Secrets Manager, under a prefix, remembered for a few minutes. */
import type { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { HoldfastError } from '../engine/errors.ts';
import type { Clock, SecretSource } from '../engine/ports.ts';

/** Long enough that secrets cost nothing, short enough that a rotation without a 401 is seen. */
const KEPT_MS = 5 * 60_000;

export function managedSecrets(client: () => Promise<SecretsManagerClient>, prefix: string, clock: Clock): SecretSource {
  const cache = new Map<string, { until: number; value: Promise<string> }>();

  const read = async (name: string): Promise<string> => {
    const [manager, { GetSecretValueCommand, ResourceNotFoundException }] = await Promise.all([
      client(),
      import('@aws-sdk/client-secrets-manager'),
    ]);
    const id = `${prefix}${name}`;
    const missing = (why: string, cause?: unknown) =>
      new HoldfastError('E_SECRET_MISSING', `the secret "${name}" is missing: ${why}`, { cause, detail: { secret: name, lookedIn: id } });
    try {
      const { SecretString } = await manager.send(new GetSecretValueCommand({ SecretId: id }));
      if (SecretString === undefined) throw missing(`${id} in Secrets Manager has no text value: store it as a string`);
      return SecretString;
    } catch (error) {
      if (error instanceof ResourceNotFoundException) throw missing(`create ${id} in Secrets Manager`, error);
      throw error;
    }
  };

  return {
    get(name, { fresh = false } = {}) {
      const known = cache.get(name);
      if (known && !fresh && clock.now() < known.until) return known.value;
      const value = read(name);
      const entry = { until: clock.now() + KEPT_MS, value };
      cache.set(name, entry);
      // Only answers are remembered: a secret that was just created is found at the next try.
      value.catch(() => {
        if (cache.get(name) === entry) cache.delete(name);
      });
      return value;
    },
  };
}
