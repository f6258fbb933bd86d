/** `step`: any other async work as one durable operation. */
import { currentRun, outsideRun } from './context.ts';
import { type Duration, milliseconds } from './duration.ts';
import { type ErrorData, HoldfastError, NonRetryableError, RetryAfterError, StepError, toErrorData } from './errors.ts';
import { encodeJson } from './json.ts';
import type { AttemptEnv, Effect, Verdict } from './operation.ts';

/** A step may ask for another time this often; then it has failed. */
const MAX_THROTTLES = 100;

export type StepOptions = {
  /** It may be made again without harm, also after a crash. Default false: a step that a crash interrupted is unknown. */
  idempotent?: boolean;
  /** It changes nothing outside: a read. Needs no write of its own. Default false. */
  safe?: boolean;
  /** Tries of an idempotent or safe step that throws, and of an unsafe one that is unknown with `onUnknown: 'retry'`. Default 6. An unsafe step that throws has failed. */
  attempts?: number;
  /** One try, default 30 s. An unsafe step that is not done by then is unknown. */
  timeout?: Duration;
  /** What is done about an unsafe step of which nobody knows whether it happened. Default `pause`. */
  onUnknown?: 'pause' | 'throw' | 'retry';
};

/**
 * Runs `fn` once and keeps its result, which must be plain JSON. What it calls is not journaled on its own.
 * `name` makes it this step; two of one name in a run are told apart by their order.
 * Throws `StepError` (`E_STEP_FAILED`) when it failed finally, `E_NOT_SERIALISABLE` with the path, `E_BAD_OPTION`.
 */
export async function step<T>(
  name: string,
  fn: (context: { signal: AbortSignal; attempt: number }) => Promise<T> | T,
  options: StepOptions = {},
): Promise<T> {
  if (typeof name !== 'string' || name === '')
    throw new HoldfastError('E_BAD_OPTION', 'step: name must be a non-empty text', { detail: { field: 'name' } });
  const timeout = milliseconds(options.timeout ?? '30s', `step ${name}: timeout`);
  const attempts = options.attempts ?? 6;
  if (!Number.isSafeInteger(attempts) || attempts < 1) {
    throw new HoldfastError('E_BAD_OPTION', `step ${name}: attempts must be a whole number ≥ 1`, { detail: { field: 'attempts' } });
  }
  const here = currentRun();
  if (!here) return fn({ signal: new AbortController().signal, attempt: 1 });
  const effect: Effect = options.safe ? 'safe' : options.idempotent ? 'idempotent' : 'unsafe';
  const onUnknown = options.onUnknown ?? 'pause';
  const text = await here.run.issue({
    kind: 'step',
    identity: `step ${name}`,
    label: `step ${name}`,
    effect,
    timeout,
    attempt: (env) => attempt(name, fn, { effect, attempts, timeout }, env),
    async unknown(env) {
      const error = failure(
        name,
        'E_UNKNOWN_OUTCOME',
        'it may have happened, and nobody knows; settle it, or give it { idempotent: true }',
      );
      if (onUnknown === 'retry') return env.attempt < attempts ? { type: 'resend' } : { type: 'fail', error };
      return onUnknown === 'throw' ? { type: 'fail', error } : { type: 'pause', error };
    },
    revive: (error) => new StepError(error.code as 'E_STEP_FAILED', error.message, { detail: error.detail ?? {} }),
  });
  return (text === undefined ? undefined : JSON.parse(text)) as T;
}

async function attempt(
  name: string,
  fn: (context: { signal: AbortSignal; attempt: number }) => unknown,
  limits: { effect: Effect; attempts: number; timeout: number },
  env: AttemptEnv,
): Promise<Verdict> {
  const began = env.clock.now();
  const abort = new AbortController();
  const record = (outcome: string) => ({ n: env.attempt, outcome, ms: env.clock.now() - began });
  const outOfTime = Symbol();
  let timer: { cancel(): void } | undefined;
  let closed = () => {};
  try {
    const result = await Promise.race([
      outsideRun(async () => fn({ signal: abort.signal, attempt: env.attempt })),
      new Promise<typeof outOfTime>((done) => {
        timer = env.clock.timer(limits.timeout, () => done(outOfTime));
        // The run has ended or is put down: nobody waits for this any more.
        closed = () => done(outOfTime);
        env.signal.addEventListener('abort', closed);
      }),
    ]);
    if (result === outOfTime) {
      abort.abort();
      const error = failure(name, 'E_TIMEOUT', `not done after ${limits.timeout} ms`);
      if (limits.effect === 'unsafe') return { type: 'unknown', error: { ...error, code: 'E_UNKNOWN_OUTCOME' }, record: record('timeout') };
      return again(error, 'timeout');
    }
    const value = encodeJson(result, `the result of step ${name}`);
    return { type: 'done', value, record: record('done') };
  } catch (thrown) {
    if (thrown instanceof HoldfastError && thrown.code === 'E_NOT_SERIALISABLE')
      return { type: 'fail', error: toErrorData(thrown), record: record('not serialisable') };
    const cause = toErrorData(thrown, 'E_STEP_FAILED');
    const error: ErrorData = {
      ...cause,
      code: 'E_STEP_FAILED',
      name: 'StepError',
      message: `step ${name}: ${cause.message}`,
      detail: { cause: cause.name ?? 'Error', attempts: env.attempt },
    };
    if (thrown instanceof RetryAfterError && env.throttles < MAX_THROTTLES) {
      const wait = milliseconds(thrown.after, `step ${name}: RetryAfterError`);
      return { type: 'again', at: env.clock.now() + wait, counts: 'throttle', error, record: record('retry after') };
    }
    if (thrown instanceof NonRetryableError || limits.effect === 'unsafe') return { type: 'fail', error, record: record('failed') };
    return again(error, 'failed');
  } finally {
    timer?.cancel();
    env.signal.removeEventListener('abort', closed);
  }

  function again(error: ErrorData, outcome: string): Verdict {
    if (env.attempt >= limits.attempts) return { type: 'fail', error, record: record(outcome) };
    const quick = env.quickRetries < 2;
    const wait = quick
      ? env.entropy.random() * Math.min(2_000, 100 * 2 ** env.attempt)
      : Math.min(3_600_000, 5_000 * 2 ** env.attempt) * (0.5 + env.entropy.random() / 2);
    return { type: 'again', at: Math.ceil(env.clock.now() + wait), counts: 'attempt', error, record: record(outcome) };
  }
}

function failure(name: string, code: string, message: string): ErrorData {
  return { code, name: 'StepError', message: `step ${name}: ${message}` };
}
