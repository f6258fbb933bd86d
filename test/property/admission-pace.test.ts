/** What is not limited by anybody must not stay limited because one process knew little of how much the others send. */
import { describe, expect, it } from 'vitest';
import { simulate } from '../support/admission/simulation.ts';

describe('a connection without limits', () => {
  // Forty instances, where ten are expected at the most: twice what one of them makes of what it has sent is half of the load.
  it.each([1])(
    'is back at its load some minutes after an answer with Retry-After, however little the one who got it knew (seed %i)',
    async (seed) => {
      let told = false;
      const { arrivals, done } = await simulate({
        seed,
        limits: [],
        instances: () => 40,
        batch: 0,
        load: [{ perSecond: () => 400, tenant: 'a' }],
        lasts: 240_000,
        api(ms) {
          if (ms < 10_000 || told) return 'good';
          told = true;
          return { retryAfter: 2_000 };
        },
      });
      const end = Math.max(...arrivals.map(({ ms }) => ms));
      const last = arrivals.filter(({ ms }) => ms > end - 20_000).length / 20;
      expect(last).toBeGreaterThan(0.9 * 400);
      const latest = Math.max(...done.map(({ ended }) => ended));
      const waited = done.filter(({ ended }) => ended > latest - 20_000).map(({ issued, ended }) => ended - issued);
      expect(Math.max(...waited)).toBeLessThan(2_000);
    },
  );
});
