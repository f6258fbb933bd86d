/** Credentials in a map, with places to break it. */
import type { CredentialStore } from '../engine/credential-ports.ts';
import { memoryCredentials } from '../http/auth/memory-credentials.ts';
import { breakable, type Faults } from './faults.ts';

export function memoryCredentialStore(faults: Faults = {}): CredentialStore {
  return breakable(memoryCredentials(), faults);
}
