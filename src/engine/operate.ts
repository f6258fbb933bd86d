/**
 * What people do to a run from outside: cancel, resume, settle an unknown call, redrive, delete. Each is one durable step
 * (an inbox item, or one conditional write of the run) followed by a wake; what then happens is the worker's.
 */
import type { Json } from './json.ts';
import type { Clock, Entropy, PayloadStore, RunRecord, RunStore, WakeQueue } from './ports.ts';

export type Operating = { store: RunStore; payloads: PayloadStore; wake: WakeQueue; clock: Clock; entropy: Entropy };

/** Who wanted it and why: kept with it, for people. */
export type About = { by?: string; why?: string };

/** What a person found out about a call of which nobody knew whether it happened. */
export type Settlement =
  /** It did, and this is what user code gets: of a call `{ status, headers?, data? }`, of a step its result. */
  | { outcome: 'happened'; value?: Json }
  /** It did not: it is sent again as new. */
  | { outcome: 'not-happened' }
  /** It will not be settled: user code gets an `UnknownOutcomeError`. */
  | { outcome: 'failed'; message?: string };

/** Asks an unfinished run to end. It sees it at its next await, with effects in flight finished first. Throws `E_NOT_APPLICABLE`. */
export declare function cancelRun(ports: Operating, run: RunRecord, about: About): Promise<void>;

/** Lets a paused run try again. Throws `E_NOT_APPLICABLE`. */
export declare function resumeRun(ports: Operating, run: RunRecord, about: About): Promise<void>;

/** `seq`: of any journal entry of the call. Throws `E_NOT_APPLICABLE`, `E_REQUEST_INVALID` with `detail.pointer`. */
export declare function settleCall(ports: Operating, run: RunRecord, seq: number, settlement: Settlement, about: About): Promise<void>;

/**
 * Starts a failed run again from the call whose error ended it, or from the journal entry `from`.
 * Throws `E_NOT_APPLICABLE`: with what had an effect after that, where something had.
 */
export declare function redriveRun(ports: Operating, run: RunRecord, options: { from?: number }, about: About): Promise<{ from: number }>;

/** Removes a finished run with its journal and payloads; its key stays bound. Throws `E_NOT_APPLICABLE`. */
export declare function deleteRun(ports: Operating, run: RunRecord): Promise<void>;
