/** Secrets from an object. */
import { HoldfastError } from '../engine/errors.ts';
import type { SecretSource } from '../engine/ports.ts';

export type MemorySecrets = SecretSource & {
  /** `undefined` takes the secret away. */
  set(name: string, value: string | undefined): void;
};

export function memorySecrets(values: Readonly<Record<string, string>> = {}): MemorySecrets {
  const secrets = new Map(Object.entries(values));
  return {
    async get(name) {
      const value = secrets.get(name);
      if (value === undefined) {
        throw new HoldfastError('E_SECRET_MISSING', `the secret "${name}" is not among those given to memorySecrets(): add it there`, {
          detail: { secret: name },
        });
      }
      return value;
    },
    set(name, value) {
      if (value === undefined) secrets.delete(name);
      else secrets.set(name, value);
    },
  };
}
