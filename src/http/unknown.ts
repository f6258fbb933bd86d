/** What a user says of an unsafe call of which nobody knows whether it happened: `onUnknown`. What follows from it is settle.ts. */
import { HoldfastError } from '../engine/errors.ts';

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
