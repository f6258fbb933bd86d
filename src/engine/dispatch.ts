/** What a worker does with a message for a run that is …: the whole table, as one pure function. */

import type { ErrorData } from './errors.ts';
import type { RunRecord, Stub } from './ports.ts';
import { keyConflict, type Start } from './start.ts';

/** Wakes further away than this are the sweeper's: SQS delays no message longer. */
export const MAX_DELAY_MS = 900_000;
/** Crashes in a row after which a run has failed. */
export const MAX_CRASHES = 5;

export type Message = { kind: 'start'; start: Start } | { kind: 'wake'; run: string };

export type Dispatch =
  | { do: 'delete'; why: 'finished' | 'owned' | 'unknown' | 'paused' | 'far' }
  /** A start with the key of another run. */
  | { do: 'refuse'; reason: ErrorData }
  /** Too early: wake again after so many ms, then delete. */
  | { do: 'resend'; delayMs: number }
  /** Works on a run that nothing is written of yet. `inbox`: the counter of its stub. */
  | { do: 'begin'; start: Start; inbox: number; suspect: boolean }
  | { do: 'takeOver'; record: RunRecord; suspect: boolean }
  | { do: 'crashed'; record: RunRecord };

const FINAL = new Set(['succeeded', 'failed', 'cancelled']);

/**
 * `receiveCount`: SQS's count, 1 at first; above, an earlier receiver may have died of this very message.
 * `owner`: this invocation, whose own lease does not keep it out.
 */
export function dispatch(
  message: Message,
  receiveCount: number,
  found: RunRecord | Stub | undefined,
  now: number,
  owner: string,
): Dispatch {
  if (found === undefined || 'stub' in found) {
    if (message.kind === 'wake') return { do: 'delete', why: 'unknown' };
    return { do: 'begin', start: message.start, inbox: found?.inbox ?? 0, suspect: receiveCount > 1 };
  }
  if (message.kind === 'start' && message.start.fingerprint !== found.fingerprint) return { do: 'refuse', reason: keyConflict(found.id) };
  if (FINAL.has(found.status)) return { do: 'delete', why: 'finished' };
  const mine = found.lease?.owner === owner;
  if (found.lease && found.lease.until > now && !mine) {
    // Received again although somebody seems to be at it: that worker has probably died. Its `due` would do, later.
    return receiveCount > 1
      ? { do: 'resend', delayMs: Math.min(MAX_DELAY_MS - 1, found.lease.until - now + 1) }
      : { do: 'delete', why: 'owned' };
  }
  const nothingNew = found.inbox === found.inboxSeen;
  if (found.status === 'waiting' && nothingNew && found.wakeAt !== undefined && found.wakeAt > now) {
    const delayMs = found.wakeAt - now;
    return delayMs < MAX_DELAY_MS ? { do: 'resend', delayMs } : { do: 'delete', why: 'far' };
  }
  if (found.status === 'paused' && nothingNew) return { do: 'delete', why: 'paused' };
  if (found.crashes >= MAX_CRASHES) return { do: 'crashed', record: found };
  // A lease that ran out was left by a worker that died.
  return { do: 'takeOver', record: found, suspect: receiveCount > 1 || (found.lease !== undefined && !mine) };
}
