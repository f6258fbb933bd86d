/** A worker like the deployed one, in a process of its own, under large and endless bodies: its memory, and that all of them end in time. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type LargeBodies, startLargeBodies } from '../../bench/support/large-bodies.ts';

let bodies: LargeBodies;
beforeAll(async () => {
  bodies = await startLargeBodies();
});
afterAll(() => bodies.stop());

test.each([
  ['endless', {}],
  ['64mb', { as: 'file' }],
  ['gzip', { as: 'file' }],
] as const)('ten bodies at once (%s) are cut and kept, and take a fraction of their size in memory', async (body, options) => {
  const before = await bodies.kept();
  const { calls, peakMb, idleMb } = await bodies.read(
    Array.from({ length: 10 }, (_, n) => `/${body}/${n}`),
    { ...options, timeout: '2m' },
  );
  const after = await bodies.kept();
  expect(calls.map(({ outcome }) => outcome)).toEqual(Array.from({ length: 10 }, () => 'truncated'));
  expect(after.bytes - before.bytes).toBeGreaterThanOrEqual(100_000_000);
  // They are 100 MB together, and 640 MB or without end if nobody cut them.
  expect(peakMb - idleMb).toBeLessThan(110);
});

test('calls end at their total, whatever comes or does not come', async () => {
  const total = 1_000;
  const fates = ['drip', 'packed-drip', 'stall', 'half-head', 'head-drip', 'silent', 'endless'];
  const { calls } = await bodies.read(
    fates.map((fate) => `/${fate}/1`),
    { timeout: { total, headers: '1h', idle: '1h', minRate: 0 }, maxBody: 1_000_000_000_000 },
  );
  expect(calls.map(({ outcome }) => outcome)).toEqual(fates.map(() => 'E_CALL_FAILED'));
  expect(Math.min(...calls.map(({ ms }) => ms))).toBeGreaterThan(total - 5);
  // 100 ms where nothing else runs; a machine that tests much at once is allowed its own slowness.
  expect(Math.max(...calls.map(({ ms }) => ms))).toBeLessThan(total + 1_000);
});
