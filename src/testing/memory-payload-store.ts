/** Payloads in a map. */
import { HoldfastError } from '../engine/errors.ts';
import type { PayloadRemoval, PayloadStore } from '../engine/ports.ts';
import { type Faults, withFaults } from './faults.ts';

export type MemoryPayloadStore = PayloadStore &
  PayloadRemoval & {
    keys(): string[];
    delete(key: string): void;
  };

export function memoryPayloadStore(faults: Faults = {}): MemoryPayloadStore {
  const objects = new Map<string, Uint8Array>();
  return {
    put: (key, data) => withFaults(faults, 'put', key, () => void objects.set(key, new Uint8Array(data))),
    get: (key) =>
      withFaults(faults, 'get', key, () => {
        const data = objects.get(key);
        if (!data) throw new HoldfastError('E_PAYLOAD_MISSING', `the payload "${key}" is not there`, { detail: { key } });
        return new Uint8Array(data);
      }),
    removeAll: (prefix) =>
      withFaults(faults, 'removeAll', prefix, () => {
        for (const key of objects.keys()) if (key.startsWith(prefix)) objects.delete(key);
      }),
    keys: () => [...objects.keys()],
    delete: (key) => void objects.delete(key),
  };
}
