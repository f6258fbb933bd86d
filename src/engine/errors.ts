/** The error vocabulary: one table of codes, errors as data for the journal, and the classes that user code can catch. */
import type { Json } from './json.ts';

/** Code → what it means and what to do. docs/errors.md is made from this table. */
export const ERROR_CODES = {
  E_ABORTED: 'The signal of a call was aborted before its outcome was known.',
  E_ABSENT_CONTEXT:
    'A durable operation was called in a worker but outside its run. Call it from the workflow function, or from code that it awaits.',
  E_BAD_DURATION: "A duration is not a number of milliseconds or a text such as '250ms', '30s', '5m', '2h', '3 days'.",
  E_BAD_OPTION: 'An option of a connection, call or workflow is invalid. The message names it.',
  E_CALL_FAILED: 'A call got a final answer that is not a success, or all its attempts are used up.',
  E_CANCELLED: 'The run was cancelled.',
  E_CRASHED: 'The worker died five times in a row while working on this run. Look for memory use or process.exit in the workflow.',
  E_DEADLINE: 'The call could not be completed before its retry deadline.',
  E_DIVERGED:
    'The workflow code took another way than the journal records. Deploy code that matches and resume, or register a new version.',
  E_DUPLICATE_WORKFLOW: 'Two workflows are registered with the same name and version.',
  E_INPUT_INVALID: "The input does not satisfy the workflow's schema. The message names the field.",
  E_INTERNAL: 'A fault of Holdfast itself. Please report it with the run id.',
  E_KEY_CONFLICT: 'The idempotency key was used before with another input. Use a new key, or send the same input.',
  E_LIMIT_JOURNAL: 'The run has more than 10,000 journal entries or 20 MB. Split the work into several runs.',
  E_MESSAGE_MALFORMED: 'A start message is not a JSON object of the documented form.',
  E_MESSAGE_TOO_LARGE: 'A start message is larger than 256 KB. Store the data and send a reference.',
  E_NEEDS_AUTH:
    'A connection, or an account of it, has no credential that works: none is stored, or the provider takes it no longer. Store one for the account, which wakes the runs that wait, or mend what the message names and resume the run.',
  E_NOT_APPLICABLE: 'What was asked for does not apply to the run as it is now. The message names its status and what to do.',
  E_NOT_SERIALISABLE: 'A value is not plain JSON and cannot be journaled.',
  E_PAGING:
    'A list cannot be read to its end: the next page is outside the connection, was read before, or is one too many. The message says which.',
  E_PAYLOAD_MISSING: 'A stored payload is gone.',
  E_PORT_TAKEN: 'A port is in use. The message names the flag that changes it.',
  E_REQUEST_INVALID: 'The request could not be built from the options given.',
  E_SCHEMA: "A reply does not satisfy the call's schema.",
  E_SEALED: 'An encrypted value cannot be opened: the deployment key is another one than it was encrypted with.',
  E_SECRET_MISSING: 'A secret is not there. Create it and resume the run.',
  E_STALLED: 'The workflow waits for something that is not a durable operation and that never came.',
  E_STEP_FAILED: 'A step failed finally.',
  E_STREAM_OPEN: 'An effect was issued while a streamed reply was still coming. Read the reply to its end first, or abort it.',
  E_TIMEOUT: 'A time limit of user code passed.',
  E_UNKNOWN_OUTCOME: 'An unkeyed effect was sent and its outcome is not known. It is not repeated; settle it.',
  E_UNKNOWN_VERSION: 'The run began with a workflow version that is no longer registered.',
  E_UNKNOWN_WORKFLOW: 'No workflow of that name is registered.',
  E_WORKFLOW_FAILED: 'The workflow function threw.',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** An error as data: what the journal, the API and logs carry. */
export type ErrorData = {
  code: string;
  message: string;
  name?: string;
  stack?: string;
  /** Machine-readable parts: `pointer`, `status`, `attempts`, … */
  detail?: { [key: string]: Json | undefined };
};

export class HoldfastError extends Error {
  readonly code: string;
  readonly detail: { [key: string]: Json | undefined };
  constructor(code: ErrorCode, message: string, options: { cause?: unknown; detail?: { [key: string]: Json | undefined } } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.detail = options.detail ?? {};
  }
}

/** A step's or workflow's way to say: do not try again. */
export class NonRetryableError extends Error {
  override readonly name = 'NonRetryableError';
  readonly retryable = false;
}

/** A step's way to ask for its next time. `after`: milliseconds from now, or a duration text. */
export class RetryAfterError extends Error {
  override readonly name = 'RetryAfterError';
  readonly after: number | string;
  constructor(message: string, after: number | string, options?: ErrorOptions) {
    super(message, options);
    this.after = after;
  }
}

/** A step failed finally. `cause` carries the name and message of what it threw last. */
export class StepError extends HoldfastError {}

export class CancelledError extends HoldfastError {}

export class TimeoutError extends HoldfastError {}

/** An error of this vocabulary from its data, as user code sees it live and on replay alike. */
export function reviveError(data: ErrorData): HoldfastError {
  const make = data.code === 'E_CANCELLED' ? CancelledError : HoldfastError;
  const error = new make(data.code as ErrorCode, data.message, { detail: data.detail ?? {} });
  if (data.stack !== undefined) error.stack = data.stack;
  return error;
}

const MAX_STACK = 2_000;
/** An error is kept in an item of bounded size, whatever somebody put into its message. */
const MAX_MESSAGE = 8_000;
const MAX_DETAIL = 32_000;

/** Any thrown value as data. Never throws. */
export function toErrorData(thrown: unknown, fallback: ErrorCode = 'E_WORKFLOW_FAILED'): ErrorData {
  try {
    if (thrown instanceof HoldfastError) {
      return { code: thrown.code, name: thrown.name, message: clip(thrown.message), ...stackOf(thrown), detail: bounded(thrown.detail) };
    }
    if (thrown instanceof Error)
      return { code: fallback, name: String(thrown.name), message: clip(String(thrown.message)), ...stackOf(thrown) };
    return { code: fallback, name: 'Error', message: clip(`a value that is not an Error was thrown: ${String(thrown)}`) };
  } catch {
    return { code: fallback, name: 'Error', message: 'a value that cannot be described was thrown' };
  }
}

/** What cannot be kept, or is longer than an item takes, is left out: an error must never be what cannot be written. */
function bounded(detail: HoldfastError['detail']): HoldfastError['detail'] {
  try {
    return JSON.stringify(detail).length <= MAX_DETAIL ? detail : {};
  } catch {
    return {};
  }
}

function clip(message: string): string {
  return message.length <= MAX_MESSAGE ? message : `${message.slice(0, MAX_MESSAGE)}… (${message.length} characters)`;
}

function stackOf(error: Error): { stack?: string } {
  return typeof error.stack === 'string' ? { stack: error.stack.slice(0, MAX_STACK) } : {};
}
