/** A call that is tried a hundred times must not make its run's journal a hundred times as long. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { entryView } from '../../src/api/journal-view.ts';
import { attemptLog, attemptsIn } from '../../src/engine/attempt-log.ts';
import { readHistory } from '../../src/engine/history.ts';
import { type Entry, encodeEntries } from '../../src/engine/journal.ts';
import type { Json } from '../../src/engine/json.ts';
import type { Verdict } from '../../src/engine/operation.ts';
import { MINUTE } from '../support/engine/rig.ts';
import { rigOf } from '../support/engine/scenario.ts';

const throttled = (n: number): Json => ({ n, row: 'throttle', status: 429, headers: { 'x-request-id': `r${n}` }, ms: { total: n } });
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe('the records of attempts', () => {
  test('are all kept while they are a dozen', () => {
    const log = attemptLog();
    for (const n of range(1, 12)) log.add(throttled(n), n);
    expect(log.take()).toEqual(range(1, 12).map(throttled));
    expect(log.take()).toEqual([]);
  });

  test('of many are the first, ten more, counts of those between, and the last', () => {
    const log = attemptLog();
    for (const n of range(1, 50)) log.add(n % 10 === 0 ? { row: '500' } : throttled(n), n * 1_000);
    expect(log.take()).toEqual([
      ...range(1, 11).map((n) => (n === 10 ? { row: '500' } : throttled(n))),
      { rolledUp: 38, rows: { throttle: 35, '500': 3 }, from: 12_000, to: 49_000 },
      { row: '500' },
    ]);
  });

  test('go on where the journal stopped', () => {
    const log = attemptLog(11);
    log.add(throttled(12), 5);
    expect(log.take(true)).toEqual([{ rolledUp: 1, rows: { throttle: 1 }, from: 5, to: 5 }]);
    log.add({ outcome: 'threw' }, 6);
    log.add('of a kind of its own', 7);
    log.add(throttled(15), 8);
    expect(log.take()).toEqual([{ rolledUp: 2, rows: { threw: 1, attempt: 1 }, from: 6, to: 7 }, throttled(15)]);
  });

  test('are all counted, and never more than 13, however they are taken', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ attempts: fc.nat({ max: 30 }), goesOn: fc.boolean() }), { maxLength: 20 }), (entries) => {
        const all: Json[] = [];
        let made = 0;
        for (const { attempts, goesOn } of entries) {
          const log = attemptLog(attemptsIn(all));
          for (let i = 0; i < attempts; i++) log.add(throttled(++made), made);
          const taken = log.take(goesOn);
          expect(taken.length).toBeLessThanOrEqual(13);
          all.push(...taken);
          expect(attemptsIn(all)).toBe(made);
        }
        expect(all.filter((record) => JSON.stringify(record).includes('"n"')).length).toBeLessThanOrEqual(11 + entries.length);
      }),
    );
  });
});

/** Throttled `times` times, each for `wait` ms, and then done. */
function patient(times: number, wait: number) {
  return rigOf(async (r) =>
    r.call('get', 'safe', {
      answer: (env, nth): Verdict =>
        nth > times
          ? { type: 'done', value: '"at last"', record: { n: nth, row: '2xx' } }
          : {
              type: 'again',
              at: env.clock.now() + wait,
              counts: 'throttle',
              error: { code: 'E_CALL_FAILED', message: '429' },
              record: throttled(nth),
            },
    }),
  );
}

describe.each([
  ['within one delivery', 100],
  ['over a hundred of them', 2 * MINUTE],
])('a hundred throttles, %s,', (_how, wait) => {
  test('are told by the first, ten more, the last and counts', async () => {
    const rig = patient(100, wait);
    await rig.runToEnd('w');
    expect(rig.value('w')).toBe('at last');
    const told = rig.journal('w').flatMap((entry) => ('attempts' in entry ? (entry.attempts ?? []) : []));
    expect(attemptsIn(told)).toBe(101);
    expect(told.slice(0, 11)).toEqual(range(1, 11).map(throttled));
    expect(told.at(-1)).toEqual({ n: 101, row: '2xx' });
    expect(told.slice(11, -1).every((record) => typeof (record as { rolledUp?: number }).rolledUp === 'number')).toBe(true);
    expect(rig.sends('get')).toBe(101);
  });

  test('are so in the API as well', async () => {
    const rig = patient(100, wait);
    await rig.runToEnd('w');
    const items = rig.journal('w').map((entry, seq) => entryView(entry, seq));
    expect(attemptsIn(items.flatMap(({ attempts = [] }) => attempts as Json[]))).toBe(101);
  });
});

test('what is rolled up makes the journal of a patient call much shorter', async () => {
  const size = async (wait: number) => {
    const rig = patient(100, wait);
    await rig.runToEnd('w');
    return encodeEntries(rig.journal('w')).length;
  };
  const whole = encodeEntries([{ k: 'settled', op: 'a', at: 0, label: 'l', attempts: range(1, 101).map(throttled) }]).length;
  expect(await size(100)).toBeLessThan(whole / 2);
});

test('a redrive tells of its attempts in full again', () => {
  const retry: Entry = {
    k: 'retry',
    op: 'a',
    at: 1,
    label: 'l',
    next: 2,
    issuedAt: 0,
    attempt: 1,
    throttles: 3,
    attempts: range(1, 3).map(throttled),
  };
  expect(readHistory([retry], []).progress.get('a')?.told).toBe(3);
  const redrive: Entry = { k: 'redrive', at: 3, incarnation: 1, cut: 1, again: ['a'] };
  expect(readHistory([retry, redrive], []).progress.get('a')?.told).toBe(0);
});
