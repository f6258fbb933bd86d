/** `holdfast/testing`: what a workflow is tested with. In-memory ports, a clock that stands still, seeded chance. */
export type { Faults } from './faults.ts';
export { type MemoryPayloadStore, memoryPayloadStore } from './memory-payload-store.ts';
export { type MemoryRunStore, memoryRunStore, type WriteKind } from './memory-run-store.ts';
export { type MemorySecrets, memorySecrets } from './memory-secrets.ts';
export { type MemoryWakeQueue, memoryWakeQueue, type QueuedWake } from './memory-wake-queue.ts';
export { seededEntropy } from './seeded-entropy.ts';
export { type VirtualClock, virtualClock } from './virtual-clock.ts';
