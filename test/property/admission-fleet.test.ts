/** What issue and targets ask of the whole fleet, in virtual time. The seeds are in the tests' names. */
import { describe, expect, it } from 'vitest';
import { memoryAdmissionStore } from '../../src/admission/memory-store.ts';
import { type Arrival, peak, simulate } from '../support/admission/simulation.ts';

const limit = (requests: number) => ({ requests, per: 1_000, burst: 1 });
const within = (arrivals: readonly Arrival[], from: number, to: number) => arrivals.filter(({ ms }) => ms >= from && ms < to);
/** Arrivals a second. */
const rate = (arrivals: readonly Arrival[], from: number, to: number) => within(arrivals, from, to).length / ((to - from) / 1_000);

describe('a saturated limit', () => {
  /** Five instances, then forty, then five. */
  const fleet = (lasts: number) => (ms: number) => (ms < lasts / 4 || ms >= 0.7 * lasts ? 5 : 40);

  describe.each([
    { requests: 1, lasts: 1_600_000 },
    { requests: 10, lasts: 240_000 },
    { requests: 100, lasts: 40_000 },
    { requests: 1_000, lasts: 12_000 },
  ])('of $requests a second, 5 → 40 → 5 instances, clocks ±50 ms', ({ requests, lasts }) => {
    it.each([
      { batch: 10, lanes: requests < 1_000 ? 1 : 10, writes: 0.12, seed: 1 },
      { batch: 10, lanes: requests < 1_000 ? 1 : 10, writes: 0.12, seed: 2 },
      { batch: 1, lanes: requests < 1_000 ? 10 : 30, writes: 1.1, seed: 3 },
    ])('is used and kept, at batch $batch with at most $writes writes a call (seed $seed)', async ({ batch, lanes, writes, seed }) => {
      const { arrivals, ...report } = await simulate({
        seed,
        limits: [limit(requests)],
        instances: fleet(lasts),
        batch,
        lanes,
        lasts,
        throttled: 0,
      });
      // Requests come whole: 1.1 in a second are two.
      expect(peak(arrivals)).toBeLessThanOrEqual(Math.ceil(1.1 * requests));
      expect(rate(arrivals, 1_000, lasts - 1_000)).toBeGreaterThanOrEqual(0.97 * requests);
      expect(report.writes / arrivals.length).toBeLessThanOrEqual(writes);
      // Nobody polls: what is refused is a few updates where the line ran dry.
      expect(report.refused).toBeLessThanOrEqual(20);
    });
  });

  it('is kept by several limits at once, the scarcest of which counts (seed 4)', async () => {
    const { arrivals } = await simulate({
      seed: 4,
      limits: [limit(50), { requests: 600, per: 60_000, burst: 1 }],
      instances: () => 10,
      batch: 10,
      lasts: 120_000,
      throttled: 0,
    });
    expect(peak(arrivals, 60_000)).toBeLessThanOrEqual(606);
    expect(rate(arrivals, 1_000, 119_000)).toBeGreaterThanOrEqual(9.7);
  });

  it('lets a burst go at once, and no more than the limit and the burst in any of its windows (seed 5)', async () => {
    const { arrivals } = await simulate({
      seed: 5,
      limits: [{ requests: 60, per: 60_000, burst: 20 }],
      instances: () => 5,
      batch: 10,
      lasts: 180_000,
    });
    expect(peak(arrivals, 1_000)).toBeGreaterThanOrEqual(20);
    expect(peak(arrivals, 60_000)).toBeLessThanOrEqual(80);
  });

  it('is used although the table throttles, and exceeded by little (seed 6)', async () => {
    const { arrivals } = await simulate({
      seed: 6,
      limits: [limit(100)],
      instances: () => 20,
      batch: 10,
      lasts: 60_000,
      throttled: 0.05,
    });
    expect(peak(arrivals)).toBeLessThanOrEqual(130);
    expect(rate(arrivals, 1_000, 59_000)).toBeGreaterThanOrEqual(85);
  });
});

describe('one answer with Retry-After: 20', () => {
  const TOLD = 5_000;

  it.each([
    { requests: 10, seed: 1 },
    { requests: 100, seed: 2 },
    { requests: 100, seed: 3 },
    { requests: 1_000, seed: 4 },
    { requests: 0, seed: 5 },
  ])('to one of 40 instances stops them all, then they go on slowly, at $requests a second (seed $seed)', async ({ requests, seed }) => {
    let told = 0;
    const { arrivals, writes } = await simulate({
      seed,
      limits: requests === 0 ? [] : [limit(requests)],
      instances: () => 40,
      batch: 10,
      lanes: requests === 1_000 ? 3 : 1,
      lasts: 45_000,
      api(ms) {
        if (ms < TOLD || told > 0) return 'good';
        told = ms;
        return { retryAfter: 20_000 };
      },
    });
    // The answer is under way for up to 60 ms, the gate's update and a request for a few more.
    expect(within(arrivals, told + 60 + 250 + 20, told + 20_000)).toEqual([]);
    if (requests === 0) {
      // No gate is up in the first five seconds: a connection without limits costs no update.
      expect(writes).toBeLessThan(1_000);
      return;
    }
    const resumed = told + 20_100;
    for (const [step, share] of [0.125, 0.25, 0.5].entries()) {
      const least = requests < 100 ? 2 : 0.03 * requests;
      expect(within(arrivals, resumed + step * 1_000, resumed + (step + 1) * 1_000).length).toBeLessThanOrEqual(
        share * requests * 1.35 + least,
      );
    }
    expect(rate(arrivals, resumed + 5_000, resumed + 15_000)).toBeGreaterThanOrEqual(0.95 * requests);
  });

  it('that comes again and again for the load behind it is met by ever less of it (seed 6)', async () => {
    // An API that allows 20 a second, of which nobody has told us.
    let window = 0;
    let count = 0;
    const { arrivals, done } = await simulate({
      seed: 6,
      limits: [],
      instances: () => 10,
      batch: 0,
      load: [{ tenant: 'default', perSecond: (ms) => (ms < 20_000 ? 40 : 0) }],
      lasts: 240_000,
      api(ms) {
        if (Math.floor(ms / 1_000) !== window) [window, count] = [Math.floor(ms / 1_000), 0];
        count += 1;
        return count > 20 ? { retryAfter: 2_000 } : 'good';
      },
    });
    expect(done.length).toBeGreaterThanOrEqual(790);
    expect(arrivals.length / done.length).toBeLessThanOrEqual(2);
  });
});

describe('a connection without limits', () => {
  it('is soon as fast as ever after a 429 to its very first call (seed 7)', async () => {
    let isFirst = true;
    const { arrivals } = await simulate({
      seed: 7,
      limits: [],
      instances: () => 10,
      batch: 0,
      load: [{ tenant: 'default', perSecond: () => 50 }],
      lasts: 90_000,
      api() {
        const reply = isFirst ? { retryAfter: 5_000 } : ('good' as const);
        isFirst = false;
        return reply;
      },
    });
    expect(rate(arrivals, 45_000, 89_000)).toBeGreaterThanOrEqual(48);
  });

  it('costs no update while all is well (seed 8)', async () => {
    const { arrivals, writes, reads } = await simulate({ seed: 8, limits: [], instances: () => 10, batch: 10, lasts: 20_000 });
    expect(arrivals.length).toBeGreaterThan(10_000);
    expect(writes).toBe(0);
    // Each instance looks ten times a second.
    expect(reads).toBeLessThanOrEqual(10 * 10 * 20);
  });

  it('sends no probe into a gate (seed 9)', async () => {
    let told = 0;
    const { arrivals } = await simulate({
      seed: 9,
      limits: [],
      instances: () => 10,
      batch: 0,
      load: [{ tenant: 'default', perSecond: () => 30 }],
      lasts: 60_000,
      api(ms) {
        if (ms < 5_000) return 'good';
        if (ms < 12_000) return 'bad';
        if (told > 0) return 'good';
        // The first probe after that.
        told = ms;
        return { retryAfter: 20_000 };
      },
    });
    expect(told).toBeGreaterThan(0);
    expect(within(arrivals, told + 60 + 250 + 20, told + 20_000)).toEqual([]);
    expect(rate(arrivals, 50_000, 59_000)).toBeGreaterThanOrEqual(28);
  });
});

describe('ten minutes of outage', () => {
  const [FROM, TO] = [30_000, 630_000];

  describe.each([{ requests: 100 }, { requests: 10 }, { requests: 0 }])('under load, at a limit of $requests a second', ({ requests }) => {
    const load = 0.98 * (requests === 0 ? 50 : requests);

    it.each([
      { kills: false, seed: 1 },
      { kills: true, seed: 2 },
    ])('costs little, and is over soon after (probers killed: $kills, seed $seed)', async ({ kills, seed }) => {
      const { arrivals, done } = await simulate({
        seed,
        limits: requests === 0 ? [] : [limit(requests)],
        instances: () => 10,
        batch: 0,
        load: [{ tenant: 'default', perSecond: () => load }],
        lasts: 700_000,
        api: (ms) => (ms >= FROM && ms < TO ? 'bad' : 'good'),
        deadly: (ms, isProbe) => (kills && isProbe && ms < TO ? 0.5 : 0),
      });
      expect(arrivals.length / done.length).toBeLessThanOrEqual(1.2);
      // It opens within the first seconds.
      const open = within(arrivals, FROM + 5_000, TO);
      expect(open.length / ((TO - FROM - 5_000) / 1_000)).toBeLessThanOrEqual(0.1);
      expect(open.every(({ isProbe }) => isProbe)).toBe(true);
      const gaps = open.slice(1).map(({ ms }, index) => ms - (open[index] as Arrival).ms);
      expect(Math.min(...gaps)).toBeGreaterThan(4_800);
      // There is one an interval as long as somebody waits, killed or not: the longest wait is for one that is not safe.
      expect(Math.max(...gaps)).toBeLessThan(16_000);
      expect(rate(arrivals, TO + 15_000, TO + 45_000)).toBeGreaterThanOrEqual(0.95 * load);
      // Nobody paid for the outage with more than the attempts that were sent before it was known.
      expect(Math.max(...done.map(({ attempts }) => attempts))).toBeLessThanOrEqual(4);
      // It closed once, and stayed so.
      expect(within(arrivals, TO + 15_000, 700_000).some(({ isProbe }) => isProbe)).toBe(false);
    });
  });

  it('does not open on a storm of 429 (seed 3)', async () => {
    const { arrivals } = await simulate({
      seed: 3,
      limits: [limit(100)],
      instances: () => 10,
      batch: 10,
      lasts: 60_000,
      api: (ms) => (ms < 30_000 ? { retryAfter: 500 } : 'good'),
    });
    expect(arrivals.some(({ isProbe }) => isProbe)).toBe(false);
    expect(rate(arrivals, 45_000, 59_000)).toBeGreaterThanOrEqual(80);
  });

  it('leaves those who succeed alone where a tenth fails (seed 4)', async () => {
    const { arrivals, done } = await simulate({
      seed: 4,
      limits: [limit(100)],
      instances: () => 10,
      batch: 0,
      load: [{ tenant: 'default', perSecond: () => 60 }],
      lasts: 60_000,
      api: (_ms, call) => (call % 10 === 0 ? 'bad' : 'good'),
    });
    expect(arrivals.some(({ isProbe }) => isProbe)).toBe(false);
    expect(done.length).toBeGreaterThan(3_000);
    // Those that always fail are retried within the budget: a tenth, and ten a second.
    const retries = arrivals.filter(({ attempt }) => attempt > 1).length;
    expect(retries).toBeLessThanOrEqual(0.1 * arrivals.length + 7 * 100);
  });
});

describe('a tenant with 10 calls', () => {
  it.each([5, 10, 100, 1_000])(
    'beside one with 10,000 waits at most twice as long as alone, at %i a second (seeds 1, 2)',
    async (requests) => {
      for (const seed of [1, 2]) {
        const slowest = async (others: number) => {
          const { done } = await simulate({
            seed,
            limits: [limit(requests)],
            instances: () => 10,
            batch: 0,
            latency: () => 250,
            lasts: 30_000,
            throttled: 0,
            load: [
              // All of them at once.
              { tenant: 'heavy', perSecond: (ms) => (ms <= 20 ? others * 50 : 0) },
              { tenant: 'light', perSecond: (ms) => (ms === 8_000 ? 10 * 50 : 0) },
            ],
          });
          const times = done.filter(({ tenant }) => tenant === 'light').map(({ issued, ended }) => ended - issued);
          expect(times).toHaveLength(10);
          return Math.max(...times);
        };
        expect(await slowest(10_000)).toBeLessThanOrEqual(2 * (await slowest(0)));
      }
    },
  );

  it('takes no more than half of the places from those who came before (seed 3)', async () => {
    const { arrivals } = await simulate({
      seed: 3,
      limits: [limit(100)],
      instances: () => 10,
      batch: 0,
      lasts: 60_000,
      throttled: 0,
      load: [
        { tenant: 'heavy', perSecond: (ms) => (ms < 1_000 ? 5_000 : 0) },
        { tenant: 'light', perSecond: (ms) => (ms < 5_000 ? 0 : 200) },
      ],
    });
    const late = within(arrivals, 10_000, 50_000);
    expect(late.filter(({ tenant }) => tenant === 'heavy').length / late.length).toBeGreaterThanOrEqual(0.45);
    expect(peak(arrivals)).toBeLessThanOrEqual(113);
  });
});

describe('crashes', () => {
  it('leak no slot and no probe: ten thousand of them (seed 1)', async () => {
    const { arrivals, deaths, store, done } = await simulate({
      seed: 1,
      limits: [limit(100)],
      instances: () => 10,
      batch: 0,
      load: [{ tenant: 'default', perSecond: (ms) => (ms < 480_000 ? 60 : 0) }],
      lasts: 640_000,
      api: (ms) => (ms > 60_000 && ms < 90_000 ? 'bad' : 'good'),
      deadly: (ms) => (ms < 480_000 ? 0.28 : 0),
    });
    expect(deaths).toBeGreaterThanOrEqual(10_000);
    expect(done.length).toBeGreaterThanOrEqual(60 * 479);
    expect(peak(arrivals)).toBeLessThanOrEqual(113);
    expect(await store.read({ connection: 'crm' })).not.toHaveProperty('breaker');
  });

  it('leave no place among those in flight taken for longer than its lease (seed 2)', async () => {
    let most = 0;
    let flying = 0;
    const { deaths, store, clock, done } = await simulate({
      seed: 2,
      limits: [],
      concurrency: 10,
      instances: () => 6,
      batch: 0,
      load: [{ tenant: 'default', perSecond: (ms) => (ms < 120_000 ? 20 : 0) }],
      lasts: 400_000,
      api() {
        flying += 1;
        most = Math.max(most, flying);
        return 'good';
      },
      onReply() {
        flying -= 1;
      },
      deadly: (ms) => (ms < 120_000 ? 0.05 : 0),
    });
    expect(deaths).toBeGreaterThan(80);
    expect(done.length).toBeGreaterThanOrEqual(20 * 119);
    expect(most).toBeGreaterThanOrEqual(5);
    expect(most).toBeLessThanOrEqual(10);
    expect((await store.places({ connection: 'crm' })).filter(({ until }) => until > clock.now())).toEqual([]);
  });
});

describe('a table that cannot be reached', () => {
  const gone = (ms: number) => ms > 10_000 && ms < 40_000;

  it('has calls wait, and loses none (seed 1)', async () => {
    const { arrivals, done } = await simulate({
      seed: 1,
      limits: [limit(50)],
      instances: () => 10,
      batch: 0,
      load: [{ tenant: 'default', perSecond: (ms) => (ms < 60_000 ? 30 : 0) }],
      lasts: 150_000,
      unreachable: gone,
    });
    expect(within(arrivals, 11_000, 40_000).length).toBeLessThan(30);
    expect(done.length).toBeGreaterThanOrEqual(30 * 59);
    expect(peak(arrivals)).toBeLessThanOrEqual(58);
  });

  it("has them go on at each instance's share with onAdmissionError: 'local' (seed 2)", async () => {
    const { arrivals, done } = await simulate({
      seed: 2,
      limits: [limit(50)],
      instances: () => 10,
      batch: 0,
      onError: 'local',
      load: [{ tenant: 'default', perSecond: (ms) => (ms < 60_000 ? 30 : 0) }],
      lasts: 90_000,
      unreachable: gone,
    });
    expect(rate(arrivals, 15_000, 39_000)).toBeGreaterThanOrEqual(25);
    expect(peak(within(arrivals, 12_000, 39_000))).toBeLessThanOrEqual(55);
    expect(done.length).toBeGreaterThanOrEqual(30 * 59);
  });
});

describe('a record', () => {
  it('stays below 1 KB, whatever has happened to it (seed 1)', async () => {
    const store = memoryAdmissionStore();
    let largest = 0;
    await simulate({
      seed: 1,
      limits: [limit(50), { requests: 2_000, per: 60_000, burst: 10 }, { requests: 100_000, per: 86_400_000, burst: 10 }],
      instances: () => 10,
      batch: 0,
      load: [
        { tenant: `a-tenant-with-a-name-of-64-characters-${'x'.repeat(26)}`, perSecond: () => 100 },
        { tenant: 'light', perSecond: () => 5 },
      ],
      lasts: 120_000,
      api: (ms, call) => (ms > 30_000 && ms < 60_000 ? 'bad' : call % 100 === 0 ? { retryAfter: 300 } : 'good'),
      inner: {
        ...store,
        async change(key, change) {
          const result = await store.change(key, change);
          largest = Math.max(largest, JSON.stringify(result.record).length);
          return result;
        },
      },
    });
    expect(largest).toBeGreaterThan(200);
    expect(largest).toBeLessThanOrEqual(700); // 200 characters of a hold's reason beside it
  });
});
