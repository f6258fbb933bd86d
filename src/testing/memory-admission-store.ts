/** Admission's records and places in a map, with places to break it. */
import { memoryAdmissionStore as admissionInMemory } from '../admission/memory-store.ts';
import type { AdmissionStore } from '../engine/admission-ports.ts';
import type { Faults } from './faults.ts';

/** `faults` are told the operation, and of which connection (and account) as JSON. */
export function memoryAdmissionStore(faults: Faults = {}, store: AdmissionStore = admissionInMemory()): AdmissionStore {
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
  return Object.fromEntries(broken) as AdmissionStore;
}
