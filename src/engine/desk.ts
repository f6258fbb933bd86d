/** What an operation on its way needs of its run, and what the run knows of it. Types alone, and one number both sides count on. */
import type { Cancellation } from './cancel.ts';
import type { ErrorData } from './errors.ts';
import type { History, Late } from './history.ts';
import type { Entry } from './journal.ts';
import type { Json } from './json.ts';
import type { AttemptEnv, LiveReply, Operation, Verdict } from './operation.ts';
import type { Clock, Entropy, PayloadStore } from './ports.ts';
import type { Place } from './semaphore.ts';

/** Beyond an attempt's own timeout, what an invocation must have left for writing and parking. */
export const RESERVE_MS = 2_000;

/**
 * `barrier`: waits for the end of the replay. `busy`: in flight. `parked`: until `wakeAt`. `blocked`: until a person acts.
 * `held`: about to be cancelled. `over`: has its result.
 */
export type TaskState = 'barrier' | 'busy' | 'parked' | 'blocked' | 'held' | 'over';

export type Task = {
  readonly id: string;
  readonly operation: Operation;
  readonly keyMaterial: string;
  state: TaskState;
  wakeAt?: number;
  pause?: ErrorData;
};

/** A result that waits for its delivery. */
export type Completion = {
  task: Task;
  value?: string;
  error?: ErrorData;
  attempt: number;
  attempts: Json[];
  unknowable: boolean;
  /** It came by the inbox, and is still there. */
  inboxed?: true;
  /** It is still coming. */
  live?: LiveReply;
};

/** What a task needs of its run. */
export type Desk = {
  readonly run: NonNullable<AttemptEnv['run']>;
  readonly history: History;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly services: AttemptEnv['services'];
  readonly payloads: PayloadStore;
  readonly signal: AbortSignal;
  /** Milliseconds since the epoch. */
  readonly deadline: number;
  readonly leasedUntil: () => number;
  /** The run's context is closed, or its function has settled: nothing new may be sent. */
  closed(): boolean;
  /** Resolves when the journal is consumed. */
  replayed(): Promise<void>;
  readonly cancellation: Pick<Cancellation, 'pending' | 'hold'>;
  append(entry: Entry): void;
  durable(): Promise<void>;
  /** Not even an invocation that has just begun has so many milliseconds; several have been tried. */
  neverFits(ms: number): boolean;
  /** A place among the calls in flight of this environment; returns how to give it back. */
  slot(): Place;
  /** Calls back once, unless the context closes first. */
  at(time: number, fn: () => void): void;
  complete(completion: Completion): void;
  /** What was still coming has ended, and the completion says how: if user code is at it, it is journaled now. */
  ended(completion: Completion): void;
  /** Takes it back, if user code was not given it yet. */
  withdraw(completion: Completion): boolean;
  /** User code is at a reply that is still coming. */
  streaming(): boolean;
  diverged(message: string): void;
  become(task: Task, state: TaskState): void;
  /** An attempt begins or ends. */
  sending(task: Task, now: boolean): void;
  /** `startedAt`: milliseconds since the epoch. */
  attempted(task: Task, attempt: number, startedAt: number, verdict: Verdict): void;
  /** It was not its turn, and is parked until `until`. */
  deferred(task: Task, why: string, until: number): void;
  /** Results of unsafe operations for a run that is no longer ours, or no longer here. */
  late(task: Task, late: Omit<Late, 'incarnation'>): void;
  /** The context is closed: what is received now has nobody to be delivered to. */
  gone(): boolean;
};
