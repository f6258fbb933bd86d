/**
 * Cancelling a run: a request in its inbox becomes the rejection of everything the run waits for, once, when no effect is in
 * flight any more. What the code issues after that (to clean up) goes out as ever.
 */

import type { Task } from './desk.ts';
import type { ErrorData } from './errors.ts';
import { CancelledError } from './errors.ts';
import type { Entry } from './journal.ts';
import type { InboxItem } from './ports.ts';

/** Inbox kind of a request to cancel. */
export const CANCEL = 'cancel';

/** `incarnation`: a request is for the run as it is until it is redriven. */
export type CancelRequest = { incarnation: number; by?: string; why?: string };

/** A request that the run's code has not seen yet. Pure. */
export function requestedCancel(entries: readonly Entry[], inbox: readonly InboxItem[], incarnation: number): CancelRequest | undefined {
  if (entries.some((entry) => entry.k === 'cancel' && entry.incarnation === incarnation)) return undefined;
  const requests = inbox.filter(({ kind }) => kind === CANCEL).map(({ data }) => data as unknown as CancelRequest);
  return requests.find((request) => request.incarnation === incarnation);
}

export function cancelError({ by, why }: { by?: string; why?: string }): ErrorData {
  return {
    code: 'E_CANCELLED',
    name: 'CancelledError',
    message: `the run was cancelled${by === undefined ? '' : ` by ${by}`}${why === undefined ? '' : `: ${why}`}`,
  };
}

/** The cancellation itself, or an error that was made of it. */
export function isCancellation(error: unknown): boolean {
  const seen = new Set<unknown>();
  for (let one = error; one instanceof Error && !seen.has(one); one = one.cause) {
    if (one instanceof CancelledError || (one instanceof AggregateError && one.errors.some(isCancellation))) return true;
    seen.add(one);
  }
  return false;
}

export type Cancellation = {
  /** There is a request, and it has not been delivered. */
  pending(): boolean;
  /** The run's code has been told, now or earlier in this incarnation. */
  delivered(): boolean;
  /** Resolves with the error when the task's operation is cancelled. Never, if the context closes first. */
  hold(task: Task): Promise<ErrorData>;
  /** Cancels what is held: first the entry that names it all, so that a crash in between changes nothing. */
  deliver(now: number, append: (entry: Entry) => void): void;
};

export function createCancellation(request: CancelRequest | undefined, seen: boolean): Cancellation {
  let pending = request;
  let delivered = seen;
  const held = new Map<string, (error: ErrorData) => void>();
  return {
    pending: () => pending !== undefined,
    delivered: () => delivered,
    hold: (task) => new Promise((cancelled) => held.set(task.id, cancelled)),
    deliver(now, append) {
      if (!pending || held.size === 0) return;
      append({ k: 'cancel', at: now, ops: [...held.keys()], ...pending });
      const error = cancelError(pending);
      pending = undefined;
      delivered = true;
      for (const cancelled of held.values()) cancelled(error);
      held.clear();
    },
  };
}
