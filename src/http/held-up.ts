/** A call that admission has put off, or refused: what becomes of it, and what people read of that. Loaded with the first of them. */
import type { Answer, Holdup } from '../engine/admission-ports.ts';
import type { ErrorData } from '../engine/errors.ts';
import type { AttemptEnv, Verdict } from '../engine/operation.ts';
import type { Memory } from './attempt.ts';
import type { Call } from './call.ts';
import { classify } from './classify.ts';

type Later = Extract<Answer, { type: 'later' }>;

/** At the last moment, and nothing was sent. */
export function putOff(later: Later, isTooLate: boolean, call: Call, memory: Memory, env: AttemptEnv): Verdict {
  const { at, why, place } = later;
  const { row, class: kind } = classify({ phase: 'deferred' }, call.effect);
  const record = { n: env.attempt, phase: 'deferred', row, class: kind, why, next: at };
  if (isTooLate) return { type: 'fail', error: noPlace(call, memory, env, later), record };
  const error: ErrorData = { code: 'E_CALL_FAILED', name: 'CallError', message: `${call.label}: ${HELD_BY[why](call.core.name)}` };
  return { type: 'again', at, counts: 'nothing', why, ...(place === undefined ? {} : { place }), error, record };
}

const HELD_BY: { readonly [why in Holdup]: (connection: string) => string } = {
  hold: (connection) => `connection "${connection}" is on hold`,
  breaker: (connection) => `the circuit breaker of connection "${connection}" is open`,
  concurrency: (connection) => `all places of connection "${connection}" are taken (concurrency)`,
  gate: (connection) => `the API of connection "${connection}" has said that it is not to be called yet`,
  budget: (connection) => `the retry budget of connection "${connection}" is used up`,
  rate: (connection) => `the rate limit of connection "${connection}" has no room (rateLimit)`,
  unreachable: (connection) => `what the fleet knows of connection "${connection}" cannot be read`,
};

export function noPlace(call: Call, memory: Memory, env: AttemptEnv, { at, why }: { at: number; why: Holdup }): ErrorData {
  const { name, account } = call.core;
  const { deadline } = call.settings.retry;
  const maybe = (call.effect === 'keyed' || call.effect === 'idempotent') && (memory.maybeDone ?? (env.interrupted || env.attempt > 1));
  return {
    code: 'E_DEADLINE',
    name: 'CallError',
    message: `${call.label}: ${HELD_BY[why](name)}, and it could not be sent before the deadline of ${deadline} ms (retry.deadline)`,
    detail: {
      connection: name,
      account,
      attempts: env.attempt - 1,
      heldBy: why,
      notBefore: at,
      ...(maybe ? { mayHaveHappened: true } : {}),
    },
  };
}
