/** Chooses where secrets come from. */
import type { Clock, SecretSource } from '../engine/ports.ts';
import type { Clients } from './clients.ts';
import { envFileSecrets } from './env-file-secrets.ts';
import { managedSecrets } from './secrets-manager.ts';
import type { SecretsLocation } from './settings.ts';

export function secretSource(location: SecretsLocation, clients: Pick<Clients, 'secretsManager'>, clock: Clock): SecretSource {
  return location.kind === 'env-file' ? envFileSecrets(location.path) : managedSecrets(clients.secretsManager, location.prefix, clock);
}
