/** What an API error looks like: RFC 9457, one code with its status and title, and which field was at fault. */
import { HoldfastError } from '../engine/errors.ts';
import type { Json } from '../engine/json.ts';

/** Code → status and title. The titles never vary; what is particular stands in `detail`. */
export const PROBLEMS = {
  E_BATCH_REFUSED: { status: 422, title: 'No line of the batch can become a run.' },
  E_BODY_MALFORMED: { status: 400, title: 'The body is not JSON.' },
  E_BODY_TOO_LARGE: { status: 413, title: 'The body is too large.' },
  E_FORBIDDEN: { status: 403, title: 'The token does not allow this.' },
  E_HEADERS_TOO_LARGE: { status: 431, title: 'The headers are too large.' },
  E_INPUT_INVALID: { status: 422, title: "The input does not satisfy the workflow's schema." },
  E_INTERNAL: { status: 500, title: 'A fault of Holdfast itself.' },
  E_KEY_CONFLICT: { status: 422, title: 'The idempotency key was used before with another input.' },
  E_MEDIA_TYPE: { status: 415, title: 'The body is of a type that is not understood.' },
  E_METHOD_NOT_ALLOWED: { status: 405, title: 'The method does not apply here.' },
  E_NOT_APPLICABLE: { status: 409, title: 'It does not apply to the run as it is now.' },
  E_NOT_HELD: { status: 409, title: 'Nobody holds the connection.' },
  E_NOT_SERIALISABLE: { status: 422, title: 'The input holds what JSON cannot give back.' },
  E_REQUEST_INVALID: { status: 400, title: 'A parameter, a header or the body is invalid.' },
  E_RUN_DELETED: { status: 409, title: 'The run of this idempotency key was deleted.' },
  E_UNAUTHORIZED: { status: 401, title: 'A valid bearer token is needed.' },
  E_UNAVAILABLE: { status: 503, title: 'Tokens cannot be checked at the moment.' },
  E_UNKNOWN_CONNECTION: { status: 404, title: 'No connection of that name is deployed.' },
  E_UNKNOWN_CREDENTIAL: { status: 404, title: 'There is no such credential.' },
  E_UNKNOWN_DEAD_LETTER: { status: 404, title: 'There is no such dead letter.' },
  E_UNKNOWN_ROUTE: { status: 404, title: 'There is nothing at this path.' },
  E_UNKNOWN_RUN: { status: 404, title: 'There is no such run.' },
  E_UNKNOWN_UPLOAD: { status: 404, title: 'There is no such upload.' },
  E_UNKNOWN_WORKFLOW: { status: 404, title: 'No workflow of that name is registered.' },
  E_URL_TOO_LONG: { status: 414, title: 'The URL is too long.' },
} as const;

export type ProblemCode = keyof typeof PROBLEMS;

/** Where the fault is: a JSON pointer into the body (RFC 6901, the whole body is `""`) or into a line of it, a query parameter, or a header. */
export type FieldError = { message: string } & ({ pointer: string; line?: number } | { parameter: string } | { header: string });

type ProblemOptions = {
  errors?: readonly FieldError[];
  headers?: Readonly<Record<string, string>>;
  /** The status of the run it is about: `status` is HTTP's own (RFC 9457, section 3.1.2). */
  runStatus?: string;
  /** The state of the connection it is about. */
  connectionState?: string;
  cause?: unknown;
};

/** A body of 256 KB can be wrong in a hundred thousand places: what is shown of them must fit into an answer. */
const SHOWN_ERRORS = 100;
const SHOWN_ERROR_BYTES = 64 * 1024;

/** Thrown by handlers to answer with an error. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ProblemCode;
  readonly errors: readonly FieldError[];
  readonly headers: Readonly<Record<string, string>>;
  readonly runStatus: string | undefined;
  readonly connectionState: string | undefined;
  constructor(code: ProblemCode, detail: string, options: ProblemOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.errors = options.errors ?? [];
    this.headers = options.headers ?? {};
    this.runStatus = options.runStatus;
    this.connectionState = options.connectionState;
  }
  get status(): number {
    return PROBLEMS[this.code].status;
  }
}

/** Any thrown value as a problem; what is not the caller's to mend becomes a 500 that tells nothing of the inside. */
export function toProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown;
  if (thrown instanceof HoldfastError) {
    switch (thrown.code) {
      case 'E_INPUT_INVALID':
        return new Problem('E_INPUT_INVALID', thrown.message, { errors: inputErrors(thrown), cause: thrown });
      case 'E_NOT_SERIALISABLE':
        return new Problem('E_NOT_SERIALISABLE', thrown.message, {
          errors: [{ pointer: wholeAsEmpty(text(thrown.detail.pointer)), message: thrown.message }],
          cause: thrown,
        });
      case 'E_NOT_APPLICABLE':
        return new Problem('E_NOT_APPLICABLE', thrown.message, { runStatus: text(thrown.detail.status), cause: thrown });
      case 'E_REQUEST_INVALID': {
        const pointer = text(thrown.detail.pointer);
        if (pointer !== '') {
          return new Problem('E_REQUEST_INVALID', thrown.message, { errors: [{ pointer, message: thrown.message }], cause: thrown });
        }
        const parameter = text(thrown.detail.field);
        if (parameter === '') break;
        return new Problem('E_REQUEST_INVALID', thrown.message, { errors: [{ parameter, message: thrown.message }], cause: thrown });
      }
    }
  }
  return new Problem('E_INTERNAL', 'the request could not be answered: try again, and report it with the request id if it stays', {
    cause: thrown,
  });
}

/** The body of a problem. `urn:` because a type is a name before it is a page (RFC 9457, section 3.1.1). */
export function problemBody(problem: Problem, about: { path: string; requestId?: string }) {
  const { status, title } = PROBLEMS[problem.code];
  const first = problem.errors[0];
  return {
    type: `urn:holdfast:error:${problem.code}`,
    title,
    status,
    detail: problem.message,
    code: problem.code,
    instance: about.path,
    ...(about.requestId === undefined ? {} : { requestId: about.requestId }),
    ...(first && 'pointer' in first && first.line === undefined ? { pointer: first.pointer } : {}),
    ...(first === undefined ? {} : { errors: bounded(problem.errors) }),
    ...(problem.runStatus ? { runStatus: problem.runStatus } : {}),
    ...(problem.connectionState ? { connectionState: problem.connectionState } : {}),
  };
}

/** The first, and as many more as are few enough. */
function bounded(errors: readonly FieldError[]): FieldError[] {
  let bytes = 0;
  return errors.slice(0, SHOWN_ERRORS).filter((error, i) => {
    bytes += Buffer.byteLength(JSON.stringify(error));
    return i === 0 || bytes <= SHOWN_ERROR_BYTES;
  });
}

/** The start contract points below `/input`; over HTTP the body is the input itself. */
function inputErrors(error: HoldfastError): FieldError[] {
  const issues = Array.isArray(error.detail.issues) ? error.detail.issues : [];
  return issues.map((issue) => {
    const { pointer, message } = issue as { pointer: string; message: string };
    return { pointer: pointer.replace(/^\/input(?=\/|$)/, ''), message };
  });
}

const wholeAsEmpty = (pointer: string): string => (pointer === '/' ? '' : pointer);
const text = (value: Json | undefined): string => (typeof value === 'string' ? value : '');
