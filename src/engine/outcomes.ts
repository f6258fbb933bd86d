/** What operations end with beside their verdicts: errors of ours, and an outcome as it is delivered. Pure. */
import { createHash } from 'node:crypto';
import type { Completion, Task } from './desk.ts';
import type { ErrorData } from './errors.ts';
import type { Late } from './history.ts';
import type { Operation, Verdict } from './operation.ts';

export function unknownOutcome(label: string, why: string): ErrorData {
  return { code: 'E_UNKNOWN_OUTCOME', name: 'UnknownOutcomeError', message: `${label}: ${why}; it is not sent again by itself` };
}

export const INTERRUPTED = 'the worker died after this may have been sent';
export const GIVEN_UP = 'its signal was aborted while it was being sent';
export const KEY_EXPIRED = 'it was first sent longer ago than the API keeps its idempotency key';

/** Effects that are issued while a reply is coming would rest on what is not journaled yet. */
export function streamOpen({ label }: Operation): ErrorData {
  const message = `${label}: it was issued while a reply was still streaming in, and is not sent. Read that reply to its end first, or abort it`;
  return { code: 'E_STREAM_OPEN', name: 'HoldfastError', message };
}

export function noRoom({ label, timeout }: Operation): ErrorData {
  const message = `${label}: its timeout of ${timeout} ms is longer than an invocation of the worker lasts: lower it, or raise the function's timeout`;
  return { code: 'E_BAD_OPTION', name: 'HoldfastError', message, detail: { field: 'timeout' } };
}

/** Enough to see that it is another. */
export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 10);
}

/** What a later worker is told of an unknown sending: by the worker that received it, or by a person. */
export function completionOf(task: Task, known: Late): Completion {
  const common = {
    task,
    attempt: known.attempt,
    attempts: known.record === undefined ? [] : [known.record],
    unknowable: true,
    inboxed: true,
  } as const;
  if (known.error !== undefined) return { ...common, error: known.error };
  if (known.given === undefined) return { ...common, ...(known.value === undefined ? {} : { value: known.value }) };
  return { ...common, value: task.operation.adopt?.(known.given) ?? JSON.stringify(known.given) };
}

export function outcomeOf(verdict: Extract<Verdict, { type: 'done' | 'fail' }>): { value?: string; error?: ErrorData } {
  if (verdict.type === 'done') return verdict.value === undefined ? {} : { value: verdict.value };
  return { error: verdict.error, ...(verdict.value === undefined ? {} : { value: verdict.value }) };
}
