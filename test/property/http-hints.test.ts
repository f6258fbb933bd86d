import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextAttempt } from '../../src/http/backoff.ts';
import { classify } from '../../src/http/classify.ts';
import { readHints } from '../../src/http/hints.ts';

const NAMES = [
  'retry-after',
  'retry-after-ms',
  'x-ms-retry-after-ms',
  'ratelimit',
  'ratelimit-reset',
  'ratelimit-remaining',
  'x-ratelimit-reset',
  'x-ratelimit-remaining',
  'x-ratelimit-reset-tokens',
  'x-ratelimit-remaining-tokens',
  'x-rate-limit-reset',
  'date',
];
const now = fc.integer({ min: Date.UTC(2000, 0), max: Date.UTC(2090, 0) });
const date = now.map((time) => new Date(time).toUTCString());
const plausible = fc.oneof(
  fc.nat().map(String),
  fc.double({ noNaN: true }).map(String),
  date,
  fc.constantFrom('0', '6m5s', '120ms', '"a";r=0;t=5', 'limit=1, remaining=0, reset=9', '1, 2'),
);
const value = fc.oneof(fc.string({ unit: 'binary' }), plausible);
const headers = fc.dictionary(fc.constantFrom(...NAMES), value);

describe('hints', () => {
  it('never throw, and are a finite time that is not negative', () => {
    fc.assert(
      fc.property(headers, now, fc.boolean(), (given, time, throttled) => {
        const { hint } = readHints(given, time, throttled);
        if (hint === undefined) return;
        expect(Number.isFinite(hint.delay)).toBe(true);
        expect(hint.delay).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 5_000 },
    );
  });

  it('in seconds are never early, whatever the jitter', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1e6, noNaN: true }),
        now,
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (seconds, time, chance) => {
          const text = seconds.toFixed(3);
          expect(notBefore({ 'retry-after': text }, time, chance)).toBeGreaterThanOrEqual(Number(text) * 1_000);
        },
      ),
    );
  });

  it('as dates wait for as long as the server’s own clock says, however wrong it is', () => {
    fc.assert(
      fc.property(
        now,
        now,
        fc.nat({ max: 1_000_000 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (server, ours, seconds, chance) => {
          const given = { date: new Date(server).toUTCString(), 'retry-after': new Date(server + seconds * 1_000).toUTCString() };
          const wait = notBefore(given, ours, chance);
          expect(wait).toBeGreaterThanOrEqual(seconds * 1_000);
          expect(wait).toBeLessThanOrEqual(seconds * 1_000 + 30_001);
        },
      ),
    );
  });
});

function notBefore(headers: Record<string, string>, now: number, chance: number): number {
  const { hint } = readHints(headers, now, true);
  const next = nextAttempt(classify({ phase: 'answered', status: 429 }, 'safe'), hint, {
    policy: { attempts: 6, throttles: 100, deadline: 1e12 },
    attempt: 1,
    throttles: 0,
    issuedAt: now,
    now,
    quickRetries: 0,
    remaining: 60_000,
    window: 0,
    random: () => chance,
  });
  return 'counts' in next ? next.at - now : Number.NaN;
}
