/** Chooses where secrets come from, and loads what reads them with the first that is asked for. */
import type { Clock, SecretSource } from '../engine/ports.ts';
import type { Clients } from './clients.ts';
import type { SecretsLocation } from './settings.ts';

export function secretSource(location: SecretsLocation, clients: Pick<Clients, 'secretsManager'>, clock: Clock): SecretSource {
  let loaded: Promise<SecretSource> | undefined;
  const load = async (): Promise<SecretSource> =>
    location.kind === 'env-file'
      ? (await import('./env-file-secrets.ts')).envFileSecrets(location.path)
      : (await import('./secrets-manager.ts')).managedSecrets(clients.secretsManager, location.prefix, clock);
  return {
    async get(name, options) {
      loaded ??= load();
      return (await loaded).get(name, options);
    },
  };
}
