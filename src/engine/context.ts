/**
 * Which run the present code belongs to. Owns the one AsyncLocalStorage; knows nothing of what runs do.
 * Absent in a worker: an error. Outside a worker: plain, non-durable use. Closed: silent (see delivery.ts).
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { HoldfastError } from './errors.ts';
import type { Json } from './json.ts';
import type { Operation } from './operation.ts';

/** Where operations of the same identity are counted: the run itself, or one item of a `map`. */
export type Scope = { readonly path: string; readonly ordinals: Map<string, number> };

/** What the verbs of user code see of a run. */
export type RunHandle = {
  readonly id: string;
  readonly tenant: string;
  readonly workflow: string;
  /** Version of the engine's own behaviour that the run began with. */
  readonly engine: number;
  /** Deterministic: max(previous, time of the last delivered entry). */
  now(): number;
  /** Deterministic, seeded by the run id. */
  random(): number;
  /** Resolves with the journaled JSON text (or rejects with the revived error) when the pump delivers it. */
  issue(operation: Operation): Promise<string | undefined>;
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string, data?: Json): void;
};

type Store = { readonly run: RunHandle; readonly scope: Scope } | 'outside';

const storage = new AsyncLocalStorage<Store>();

/** A symbol on globalThis, so that two copies of the library in one bundle agree. */
const WORKER = Symbol.for('holdfast.worker');

/** Called once by a worker's entry: from now on code without a run may not use durable verbs. */
export function declareWorker(): void {
  (globalThis as Record<symbol, unknown>)[WORKER] = true;
}

/** The present run and scope, or `undefined` for plain use outside any worker. Throws `E_ABSENT_CONTEXT` in a worker. */
export function currentRun(): { run: RunHandle; scope: Scope } | undefined {
  const store = storage.getStore();
  if (store === 'outside') return undefined;
  if (store) return store;
  if ((globalThis as Record<symbol, unknown>)[WORKER]) {
    throw new HoldfastError(
      'E_ABSENT_CONTEXT',
      'A durable operation was called in a worker but outside its run: probably from a timer or a listener. Call it from the workflow function or from code that it awaits.',
    );
  }
  return undefined;
}

/** The run of the present asynchronous context, for attributing stray rejections. Never throws. */
export function attributedRun(): RunHandle | undefined {
  const store = storage.getStore();
  return store === undefined || store === 'outside' ? undefined : store.run;
}

export function inRun<T>(run: RunHandle, scope: Scope, body: () => T): T {
  return storage.run({ run, scope }, body);
}

/** Runs `body` as plain code: what it calls is neither journaled nor counted. For reconcilers and other attempts of the engine's own. */
export function outsideRun<T>(body: () => T): T {
  return storage.getStore() === 'outside' ? body() : storage.run('outside', body);
}
