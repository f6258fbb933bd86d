/** Booking, standing, breaker and budget, as tables. */
import { describe, expect, it } from 'vitest';
import { book, type Claim, type Counts, interval } from '../../src/admission/booking.ts';
import { breakerAt, claimProbe, mayProbe, open, probed, shouldOpen } from '../../src/admission/breaker.ts';
import { nextWindow, retriesAllowed, retriesLeft } from '../../src/admission/budget.ts';
import { changed } from '../../src/admission/change.ts';
import { limitsOf } from '../../src/admission/pace.ts';
import { windowAt } from '../../src/admission/record.ts';
import { type Caller, standing } from '../../src/admission/standing.ts';
import { raiseGate } from '../../src/admission/stops.ts';
import type { AdmissionChange, AdmissionRecord } from '../../src/engine/admission-ports.ts';

const NOW = 1_800_000_000_000;
const W = windowAt(NOW);
const TEN = { requests: 10, per: 1_000, burst: 1 };
const STEP = interval(TEN);
const NOTHING: Counts = { windows: new Map(), row: 0, succeeded: false };
const claim = (over: Partial<Claim> = {}): Claim => ({ tenant: 'a', weight: 1, retry: false, missed: false, ...over });
const made = (record: AdmissionRecord, change: AdmissionChange | undefined): AdmissionRecord => {
  const next = change && changed(record, change);
  if (next === undefined) throw new Error('the change does not hold of what it was made of');
  return next;
};
const booked = (record: AdmissionRecord, claims: Claim[], limits = [TEN], counts = NOTHING) => {
  const { change, placesIn } = book(claims, limits, record, counts, NOW);
  const after = made(record, change);
  return { after, places: placesIn(after), change };
};

describe('a booking', () => {
  it('of an idle line begins now, and gives each of a batch a place of its own', () => {
    const { after, places } = booked({}, [claim(), claim({ weight: 3 }), claim()]);
    expect(places).toEqual([{ line: NOW }, { line: NOW + STEP }, { line: expect.closeTo(NOW + 4 * STEP, 2) as number }]);
    expect(after.tat0).toBeCloseTo(NOW + 5 * STEP, 2);
  });

  it('of a line that is running goes behind it, however far', () => {
    const { places } = booked({ tat0: NOW + 3_600_000 }, [claim()]);
    expect(places).toEqual([{ line: NOW + 3_600_000 }]);
  });

  it('loses unused places: nothing is carried over but a burst', () => {
    expect(booked({ tat0: NOW - 60_000 }, [claim(), claim()]).places).toEqual([{ line: NOW }, { line: NOW + STEP }]);
    const limit = { ...TEN, burst: 2 };
    expect(booked({ tat0: NOW - 60_000 }, [claim(), claim(), claim()], [limit]).places).toEqual([
      { line: NOW },
      { line: NOW },
      { line: expect.closeTo(NOW + STEP, 2) as number },
    ]);
  });

  it('of several limits takes the later place, and moves all of them on', () => {
    const minute = { requests: 60, per: 60_000, burst: 1 };
    const { after, places } = booked({ tat0: NOW + 100, tat1: NOW + 5_000 }, [claim(), claim()], [TEN, minute]);
    expect(places).toEqual([{ line: NOW + 5_000 }, { line: NOW + 5_000 + interval(minute) }]);
    expect(after.tat0).toBeCloseTo(NOW + 100 + 2 * STEP, 2);
    expect(after.tat1).toBeCloseTo(NOW + 5_000 + 2 * interval(minute), 2);
  });

  it('is refused where the line has run dry meanwhile, or filled', () => {
    expect(changed({ tat0: NOW - 1 }, booked({ tat0: NOW + 500 }, [claim()]).change)).toBeUndefined();
    expect(changed({ tat0: NOW + 1 }, booked({}, [claim()]).change)).toBeUndefined();
  });

  it('writes down what has come of the last ones, and takes away what is outdated', () => {
    const counts = { windows: new Map([[W, { r: 4, f: 1 }]]), row: 1, succeeded: true };
    const { after } = booked({ [`r${W}`]: 2, [`r${W - 7}`]: 5, [`t${W - 9}`]: 1, row: 8 }, [claim()], [TEN], counts);
    expect(after).toMatchObject({ [`r${W}`]: 6, [`f${W}`]: 1, row: 1 });
    expect(after).not.toHaveProperty(`r${W - 7}`);
    expect(after).not.toHaveProperty(`t${W - 9}`);
  });

  it('of a light tenant goes ahead of a heavy one, and the line pauses for it', () => {
    const line = { tat0: NOW + 60_000, heavy: 'heavy' };
    const { after, places } = booked(line, [claim({ tenant: 'heavy' }), claim({ tenant: 'light' }), claim({ tenant: 'light' })]);
    expect(places[0]).toEqual({ line: NOW + 60_000 });
    expect(places.slice(1)).toEqual([{ ahead: NOW + 220 }, { ahead: NOW + 220 + STEP }]);
    expect(after).toMatchObject({ pauses: `${NOW + 220}+${2 * STEP}`, tat0: NOW + 60_000 + STEP });
    // One after another, with as long a rest as the pause was.
    const next = booked({ ...after, pauses: `${NOW - 400}+150` }, [claim({ tenant: 'light' })]);
    expect(next.after).toMatchObject({ pauses: `${NOW + 220}+${STEP}`, base: -150 });
  });

  it('of more than a pause holds puts the rest off, not to the end of the line', () => {
    const { places } = booked({ tat0: NOW + 60_000, heavy: 'heavy', pauses: `${NOW + 220}+${16 * STEP}` }, [claim({ tenant: 'light' })]);
    expect(places).toEqual([{ ahead: Math.ceil(NOW + 220 + 32 * STEP) }]);
  });

  it('names whose calls make up a long line, and never oneself as the lighter one', () => {
    const { after, places } = booked({ tat0: NOW + 60_000 }, [claim({ tenant: 'heavy' })]);
    expect(after.heavy).toBe('heavy');
    expect(places).toEqual([{ line: NOW + 60_000 }]);
    expect(booked(after, [claim({ tenant: 'heavy' })]).places).toEqual([{ line: expect.any(Number) as number }]);
  });
});

describe('a call stands', () => {
  const caller = (over: Partial<Caller> = {}): Caller => ({ limits: [TEN], isSafe: true, uncounted: false, place: { line: NOW }, ...over });
  const none = { limits: [], place: undefined };
  const OPEN = { breaker: 'open', base: NOW, openUntil: NOW + 4_000 };
  const half = () => 0.5;

  it.each<[string, AdmissionRecord, Partial<Caller>, object]>([
    ['at its place', {}, {}, { do: 'go' }],
    ['before its place', {}, { place: { line: NOW + 70 } }, { do: 'wait', until: NOW + 70, why: 'rate' }],
    ['a little behind it', {}, { place: { line: NOW - 100 } }, { do: 'go' }],
    ['too far behind it', {}, { place: { line: NOW - 101 } }, { do: 'book', missed: true }],
    ['too far behind it, on its way', {}, { place: { line: NOW - 9_000 }, sending: 'call' }, { do: 'go' }],
    ['without a place', {}, { place: undefined }, { do: 'book', missed: false, due: NOW }],
    ['without a place, for which nothing is needed', {}, none, { do: 'go' }],
    ['before a gate, at its place', { base: NOW, resumeAt: NOW + 900 }, {}, { do: 'wait', until: NOW + 900, why: 'gate' }],
    ['before a gate, without limits', { resumeAt: NOW + 900 }, none, { do: 'wait', until: NOW + 900 + 545, why: 'gate' }],
    ['ahead of the line, before its time', {}, { place: { ahead: NOW + 5 } }, { do: 'wait', until: NOW + 5, why: 'rate' }],
    ['ahead of the line, before a gate', { resumeAt: NOW + 900 }, { place: { ahead: NOW } }, { do: 'wait', until: NOW + 900, why: 'gate' }],
    ['before an open breaker', OPEN, {}, { do: 'wait', until: NOW + 4_000, why: 'breaker' }],
    ['before an open breaker, without limits', OPEN, none, { do: 'wait', until: NOW + 5_000, why: 'breaker' }],
    ['before an open breaker, without a place: it books one', OPEN, { place: undefined }, { do: 'book' }],
    [
      'before an open breaker, a retry: neither counted nor booked',
      OPEN,
      { place: undefined, uncounted: true },
      { do: 'wait', why: 'breaker' },
    ],
    ['at the end of its time', { ...OPEN, openUntil: NOW }, {}, { do: 'probe' }],
    [
      'at the end of its time, changing something',
      { ...OPEN, openUntil: NOW },
      { isSafe: false },
      { do: 'wait', until: NOW + 750, why: 'breaker' },
    ],
    ['two seconds after it, changing something', { ...OPEN, openUntil: NOW - 2_000 }, { isSafe: false }, { do: 'probe' }],
    ['as the probe itself', { ...OPEN, probe: 'p' }, { sending: 'probe' }, { do: 'go' }],
    ['beside a probe', { ...OPEN, probe: 'p', probeAt: NOW }, {}, { do: 'wait', until: NOW + 750, why: 'breaker' }],
    [
      'at the end of its time, before a gate',
      { ...OPEN, openUntil: NOW, resumeAt: NOW + 9_000 },
      {},
      { do: 'wait', until: NOW + 9_000, why: 'breaker' },
    ],
    ['on hold', { base: 0, heldAt: NOW - 600_000 }, {}, { do: 'wait', until: NOW + 375_000, why: 'hold' }],
    ['on hold since a moment ago', { base: 0, heldAt: NOW }, none, { do: 'wait', until: NOW + 37_500, why: 'hold' }],
    ['on hold, before everything else', { ...OPEN, heldAt: NOW }, { place: undefined }, { do: 'wait', why: 'hold' }],
    [
      'as a retry with the budget used up',
      { [`t${W}`]: 100 },
      { place: undefined, uncounted: true },
      { do: 'wait', until: (W + 1) * 10_000 + 2_500, why: 'budget' },
    ],
    ['as a retry within the budget', { [`t${W}`]: 99 }, { ...none, uncounted: true }, { do: 'book' }],
  ])('%s', (_where, record, over, expected) => {
    expect(standing(record, caller(over), NOW, half)).toMatchObject(expected);
  });
});

describe('the breaker', () => {
  it.each<[string, AdmissionRecord, boolean]>([
    ['10 failures in a row', { row: 10 }, true],
    ['9 in a row', { row: 9 }, false],
    ['10 of 20', { [`r${W}`]: 12, [`r${W - 5}`]: 8, [`f${W}`]: 2, [`f${W - 5}`]: 8 }, true],
    ['9 of 20', { [`r${W}`]: 20, [`f${W}`]: 9 }, false],
    ['9 of 9', { [`r${W}`]: 9, [`f${W}`]: 9, row: 9 }, false],
    ['20 of 20 over a minute ago', { [`r${W - 6}`]: 20, [`f${W - 6}`]: 20 }, false],
    ['when it is open already', { row: 10, breaker: 'open' }, false],
  ])('opens at %s: %s', (_what, record, opens) => {
    expect(shouldOpen(record, NOW)).toBe(opens);
  });

  it('opens for 5 s, then for 10, then for 11 each time', () => {
    let record = made({}, open({}, NOW));
    let now = NOW;
    const lasted: number[] = [];
    for (let probe = 0; probe < 4; probe++) {
      lasted.push((record.openUntil as number) - now);
      now = record.openUntil as number;
      expect(mayProbe(record, true, now - 1)).toBe(false);
      expect(mayProbe(record, true, now)).toBe(true);
      record = made(record, claimProbe(record, `p${probe}`, now));
      record = made(record, probed(record, `p${probe}`, 'bad', now));
    }
    expect(lasted).toEqual([5_000, 10_000, 11_000, 11_000]);
  });

  it('is claimed by one, and by another an interval after it died', () => {
    const record = made(made({}, open({}, NOW)), claimProbe({ opens: 1 }, 'first', NOW + 5_000));
    expect(changed(record, claimProbe(record, 'second', NOW + 5_001))).toBeUndefined();
    expect(breakerAt(record, NOW + 5_001)).toBe('half-open');
    expect(made(record, claimProbe(record, 'second', NOW + 10_000))).toMatchObject({ probe: 'second' });
    expect(probed(made(record, claimProbe(record, 'second', NOW + 10_000)), 'first', 'good', NOW + 10_001)).toBeUndefined();
  });

  it('closes after three that went well, forgets what failed, and starts slowly from where it stood', () => {
    let record = made({ [`r${W}`]: 20, [`f${W}`]: 20, row: 20, tat0: NOW + 700 }, open({}, NOW));
    expect(record.base).toBe(NOW);
    const now = NOW + 6_000;
    for (const probe of ['a', 'b', 'c']) {
      expect(breakerAt(record, now)).toBe('half-open');
      record = made(record, claimProbe(record, probe, now));
      record = made(record, probed(record, probe, 'good', now));
    }
    expect(record).toEqual({ base: NOW, tat0: NOW + 700, resumeAt: now, slow: 500, pace: 50 });
  });

  it('lets another probe at once when one was not sent', () => {
    let record = made({}, open({}, NOW));
    record = made(record, claimProbe(record, 'a', NOW + 5_000));
    record = made(record, probed(record, 'a', 'not-sent', NOW + 5_010));
    expect(mayProbe(record, true, NOW + 5_010)).toBe(true);
  });
});

describe('the retry budget', () => {
  it('is a tenth of a window and ten a second', () => {
    expect([0, 9, 10, 1_000].map((sent) => retriesAllowed({ [`r${W}`]: sent }, NOW))).toEqual([100, 100, 101, 200]);
    expect(retriesLeft({ [`r${W}`]: 100, [`t${W}`]: 105, [`t${W - 1}`]: 99 }, NOW)).toBe(5);
  });

  it('is judged anew in the next window', () => {
    expect(nextWindow(NOW + 1, () => 0)).toBe((W + 1) * 10_000);
    expect(nextWindow(NOW + 1, () => 0.999)).toBeLessThan((W + 1) * 10_000 + 5_000);
  });
});

describe('the gate', () => {
  it('is raised, never lowered, by at most an hour', () => {
    const up = made({}, raiseGate({}, NOW + 20_000, NOW));
    expect(up).toMatchObject({ base: NOW, resumeAt: NOW + 20_100, slow: 1_005 });
    expect(raiseGate(up, NOW + 19_000, NOW + 500)).toBeUndefined();
    expect(made(up, raiseGate(up, NOW + 30_000, NOW + 500))).toMatchObject({ base: NOW, resumeAt: NOW + 30_100 });
    expect(made({}, raiseGate({}, NOW + 9e9, NOW))).toMatchObject({ resumeAt: NOW + 3_600_000 });
    expect(raiseGate({}, NOW - 5_000, NOW)).toBeUndefined();
  });

  it('limits who has no limit until those who waited have gone', () => {
    const up = made({}, raiseGate({}, NOW + 20_000, NOW, 40));
    expect(limitsOf([], up, NOW + 1)).toEqual([{ requests: 80, per: 1_000, burst: 1 }]);
    expect(limitsOf([TEN], up, NOW + 1)).toEqual([TEN]);
    expect(limitsOf([], { ...up, tat0: NOW + 60_000 }, NOW + 30_000)).toHaveLength(1);
    expect(limitsOf([], { ...up, tat0: NOW + 60_000 }, NOW + 45_000)).toEqual([{ requests: 1_280, per: 1_000, burst: 1 }]);
    expect(limitsOf([], up, NOW + 30_000)).toEqual([]);
    expect(limitsOf([], {}, NOW)).toEqual([]);
  });
});
