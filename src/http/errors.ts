/** The errors of calls that user code can catch, made from the journal's data, so that they are the same on every replay. */
import { type ErrorData, HoldfastError, reviveError } from '../engine/errors.ts';
import type { Json } from '../engine/json.ts';
import { type Fetched, type Reply, readReply, type StoredReply } from './reply.ts';

type Detail = { [key: string]: Json | undefined };

/** A call has failed finally: the answer was not a success, or attempts or time are used up. */
export class CallError extends HoldfastError {
  override readonly name = 'CallError';
  /** Of the last answer, if there was one. */
  readonly status: number | undefined;
  readonly attempts: number;
  readonly reply: Reply | undefined;
  constructor(code: 'E_CALL_FAILED' | 'E_DEADLINE' | 'E_REQUEST_INVALID' | 'E_PAGING', message: string, detail: Detail, reply?: Reply) {
    super(code, message, { detail });
    this.status = numberOr(detail.status, undefined);
    this.attempts = numberOr(detail.attempts, 0);
    this.reply = reply;
  }
}

/** It may have happened, and nobody knows. Thrown with `onUnknown: 'throw'`, and outside a run. */
export class UnknownOutcomeError extends HoldfastError {
  override readonly name = 'UnknownOutcomeError';
  readonly status: number | undefined;
  readonly attempts: number;
  readonly reply: Reply | undefined;
  constructor(message: string, detail: Detail, reply?: Reply) {
    super('E_UNKNOWN_OUTCOME', message, { detail });
    this.status = numberOr(detail.status, undefined);
    this.attempts = numberOr(detail.attempts, 0);
    this.reply = reply;
  }
}

export type SchemaIssue = { readonly message: string /** JSON pointer into the reply's data. */; readonly pointer: string };

/** A reply is not what its schema says. The call itself has succeeded and is not repeated. */
export class SchemaError extends HoldfastError {
  override readonly name = 'SchemaError';
  readonly issues: readonly SchemaIssue[];
  readonly status: number;
  readonly reply: Reply;
  constructor(message: string, issues: readonly SchemaIssue[], reply: Reply) {
    super('E_SCHEMA', message, { detail: { status: reply.status, issues: issues.map(({ message, pointer }) => ({ message, pointer })) } });
    this.issues = issues;
    this.status = reply.status;
    this.reply = reply;
  }
}

/** `value`: the journaled reply that the failed call ended with; `fetched`: what of it is not in the journal. */
export function reviveCallError(data: ErrorData, value: string | undefined, fetched?: Fetched): Error {
  const detail = data.detail ?? {};
  const reply = value === undefined ? undefined : readReply(JSON.parse(value) as StoredReply, undefined, true, fetched);
  switch (data.code) {
    case 'E_UNKNOWN_OUTCOME':
      return new UnknownOutcomeError(data.message, detail, reply);
    case 'E_CALL_FAILED':
    case 'E_DEADLINE':
    case 'E_REQUEST_INVALID':
      return new CallError(data.code, data.message, detail, reply);
    case 'E_ABORTED':
      return abortError(data);
    default:
      return reviveError(data);
  }
}

/** As `fetch` rejects, so that whoever asks for the name finds it. `detail.mayHaveHappened`: it had been sent. */
function abortError({ name, message, detail = {} }: ErrorData): Error {
  return Object.assign(new DOMException(message, name), { detail: { code: 'E_ABORTED', ...detail } });
}

function numberOr<T>(value: Json | undefined, otherwise: T): number | T {
  return typeof value === 'number' ? value : otherwise;
}

/** A success whose body is longer than `maxBody`. `reply`: what came of it. */
export function overCap(call: { label: string; maxBody: number; connection: string }, status: number, reply?: Reply): CallError {
  const message = `${call.label}: the body of the answer (${status}) is over maxBody (${call.maxBody} bytes)`;
  return new CallError('E_CALL_FAILED', message, { status, connection: call.connection }, reply);
}
