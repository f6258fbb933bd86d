/** Credentials in a map, with places to break it. */
import type { CredentialStore } from '../engine/credential-ports.ts';
import { memoryCredentials } from '../http/auth/memory-credentials.ts';
import type { Faults } from './faults.ts';

export function memoryCredentialStore(faults: Faults = {}): CredentialStore {
  const store = memoryCredentials();
  const broken = Object.entries(store).map(([op, method]) => [
    op,
    async (first: unknown, ...rest: unknown[]) => {
      const id = typeof first === 'string' ? first : JSON.stringify(first);
      await faults.before?.(op, id);
      const result = await (method as (...args: unknown[]) => Promise<unknown>)(first, ...rest);
      await faults.after?.(op, id);
      return result;
    },
  ]);
  return Object.fromEntries(broken) as CredentialStore;
}
