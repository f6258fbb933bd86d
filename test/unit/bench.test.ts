/** What the bench says of its figures: prices, rows, options. The measuring itself is `npm run bench`. */
import { describe, expect, test } from 'vitest';
import { rowOf } from '../../bench/support/benchmark.ts';
import { dollarsPerMillion, type Item, type Table, writeUnits } from '../../bench/support/capacity.ts';
import { readOptions } from '../../bench/support/options.ts';
import { table } from '../../bench/support/report.ts';
import { RUNS_TABLE } from '../../bench/support/runs-table.ts';
import { median, percentile } from '../../bench/support/stats.ts';

const TABLE: Table = {
  keys: ['pk', 'sk'],
  indexes: [
    { partition: 'dueShard', sort: 'due', projects: 'keys' },
    { partition: 'bucket', sort: 'order', projects: ['status'] },
  ],
};
const item = (more: Item = {}): Item => ({
  pk: { S: 'RUN#1' },
  sk: { S: 'RUN' },
  bucket: { S: 'b' },
  order: { S: '1' },
  status: { S: 'queued' },
  ...more,
});
const due = (at: number): Item => ({ dueShard: { S: 'due#1' }, due: { N: String(at) } });

describe('the units of a write', () => {
  test('of a new item are its KB, and one for each index that it is in', () => {
    expect(writeUnits(TABLE, undefined, item())).toEqual({ table: 1, indexes: 1 });
    expect(writeUnits(TABLE, undefined, item(due(5)))).toEqual({ table: 1, indexes: 2 });
    expect(writeUnits(TABLE, undefined, item({ journal: { B: Buffer.alloc(3_500).toString('base64') } }))).toEqual({
      table: 4,
      indexes: 1,
    });
  });

  test('of a changed item are those of the larger, and nothing for an index that sees no change', () => {
    const large = item({ journal: { B: Buffer.alloc(3_500).toString('base64') } });
    expect(writeUnits(TABLE, large, item())).toEqual({ table: 4, indexes: 0 });
  });

  test('count a projected change once, a changed key twice, an entry that goes once', () => {
    expect(writeUnits(TABLE, item(), item({ status: { S: 'running' } }))).toEqual({ table: 1, indexes: 1 });
    expect(writeUnits(TABLE, item(due(5)), item(due(6)))).toEqual({ table: 1, indexes: 2 });
    expect(writeUnits(TABLE, item(due(5)), item())).toEqual({ table: 1, indexes: 1 });
  });

  test('of a write whose condition failed are those of what is there', () => {
    expect(writeUnits(TABLE, item({ journal: { B: Buffer.alloc(3_500).toString('base64') } }), undefined)).toEqual({
      table: 4,
      indexes: 0,
    });
    expect(writeUnits(TABLE, undefined, undefined)).toEqual({ table: 1, indexes: 0 });
  });

  test('are priced per million, reads too', () => {
    expect(dollarsPerMillion({ table: 2, indexes: 1, reads: 1 })).toBeCloseTo(2);
  });

  test('know the indexes of the runs table', () => {
    expect(RUNS_TABLE.indexes.map(({ partition, sort }) => [partition, sort])).toEqual([
      ['dueShard', 'due'],
      ['recentBucket', 'recentOrder'],
    ]);
  });
});

describe('a figure', () => {
  const figure = { name: 'x', unit: 'ms', target: 10 } as const;

  test('is met on its good side, the target included', () => {
    expect(rowOf(1, { ...figure, value: 10, better: 'lower' }).met).toBe(true);
    expect(rowOf(1, { ...figure, value: 10.1, better: 'lower' }).met).toBe(false);
    expect(rowOf(1, { ...figure, value: 10, better: 'higher' }).met).toBe(true);
    expect(rowOf(1, { ...figure, value: 9.9, better: 'higher' }).met).toBe(false);
  });

  test('is written with the fields that machines read, and no others', () => {
    expect(rowOf(2, { ...figure, value: 1.23456, better: 'lower' })).toEqual({
      id: 2,
      name: 'x',
      value: 1.235,
      unit: 'ms',
      target: 10,
      met: true,
    });
  });

  test('stands in the table with its target', () => {
    const lines = [{ ...rowOf(2, { ...figure, value: 12, better: 'lower' }), better: 'lower' as const }];
    expect(table(lines).split('\n').at(-1)?.split(/ {2,}/)).toEqual(['', '2', 'x', '12 ms', '≤ 10 ms', 'missed']);
  });
});

test('percentiles lie between what was measured', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(percentile([1, 2, 3, 4, 5], 99)).toBeCloseTo(4.96);
  expect(() => median([])).toThrow('no values');
});

describe('the command line', () => {
  test('names targets, a file, and how to run', () => {
    expect(readOptions(['--only', '2, 5', '--json', 'out.json', '--quick', '--check'], [2, 3, 5])).toEqual({
      only: [2, 5],
      json: 'out.json',
      quick: true,
      check: true,
      help: false,
    });
    expect(readOptions([], [2])).toEqual({ only: undefined, json: undefined, quick: false, check: false, help: false });
  });

  test.each([[['--only', '2,7']], [['--only', 'two']], [['--only', '']], [['--json', '']], [['--fast']]])(
    'refuses %j, naming the option',
    (args) => {
      expect(() => readOptions(args, [2, 3])).toThrow(/--only|--json|--fast/);
    },
  );
});
