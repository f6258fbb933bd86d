/** Admission's records and places in a map, with places to break it. */
import { memoryAdmissionStore as admissionInMemory } from '../admission/memory-store.ts';
import type { AdmissionStore } from '../engine/admission-ports.ts';
import { breakable, type Faults } from './faults.ts';

/** `faults` are told the operation, and of which connection (and account) as JSON. */
export function memoryAdmissionStore(faults: Faults = {}, store: AdmissionStore = admissionInMemory()): AdmissionStore {
  return breakable(store, faults);
}
