import { expect, it } from 'vitest';
import { interval } from '../../src/admission/booking.ts';
import { changed } from '../../src/admission/change.ts';
import { lineAt } from '../../src/admission/line.ts';
import { windowAt } from '../../src/admission/record.ts';
import { shown } from '../../src/admission/shown.ts';
import { hold, raiseGate, release } from '../../src/admission/stops.ts';
import type { AdmissionChange, AdmissionRecord } from '../../src/engine/admission-ports.ts';

const NOW = Date.UTC(2026, 0, 1, 12, 0, 3);
const W = windowAt(NOW);
const TEN_A_SECOND = { requests: 10, per: 1_000, burst: 1 };
const STEP = interval(TEN_A_SECOND);
const HELD = { heldAt: NOW - 5_000, heldBy: 'ada', heldWhy: 'they migrate', base: NOW - 5_000 };
const BROKEN = { breaker: 'open', openUntil: NOW + 20_000, opens: 2, base: NOW - 1_000 };
const TRIED = { ...BROKEN, openUntil: NOW, good: 1 };
const GATED = { resumeAt: NOW + 7_000, slow: 500, base: NOW - 1_000 };

const made = (record: AdmissionRecord, change: AdmissionChange | undefined): AdmissionRecord => {
  const next = change && changed(record, change);
  if (!next) throw new Error('was not made');
  return next;
};

it.each<[string, AdmissionRecord, object]>([
  ['nothing', {}, { state: 'open' }],
  ['a hold', HELD, { state: 'held', hold: { by: 'ada', why: 'they migrate', since: NOW - 5_000 } }],
  ['a gate', GATED, { state: 'gated', gate: { until: NOW + 7_000 } }],
  ['a gate that is past, in its slow start', { ...GATED, resumeAt: NOW }, { state: 'slow-start', slowStart: { until: NOW + 1_500 } }],
  ['a gate whose slow start is over', { ...GATED, resumeAt: NOW - 1_500 }, { state: 'open' }],
  ['an open breaker', BROKEN, { state: 'broken', breaker: { state: 'open', until: NOW + 20_000, opens: 2 } }],
  ['a breaker whose time is over', TRIED, { state: 'half-open', breaker: { state: 'half-open', good: 1 } }],
  ['a breaker that is being tried', { ...BROKEN, probe: 'p', good: 2 }, { state: 'half-open', breaker: { state: 'half-open', good: 2 } }],
  ['a hold of what is broken and gated', { ...HELD, ...BROKEN, ...GATED }, { state: 'held', gate: {}, breaker: { state: 'open' } }],
  ['a gate before which no probe is sent', { ...TRIED, ...GATED }, { state: 'gated', breaker: { state: 'half-open' } }],
  ['an open breaker that outlasts a gate', { ...BROKEN, ...GATED }, { state: 'broken', gate: { until: NOW + 7_000 } }],
])('%s', (_what, record, expected) => {
  expect(shown(record, [], NOW)).toMatchObject(expected);
});

it('says nothing of what is not so', () => {
  expect(Object.keys(shown({}, [], NOW))).toEqual(['state', 'breaker', 'budget', 'rate']);
  expect(shown(TRIED, [], NOW).breaker).not.toHaveProperty('until');
  expect(shown({}, [], NOW).breaker).toEqual({ state: 'closed', opens: 0, requests: 0, failures: 0 });
});

it('counts what the breaker counts over the last minute, and the retry budget over this window', () => {
  const record = {
    [`r${W}`]: 37,
    [`f${W}`]: 4,
    [`t${W}`]: 5,
    [`r${W - 5}`]: 100,
    [`f${W - 5}`]: 1,
    [`r${W - 6}`]: 1_000,
    [`t${W - 1}`]: 9,
  };
  const { breaker, budget } = shown(record, [], NOW);
  expect(breaker).toMatchObject({ requests: 137, failures: 5 });
  expect(budget).toEqual({ retries: 5, allowed: 103, windowEnds: (W + 1) * 10_000 });
});

it.each<[string, AdmissionRecord, { waiting: number; nextAt?: number }]>([
  ['never booked', {}, { waiting: 0, nextAt: NOW }],
  ['booked in the past', { tat0: NOW - 900 }, { waiting: 0, nextAt: NOW }],
  ['booked three places ahead', { tat0: NOW + 300 }, { waiting: 3, nextAt: NOW + 300 }],
  ['a part of a place ahead', { tat0: NOW + 2 * STEP + 1 }, { waiting: 3, nextAt: Math.ceil(NOW + 2 * STEP + 1) }],
  ['behind a gate', { ...GATED, tat0: GATED.base }, { waiting: 0, nextAt: NOW + 7_000 }],
  ['behind a gate, and ahead: an eighth of the pace', { ...GATED, tat0: GATED.base + 50 }, { waiting: 1, nextAt: NOW + 7_400 }],
  ['held: nobody knows when', { ...HELD, tat0: HELD.base + 200 }, { waiting: 2 }],
  ['broken: as if it closed when its time is over', { ...BROKEN, tat0: BROKEN.base }, { waiting: 0, nextAt: NOW + 20_000 }],
])('the next place of a limit that is %s', (_what, record, expected) => {
  expect(shown(record, [TEN_A_SECOND], NOW).rate).toEqual([{ ...TEN_A_SECOND, ...expected }]);
});

it('counts none of those as waiting who go at once after a quiet time', () => {
  const limit = { ...TEN_A_SECOND, burst: 4 };
  const waiting = [0, 3, 3.01, 7].map((ahead) => shown({ tat0: NOW + ahead * STEP }, [limit], NOW).rate[0]);
  expect(waiting).toEqual([0, 0, 1, 4].map((n) => expect.objectContaining({ waiting: n }) as object));
  expect(waiting[3]?.nextAt).toBe(Math.ceil(NOW + 4 * STEP));
});

it('knows each limit by its place in the code', () => {
  const [, day] = shown(
    { tat0: NOW + 1_000, tat1: NOW + 5 * 8_640 },
    [TEN_A_SECOND, { requests: 10_000, per: 86_400_000, burst: 5 }],
    NOW,
  ).rate;
  expect(day).toMatchObject({ requests: 10_000, burst: 5, waiting: 1 });
});

it('loses no place over a gate, a hold and a release', () => {
  const booked: AdmissionRecord = { tat0: NOW + 500 };
  const gated = made(booked, raiseGate(booked, NOW + 10_000, NOW));
  const held = made(gated, hold(gated, { by: 'ada', why: 'x' }, NOW + 1_000));
  const going = made(held, release(held, NOW + 60_000));
  for (const [record, now] of [
    [gated, NOW + 1_000],
    [held, NOW + 30_000],
    [going, NOW + 60_000],
  ] as const) {
    expect(shown(record, [TEN_A_SECOND], now).rate[0]?.waiting).toBe(5);
    expect(lineAt(record, now)).toBe(NOW);
  }
  expect(shown(going, [], NOW + 60_000).state).toBe('slow-start');
});

it('shows the pace of a connection without limits for as long as it makes up for a stop', () => {
  const gated = made({}, raiseGate({}, NOW + 20_000, NOW, 40));
  const [pace] = shown({ ...gated, tat0: Number(gated.base) + 5_000 }, [], NOW).rate;
  expect(pace).toMatchObject({ requests: 80, per: 1_000, waiting: Math.ceil(5_000 / interval({ requests: 80, per: 1_000, burst: 1 })) });
  expect(shown(gated, [], NOW + 60_000).rate).toEqual([]);
});
