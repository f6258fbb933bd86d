/** How runs become items, and what their keys promise. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  deadBuckets,
  dueShard,
  hourBuckets,
  hourOf,
  idOf,
  inboxKey,
  recentOrder,
  runBucket,
  runKey,
  segmentKey,
} from '../../src/aws/item-keys.ts';
import { RUN_ATTRIBUTES, runFromItem, runItem, segmentsExpireAt } from '../../src/aws/run-item.ts';
import { RECENT_ATTRIBUTES, RUNS_TABLE_SCHEMA } from '../../src/aws/table-schema.ts';
import type { RunRecord, RunStatus } from '../../src/engine/ports.ts';
import { fullRun, NOW, run } from '../support/contracts/records.ts';

const time = fc.integer({ min: 0, max: NOW * 2 });
const optional = <T>(name: string, of: fc.Arbitrary<T>) =>
  fc.option(of, { nil: undefined }).map((value) => (value === undefined ? {} : { [name]: value }));
const payload = fc.oneof(
  fc.json().map((text) => ({ text })),
  fc.record({ ref: fc.string({ minLength: 1 }), bytes: fc.nat() }),
);
const error = fc.record({ code: fc.constant('E_CALL_FAILED'), message: fc.string(), detail: fc.constant({ pointer: '/a' }) });
const record: fc.Arbitrary<RunRecord> = fc
  .tuple(
    fc.record({
      status: fc.constantFrom<RunStatus>('queued', 'running', 'waiting', 'paused', 'succeeded', 'failed', 'cancelled'),
      tenant: fc.string(),
      key: fc.string(),
      inbox: fc.nat(),
      crashes: fc.nat(),
      incarnation: fc.nat(),
      journalLength: fc.nat(),
      spilled: fc.boolean(),
      createdAt: time,
      input: payload,
    }),
    optional('startedAt', time),
    optional('endedAt', time),
    optional('deletedAt', time),
    optional('wakeAt', time),
    optional('due', time),
    optional('idleWakes', fc.nat()),
    optional('inboxSeen', fc.nat()),
    optional('lease', fc.record({ owner: fc.string(), until: time })),
    optional('journal', fc.uint8Array()),
    optional('reason', error),
    optional('traceparent', fc.string()),
    optional(
      'outcome',
      fc.oneof(
        payload.map((value) => ({ value })),
        error.map((thrown) => ({ error: thrown })),
      ),
    ),
  )
  .map((parts) => {
    const { due: _, ...base } = run('run_1');
    return Object.assign(base, ...parts) as RunRecord;
  });

describe('the run item', () => {
  test('holds everything a run is', () => {
    fc.assert(
      fc.property(record, (original) => {
        expect(runFromItem(runItem(original, 30))).toEqual(original);
      }),
    );
  });

  test('uses no attribute that an update would forget', () => {
    const used = new Set([
      ...Object.keys(runItem(fullRun('run_1'), 30)),
      'expiresAt',
      'endedAt',
      'deletedAt',
      'value',
      'valueRef',
      'valueBytes',
      'error',
      'input',
    ]);
    const known = new Set<string>(['pk', 'sk', 'inbox', ...RUN_ATTRIBUTES]);
    fc.assert(fc.property(record, (original) => Object.keys(runItem(original, 30)).every((name) => known.has(name))));
    expect(used).toEqual(known);
  });

  test('expires only when the run has ended, a week after its segments', () => {
    expect(runItem(run('run_1'), 30).expiresAt).toBeUndefined();
    for (const status of ['succeeded', 'failed', 'cancelled'] as const) {
      const expiresAt = Number(runItem(run('run_1', { status, endedAt: NOW }), 30).expiresAt?.N);
      expect(expiresAt).toBe(NOW / 1_000 + 37 * 86_400);
      expect(expiresAt - segmentsExpireAt(NOW, 30)).toBe(7 * 86_400);
    }
  });

  test('is in the due index exactly while it has a due', () => {
    const { due: _, ...ended } = run('run_1', { status: 'succeeded', endedAt: NOW });
    expect(runItem(run('run_1'), 30)).toMatchObject({ dueShard: { S: dueShard('run_1') }, due: { N: String(NOW + 900_000) } });
    expect(Object.keys(runItem(ended, 30)).filter((name) => name.startsWith('due'))).toEqual([]);
  });

  test('a list shows attributes that a run has', () => {
    for (const name of RECENT_ATTRIBUTES) expect(RUN_ATTRIBUTES).toContain(name);
    const keys = RUNS_TABLE_SCHEMA.GlobalSecondaryIndexes.flatMap(({ KeySchema }) => KeySchema.map(({ AttributeName }) => AttributeName));
    for (const name of keys) expect(RUN_ATTRIBUTES).toContain(name);
  });
});

describe('the keys', () => {
  test('are these, for ever: runs that are stored would be lost under others', () => {
    expect(runKey('run_1')).toEqual({ pk: { S: 'RUN#run_1' }, sk: { S: 'RUN' } });
    expect(segmentKey('run_1', 2, 34)).toEqual({ pk: { S: 'RUN#run_1' }, sk: { S: 'J#00002#000000034' } });
    expect(inboxKey('run_1', 'signal:go')).toEqual({ pk: { S: 'RUN#run_1' }, sk: { S: 'S#AkMa4lPGLqoDInBNVF8ciu' } });
    expect(recentOrder(NOW, 'run_1')).toBe('001768048200000#run_1');
    expect([dueShard('run_1'), runBucket('run_1', NOW)]).toEqual(['due#10', '2#2026-01-10T12']);
  });

  test('name their run', () => {
    expect(idOf(runKey('run_a#b'))).toBe('run_a#b');
  });

  test('the buckets of an hour hold every run of that hour and of no other', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), time, (id, at) => {
        expect(hourBuckets(hourOf(at))).toContain(runBucket(id, at));
        expect(hourBuckets(hourOf(at) + 3_600_000)).not.toContain(runBucket(id, at));
        expect(deadBuckets()).not.toContain(runBucket(id, at));
      }),
    );
  });

  test('spread runs over all sixteen shards', () => {
    const counts = new Map<string, number>();
    for (let index = 0; index < 1_600; index++) {
      const shard = dueShard(`run_${(index * 2_654_435_761).toString(16)}`);
      counts.set(shard, (counts.get(shard) ?? 0) + 1);
    }
    expect(counts.size).toBe(16);
    expect(Math.max(...counts.values())).toBeLessThan(200);
  });
});
