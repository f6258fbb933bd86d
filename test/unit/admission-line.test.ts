import { describe, expect, it } from 'vitest';
import { lineAt, runsFully, timeOf } from '../../src/admission/line.ts';
import type { AdmissionRecord } from '../../src/engine/admission-ports.ts';

const NOW = 1_800_000_000_000;
/** Stopped at line 5,000 until NOW, then 1 s steps. */
const RESUMED = { base: 5_000, resumeAt: NOW, slow: 1_000 };

describe('the line', () => {
  it.each([
    ['runs as the clock does', {}, NOW, NOW],
    ['is behind by what has held it up', { base: -300 }, NOW, NOW - 300],
    ['stands still before a gate', RESUMED, NOW - 7_000, 5_000],
    ['runs at an eighth after it', RESUMED, NOW + 1_000, 5_125],
    ['then at a quarter', RESUMED, NOW + 2_000, 5_375],
    ['then at a half', RESUMED, NOW + 3_000, 5_875],
    ['then fully', RESUMED, NOW + 4_000, 6_875],
    ['stands still while the breaker is open', { ...RESUMED, breaker: 'open', openUntil: NOW }, NOW + 9_000, 5_000],
    ['stands still while it is held', { base: 9, heldAt: NOW - 1 }, NOW, 9],
    ['runs until a pause', { pauses: `${NOW + 10}+30` }, NOW + 10, NOW + 10],
    ['stands still in a pause', { pauses: `${NOW + 10}+30` }, NOW + 25, NOW + 10],
    ['goes on after one', { pauses: `${NOW + 10}+30 ${NOW + 60}+5.5` }, NOW + 100, NOW + 64.5],
  ])('%s', (_what, record, now, line) => {
    expect(lineAt(record, now)).toBe(line);
  });

  it.each([
    {},
    { base: -1_000 },
    RESUMED,
    { ...RESUMED, slow: 10_000 },
    { base: -2_000, pauses: `${NOW + 500}+30 ${NOW + 700}+100` },
    { ...RESUMED, resumeAt: NOW - 90_000, pauses: `${NOW + 300}+16` },
  ] satisfies AdmissionRecord[])('reaches every place at its time: %o', (given) => {
    const record: AdmissionRecord = given;
    const pauses = String(record.pauses ?? '')
      .split(' ')
      .filter(Boolean);
    const resumeAt = Number(record.resumeAt ?? 0);
    for (let ms = 0; ms < 40_000; ms += 13) {
      const time = timeOf(record, lineAt(record, NOW + ms), NOW);
      // In a pause it is reached at the pause's end: who stands there goes after those who are ahead.
      const paused = pauses.some((one) => {
        const [at = 0, long = 0] = one.split('+').map(Number);
        return NOW + ms >= at && NOW + ms <= at + long;
      });
      if (!paused && NOW + ms > resumeAt) expect(time).toBeCloseTo(NOW + ms, 5);
    }
  });

  it('is not reached before a hold is released, nor before the breaker has had its time', () => {
    expect(timeOf({ base: 0, heldAt: NOW }, 0, NOW)).toBe(Number.POSITIVE_INFINITY);
    expect(timeOf({ base: 100, breaker: 'open', openUntil: NOW + 5_000 }, 150, NOW)).toBe(NOW + 5_050);
  });

  it('runs fully once its slow start is over', () => {
    expect([0, 2_999, 3_000].map((ms) => runsFully(RESUMED, NOW + ms))).toEqual([false, false, true]);
    expect(runsFully({}, NOW)).toBe(true);
    expect(runsFully({ breaker: 'open' }, NOW)).toBe(false);
  });
});
