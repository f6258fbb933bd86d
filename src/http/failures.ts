/** What went wrong with a call, as data: for the journal, for user code and for people. Never a secret or a query; of a body, what `readError` picks out. */
import { type ErrorData, HoldfastError } from '../engine/errors.ts';
import type { Json } from '../engine/json.ts';
import type { AttemptEnv, Verdict } from '../engine/operation.ts';
import { apiErrorOf, asDetail, inWords } from './api-error.ts';
import { exponential } from './backoff.ts';
import type { Call } from './call.ts';
import type { WireEvent } from './exchange.ts';
import { NotPrepared } from './not-prepared.ts';

/** A person must act: the run waits. */
const PAUSES: ReadonlySet<string> = new Set(['E_SECRET_MISSING', 'E_NEEDS_AUTH', 'E_BAD_OPTION', 'E_SEALED', 'E_PAYLOAD_MISSING']);

/** Of an attempt that was answered 401: not an answer to the call, but what keeps it from being sent again with another credential. */
export function isAboutCredentials(thrown: unknown): boolean {
  return thrown instanceof NotPrepared || (thrown instanceof HoldfastError && thrown.code === 'E_NEEDS_AUTH');
}

/** Nothing was sent: a secret or a variable is missing (a person must act), or the source of secrets failed (it is asked again). */
export function unprepared(call: Call, env: AttemptEnv, thrown: unknown): Verdict {
  if (thrown instanceof HoldfastError && thrown.code !== 'E_REQUEST_INVALID') {
    const error: ErrorData = { code: thrown.code, name: thrown.name, message: `${call.label}: ${thrown.message}`, detail: thrown.detail };
    return PAUSES.has(thrown.code) ? { type: 'pause', error } : { type: 'fail', error };
  }
  const why =
    thrown instanceof HoldfastError || thrown instanceof NotPrepared
      ? thrown.message
      : `it could not be prepared (${thrown instanceof Error ? thrown.name : 'unknown'})`;
  const error: ErrorData = {
    code: thrown instanceof HoldfastError ? thrown.code : 'E_CALL_FAILED',
    name: 'CallError',
    message: `${call.label}: ${why}`,
    detail: { connection: call.core.name, attempts: env.attempt },
  };
  if (thrown instanceof HoldfastError || env.attempt >= call.settings.retry.attempts) return { type: 'fail', error };
  const at = env.clock.now() + Math.ceil(exponential({ ...env, random: env.entropy.random }));
  return { type: 'again', at, counts: 'attempt', error, record: { n: env.attempt, row: 'not prepared', next: at } };
}

export function failure(
  call: Call,
  event: WireEvent,
  env: AttemptEnv,
  because: string,
  code: 'E_CALL_FAILED' | 'E_DEADLINE' = 'E_CALL_FAILED',
): ErrorData {
  const refused = event.phase === 'not-sent' && event.why === 'invalid-request';
  const said = event.phase === 'answered' ? apiErrorOf(event, call) : undefined;
  return {
    code: refused ? 'E_REQUEST_INVALID' : code,
    name: 'CallError',
    message: `${call.label}: ${whatHappened(event)}${inWords(said)}${because}`,
    detail: { ...detailOf(call, event, env), ...(said === undefined ? {} : { error: asDetail(said) }) },
  };
}

/** `notBefore`: when the API would be called again at the earliest, ms since the epoch; it binds whoever has it sent again. */
export function unknownOutcome(call: Call, event: WireEvent, env: AttemptEnv, notBefore: number | undefined): ErrorData {
  return {
    code: 'E_UNKNOWN_OUTCOME',
    name: 'UnknownOutcomeError',
    message: `${call.label}: ${whatHappened(event)}, so it may have happened; it is not sent again by itself`,
    detail: { ...detailOf(call, event, env), ...(notBefore === undefined ? {} : { notBefore }) },
  };
}

function detailOf(call: Call, event: WireEvent, env: AttemptEnv): NonNullable<ErrorData['detail']> {
  const { name, account } = call.core;
  return {
    connection: name,
    account,
    attempts: env.attempt,
    status: event.phase === 'answered' ? event.status : undefined,
  } satisfies Record<string, Json | undefined>;
}

function whatHappened(event: WireEvent): string {
  if (event.phase !== 'answered') return event.message;
  const { status } = event;
  if (event.truncated && status < 300) return `the body of the answer (${status}) is over the cap`;
  if (status < 300 || status >= 400) return `answered ${status}`;
  return `answered ${status} (${event.stopped === undefined ? 'redirects are not followed' : `the redirect is not followed: ${event.stopped}`})`;
}
