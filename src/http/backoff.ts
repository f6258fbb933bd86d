/** When the next attempt may be made, or why there is none. Pure: time, chance and counts are handed in. */
import type { Decision } from './classify.ts';
import type { Hint } from './hints.ts';
import type { RetryPolicy } from './settings.ts';

export type Situation = {
  readonly policy: RetryPolicy;
  /** 1 for the first. */
  readonly attempt: number;
  readonly throttles: number;
  readonly issuedAt: number;
  readonly now: number;
  /** Retries of this delivery so far. */
  readonly quickRetries: number;
  /** Milliseconds left in this invocation. */
  readonly remaining: number;
  /** Milliseconds of the connection's longest rate window; 0: none. */
  readonly window: number;
  /** It was the fleet's question whether the API is back: the call that asked it pays nothing for the answer. Default false. */
  readonly isProbe?: boolean;
  readonly random: () => number;
};

export type Next =
  | { at: number; counts: 'attempt' | 'throttle' | 'nothing' }
  | { over: 'attempts' | 'throttles' | 'deadline'; at?: number };

const QUICK_RETRIES = 2;
const QUICK_SHARE = 0.25;
const HOUR_MS = 3_600_000;

/** For decisions to `retry`, `wait` or go on `later`. A cap never shortens a wait: what would come after the deadline fails now. */
export function nextAttempt(decision: Decision, hint: Hint | undefined, situation: Situation): Next {
  const { policy, attempt, throttles, now } = situation;
  if (decision.act === 'later') return { at: now, counts: 'nothing' };
  const counts = decision.act === 'wait' ? 'throttle' : situation.isProbe ? 'nothing' : 'attempt';
  if (counts === 'throttle' && throttles >= policy.throttles) return { over: 'throttles' };
  if (counts === 'attempt' && attempt >= Math.min(policy.attempts, (decision.retries ?? Number.POSITIVE_INFINITY) + 1))
    return { over: 'attempts' };
  const at = now + Math.ceil(hint === undefined ? unhinted(decision, situation) : hinted(hint, situation));
  return at > situation.issuedAt + policy.deadline ? { over: 'deadline', at } : { at, counts };
}

/** Jitter only adds: nobody comes before the time that the API gave. */
export function hinted({ delay }: Hint, { random }: Pick<Situation, 'random'>): number {
  return delay + random() * Math.min(30_000, 1_000 + 0.1 * delay);
}

function unhinted(decision: Decision, situation: Situation): number {
  const { random, policy, attempt, throttles, window } = situation;
  if (decision.between) return decision.between[0] + random() * (decision.between[1] - decision.between[0]);
  if (decision.act === 'wait') return Math.max(window, Math.min(120_000, 2_000 * 2 ** Math.min(throttles, 20)) * (1 + random() / 2));
  if (policy.schedule) {
    const wait = policy.schedule[Math.min(attempt, policy.schedule.length) - 1] ?? 0;
    return wait + 0.2 * wait * (2 * random() - 1);
  }
  return exponential(situation);
}

/** Short enough to stay in process twice a delivery, then long enough to be put down. */
export function exponential({
  random,
  attempt,
  quickRetries,
  remaining,
}: Pick<Situation, 'random' | 'attempt' | 'quickRetries' | 'remaining'>): number {
  const power = 2 ** Math.min(attempt - 1, 20);
  if (quickRetries < QUICK_RETRIES) {
    const quick = random() * Math.min(2_000, 100 * power);
    if (quick <= QUICK_SHARE * remaining) return quick;
  }
  return Math.min(HOUR_MS, 5_000 * power) * (0.5 + random() / 2);
}
