/** What is done about an unsafe call of which nobody knows whether it happened: the user's `onUnknown`. */
import { outsideRun } from '../engine/context.ts';
import { type ErrorData, HoldfastError } from '../engine/errors.ts';
import type { AttemptEnv, Verdict } from '../engine/operation.ts';
import { exponential } from './backoff.ts';
import type { As, OnUnknown } from './options.ts';
import { storeTold } from './reply.ts';

/** The call as it was sent, without credentials. */
export type SentCall = {
  readonly request: { readonly method: string; readonly url: string; readonly json?: unknown; readonly body?: string | Uint8Array };
  /** The idempotency key it was sent with, if it was. */
  readonly key?: string;
  /** Milliseconds since the epoch. */
  readonly sentAt?: number;
};

export type Reconciliation =
  | { readonly outcome: 'applied'; readonly status: number; readonly data: unknown }
  | { readonly outcome: 'not-applied' }
  | { readonly outcome: 'cannot-tell' };

export type Reconcile = { readonly reconcile: (sent: SentCall) => Promise<Reconciliation> | Reconciliation };

/**
 * `onUnknown: reconcile(async ({ request }) => …)`: finds out, usually by a GET, whether the call happened. What it calls is not
 * journaled. It answers `applied(reply)`, `notApplied()` (the call is sent again) or `cannotTell()` (the run pauses); when it
 * throws it is asked again later.
 */
export function reconcile(fn: Reconcile['reconcile']): Reconcile {
  if (typeof fn !== 'function')
    throw new HoldfastError('E_BAD_OPTION', 'reconcile: give it a function', { detail: { field: 'reconcile' } });
  return { reconcile: fn };
}

/** It happened; `reply` is what the call resolves with, as if its answer had arrived. `status` is 200 unless given. */
export function applied(reply: { status?: number; data: unknown }): Reconciliation {
  return { outcome: 'applied', status: reply.status ?? 200, data: reply.data };
}

/** It did not happen: it is sent again. */
export function notApplied(): Reconciliation {
  return { outcome: 'not-applied' };
}

/** Nobody can say: the run pauses until a person settles it. */
export function cannotTell(): Reconciliation {
  return { outcome: 'cannot-tell' };
}

export function isReconcile(value: unknown): value is Reconcile {
  return typeof value === 'object' && value !== null && typeof (value as Reconcile).reconcile === 'function';
}

export type UnknownCall = {
  readonly onUnknown: OnUnknown;
  readonly error: ErrorData;
  readonly attempts: number;
  readonly timeout: number;
  readonly as?: As;
  /** Made only when a reconciler is asked. */
  sent(): Promise<SentCall>;
};

export async function settleUnknown(call: UnknownCall, env: AttemptEnv): Promise<Verdict> {
  const { onUnknown, error } = call;
  if (onUnknown === 'pause') return { type: 'pause', error };
  if (onUnknown === 'throw') return { type: 'fail', error };
  if (onUnknown === 'retry') {
    if (env.attempt >= call.attempts) return { type: 'fail', error };
    return { type: 'resend', at: later(env), record: { row: 'unknown: retry' } };
  }
  let answer: Reconciliation;
  try {
    const sent = await call.sent();
    answer = await within(call.timeout, env, () => outsideRun(() => onUnknown.reconcile(sent)));
    if (answer?.outcome === 'applied') {
      return { type: 'done', value: storeTold(answer, call.as), record: { row: 'reconciled: applied' } };
    }
  } catch (thrown) {
    return askAgain(call, env, thrown);
  }
  if (answer?.outcome === 'not-applied') {
    const record = { row: 'reconciled: not applied' };
    // A call that never arrives ends with a person, like a reconciler that always throws.
    return env.attempt >= call.attempts ? { type: 'pause', error, record } : { type: 'resend', at: later(env), record };
  }
  if (answer?.outcome === 'cannot-tell') return { type: 'pause', error, record: { row: 'reconciled: cannot tell' } };
  return askAgain(call, env, new Error('reconcile must answer applied(), notApplied() or cannotTell()'));
}

function askAgain(call: UnknownCall, env: AttemptEnv, thrown: unknown): Verdict {
  const why = thrown instanceof Error ? thrown.message : String(thrown);
  const error = { ...call.error, message: `${call.error.message}; its reconciler failed: ${why.slice(0, 500)}` };
  const record = { row: 'reconciler failed', n: env.attempt };
  // Every asking uses up an attempt, so that a reconciler that always throws ends with a person.
  if (env.attempt >= call.attempts) return { type: 'pause', error, record };
  const at = later(env);
  return { type: 'again', at, counts: 'attempt', error, record: { ...record, next: at } };
}

function later(env: AttemptEnv): number {
  return env.clock.now() + Math.ceil(exponential({ ...env, random: env.entropy.random }));
}

async function within<T>(ms: number, env: AttemptEnv, fn: () => Promise<T> | T): Promise<T> {
  let timer: { cancel(): void } | undefined;
  try {
    const late = new Promise<never>((_, reject) => {
      timer = env.clock.timer(ms, () => reject(new Error(`no answer within ${ms} ms`)));
    });
    return await Promise.race([Promise.resolve().then(fn), late]);
  } finally {
    timer?.cancel();
  }
}
