import { describe, expect, it } from 'vitest';
import { nextAttempt, type Situation } from '../../src/http/backoff.ts';
import { classify } from '../../src/http/classify.ts';

const TRANSIENT = classify({ phase: 'answered', status: 503 }, 'safe');
const THROTTLE = classify({ phase: 'answered', status: 429 }, 'safe');
const situation = (more: Partial<Situation> = {}): Situation => ({
  policy: { attempts: 6, throttles: 100, deadline: 86_400_000 },
  attempt: 1,
  throttles: 0,
  issuedAt: 0,
  now: 1_000,
  quickRetries: 0,
  remaining: 60_000,
  window: 0,
  random: () => 1,
  ...more,
});
const wait = (decision: typeof TRANSIENT, more: Partial<Situation> = {}, delay?: number): number => {
  const next = nextAttempt(decision, delay === undefined ? undefined : { delay, source: 'retry-after' }, situation(more));
  if (!('counts' in next)) throw new Error(next.over);
  return next.at - 1_000;
};

describe('waiting between attempts', () => {
  it('is short twice a delivery: up to 100 ms · 2ⁿ, at most 2 s', () => {
    expect([1, 2, 3, 4, 5].map((attempt) => wait(TRANSIENT, { attempt, policy: { attempts: 9, throttles: 0, deadline: 1e9 } }))).toEqual([
      100, 200, 400, 800, 1_600,
    ]);
    expect(wait(TRANSIENT, { attempt: 8, policy: { attempts: 9, throttles: 0, deadline: 1e9 } })).toBe(2_000);
    expect(wait(TRANSIENT, { random: () => 0 })).toBe(0);
  });

  it('is long from the third on: 5 s · 2ⁿ, at most an hour, by a half to one', () => {
    expect(wait(TRANSIENT, { attempt: 3, quickRetries: 2 })).toBe(20_000);
    expect(wait(TRANSIENT, { attempt: 3, quickRetries: 2, random: () => 0 })).toBe(10_000);
    expect(wait(TRANSIENT, { attempt: 30, quickRetries: 2, policy: { attempts: 99, throttles: 0, deadline: 1e9 } })).toBe(3_600_000);
  });

  it('is not spent in process when it would take more than a quarter of the time left', () => {
    expect(wait(TRANSIENT, { remaining: 400 })).toBe(100);
    expect(wait(TRANSIENT, { remaining: 399 })).toBe(5_000);
  });

  it('without a hint, a throttle waits 2 s · 2ⁿ up to 120 s, times 1 to 1.5, and at least the window', () => {
    expect(wait(THROTTLE)).toBe(3_000);
    expect(wait(THROTTLE, { random: () => 0, throttles: 2 })).toBe(8_000);
    expect(wait(THROTTLE, { throttles: 50, random: () => 0 })).toBe(120_000);
    expect(wait(THROTTLE, { window: 60_000 })).toBe(60_000);
  });

  it('never comes before a hint: jitter only adds, up to a second and a tenth, at most 30 s', () => {
    expect(wait(THROTTLE, { random: () => 0 }, 30_000)).toBe(30_000);
    expect(wait(THROTTLE, {}, 30_000)).toBe(34_000);
    expect(wait(TRANSIENT, {}, 3_600_000)).toBe(3_630_000);
  });

  it('follows the user’s schedule ±20 %, its last entry repeated', () => {
    const policy = { attempts: 9, throttles: 0, deadline: 1e9, schedule: [5_000, 300_000] };
    expect(wait(TRANSIENT, { policy, random: () => 0 })).toBe(4_000);
    expect(wait(TRANSIENT, { policy })).toBe(6_000);
    expect(wait(TRANSIENT, { policy, attempt: 5, random: () => 0.5 })).toBe(300_000);
  });

  it('ends when attempts or throttles are used up, each counted for itself', () => {
    expect(nextAttempt(TRANSIENT, undefined, situation({ attempt: 6 }))).toEqual({ over: 'attempts' });
    expect(nextAttempt(THROTTLE, undefined, situation({ attempt: 6 }))).toMatchObject({ counts: 'throttle' });
    expect(nextAttempt(THROTTLE, undefined, situation({ throttles: 100 }))).toEqual({ over: 'throttles' });
  });

  it('ends earlier where the row says so: a name not found is retried twice', () => {
    const missing = classify({ phase: 'not-sent', why: 'name-not-found' }, 'safe');
    expect(nextAttempt(missing, undefined, situation({ attempt: 2 }))).toMatchObject({ counts: 'attempt' });
    expect(nextAttempt(missing, undefined, situation({ attempt: 3 }))).toEqual({ over: 'attempts' });
  });

  it('does not shorten a wait to the deadline: past it, it ends now and says when it would have been', () => {
    const policy = { attempts: 6, throttles: 100, deadline: 10_000 };
    expect(nextAttempt(THROTTLE, { delay: 9_000, source: 'retry-after' }, situation({ policy, random: () => 0 }))).toEqual({
      at: 10_000,
      counts: 'throttle',
    });
    expect(nextAttempt(THROTTLE, { delay: 9_001, source: 'retry-after' }, situation({ policy, random: () => 0 }))).toEqual({
      over: 'deadline',
      at: 10_001,
    });
  });
});
