/** A call outside any run: the same operation, the same decisions, with real waits, and nothing kept. */
import type { ErrorData } from '../engine/errors.ts';
import type { Json } from '../engine/json.ts';
import type { AttemptEnv, Live, Operation, Verdict } from '../engine/operation.ts';
import type { Clock } from '../engine/ports.ts';
import { reviveCallError } from './errors.ts';
import { HTTP_SERVICE, type HttpRuntime } from './runtime.ts';

const NEVER = new AbortController().signal;

export type PlainOptions = {
  readonly runtime: HttpRuntime;
  /** What the idempotency key is made of. Default: chance. */
  readonly keyMaterial?: string | undefined;
};

/** Resolves with the reply in the journal's form. Rejects with the call's error, or with the signal's reason. */
export async function callPlainly(operation: Operation, options: PlainOptions): Promise<string | undefined> {
  const { runtime } = options;
  const { signal = NEVER } = operation;
  const { clock, entropy } = runtime;
  const { keyMaterial = entropy.id() } = options;
  const issuedAt = clock.now();
  let firstSentAt: number | undefined;
  let attempt = 1;
  let throttles = 0;
  let quickRetries = 0;
  let unknown: ErrorData | undefined;
  let place: Json | undefined;

  const env = (): AttemptEnv => ({
    op: operation.identity,
    keyMaterial,
    attempt,
    throttles,
    issuedAt,
    ...(firstSentAt === undefined ? {} : { firstSentAt }),
    ...(place === undefined ? {} : { place }),
    quickRetries,
    remaining: Number.POSITIVE_INFINITY,
    signal,
    clock,
    entropy,
    services: { [HTTP_SERVICE]: runtime },
  });

  for (;;) {
    signal.throwIfAborted();
    let verdict: Verdict | Live;
    if (unknown && operation.unknown) verdict = await operation.unknown(env());
    else {
      const asked = operation.admit?.(env());
      const admitted = asked instanceof Promise ? await asked : asked;
      if (admitted?.type === 'go' && signal.aborted) admitted.drop();
      signal.throwIfAborted();
      if (admitted?.type === 'fail') throw revive(admitted.error);
      place = admitted?.type === 'later' ? admitted.place : undefined;
      if (admitted?.type === 'later') {
        // In the past it would be asked without end in one and the same millisecond.
        await until(Math.max(admitted.at, clock.now() + 1), clock, signal);
        continue;
      }
      firstSentAt ??= clock.now();
      verdict = await operation.attempt(env());
    }
    if (verdict.type === 'live') {
      const { reply } = verdict;
      reply.onEnd(() => reply.release());
      return reply.head;
    }
    // Known in time is known: only what is still open is given up.
    if (verdict.type !== 'done' && verdict.type !== 'fail') signal.throwIfAborted();
    switch (verdict.type) {
      case 'done':
        if (verdict.value !== undefined) await operation.load?.(verdict.value, env());
        return verdict.value;
      case 'fail':
        if (verdict.value !== undefined) await operation.load?.(verdict.value, env());
        throw revive(verdict.error, verdict.value);
      case 'pause':
        throw revive(verdict.error);
      case 'resend': {
        const next = Math.max(verdict.at ?? 0, Number(unknown?.detail?.notBefore ?? 0));
        attempt += 1;
        quickRetries += 1;
        unknown = undefined;
        firstSentAt = undefined;
        if (next > clock.now()) await until(next, clock, signal);
        break;
      }
      case 'unknown':
        unknown = verdict.error;
        break;
      case 'again':
        if (verdict.counts === 'attempt') attempt += 1;
        if (verdict.counts === 'throttle') throttles += 1;
        if (verdict.why === undefined) quickRetries += 1;
        place = verdict.place;
        await until(verdict.at, clock, signal);
        break;
    }
  }

  function revive(error: ErrorData, value?: string): Error {
    return (operation.revive ?? reviveCallError)(error, value);
  }
}

function until(at: number, clock: Clock, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const give = () => {
      timer.cancel();
      reject(signal.reason);
    };
    const timer = clock.timer(at - clock.now(), () => {
      signal.removeEventListener('abort', give);
      // setTimeout may come a little early, and is cut at 24 days.
      if (clock.now() < at) until(at, clock, signal).then(resolve, reject);
      else resolve();
    });
    signal.addEventListener('abort', give, { once: true });
  });
}
