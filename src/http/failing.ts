/** What follows from an attempt that did not succeed: another one later, a question, or the call's final error. */
import type { Json } from '../engine/json.ts';
import type { AttemptEnv, Verdict } from '../engine/operation.ts';
import { hinted, type Next, nextAttempt } from './backoff.ts';
import type { Call } from './call.ts';
import { type Decision, isRedirect } from './classify.ts';
import type { WireEvent } from './exchange.ts';
import { failure, unknownOutcome } from './failures.ts';
import type { Hints } from './hints.ts';
import type { AttemptRecord } from './record.ts';

export { isAboutCredentials, unprepared } from './failures.ts';

export type Failed = {
  readonly call: Call;
  readonly decision: Decision;
  readonly event: WireEvent;
  readonly hints: Hints;
  readonly env: AttemptEnv;
  /** The answer in the journal's form, where there was one. */
  readonly value: string | undefined;
  readonly record: AttemptRecord;
  /** It was sent to see whether the API is back: it asks again with its place. */
  readonly probe: { readonly place: Json | undefined } | undefined;
};

export function afterFailure(failed: Failed): Verdict {
  const { call, decision, event, hints, env, record, probe } = failed;
  switch (decision.act) {
    case 'unknown':
      return {
        type: 'unknown',
        error: unknownOutcome(call, event, env, hints.hint && env.clock.now() + Math.ceil(hinted(hints.hint, env.entropy))),
        record,
      };
    case 'retry':
    case 'wait':
    case 'later': {
      const next = nextAttempt(decision, hints.hint, {
        policy: call.settings.retry,
        attempt: env.attempt,
        throttles: env.throttles,
        issuedAt: env.issuedAt,
        now: env.clock.now(),
        quickRetries: env.quickRetries,
        remaining: env.remaining,
        window: Math.max(0, ...call.core.rateLimits.map(({ per }) => per)),
        isProbe: probe !== undefined,
        random: env.entropy.random,
      });
      if ('over' in next) return final({ ...failed, record: { ...record, over: next.over } }, next);
      return {
        type: 'again',
        at: next.at,
        counts: next.counts,
        ...(probe?.place === undefined ? {} : { place: probe.place }),
        error: failure(call, event, env, ''),
        record: { ...record, next: next.at },
      };
    }
    default:
      return final(failed);
  }
}

function final({ call, decision, event, env, value, record }: Failed, next?: Extract<Next, { over: unknown }>): Verdict {
  const redirected = event.phase === 'answered' && isRedirect(event.status) && (call.redirects === 'error' || event.stopped !== undefined);
  if (call.everyStatus && value !== undefined && !redirected) return { type: 'done', value, record };
  const { retry } = call.settings;
  const because =
    next === undefined
      ? ''
      : next.over === 'deadline'
        ? `; the next attempt could not be made before the deadline of ${retry.deadline} ms (retry.deadline)`
        : next.over === 'throttles'
          ? `; it was throttled ${env.throttles + 1} times (retry.throttles)`
          : ` after ${env.attempt} attempt${env.attempt === 1 ? '' : 's'}`;
  const error = failure(call, event, env, because, next?.over === 'deadline' ? 'E_DEADLINE' : 'E_CALL_FAILED');
  if (decision.class === 'ambiguous' && call.effect !== 'safe') error.detail = { ...error.detail, mayHaveHappened: true };
  return { type: 'fail', error, ...(value === undefined ? {} : { value }), record };
}
