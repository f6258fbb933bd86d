/** The sweeper over the ports in memory. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DUE_MARGIN_MS } from '../../src/engine/lineage.ts';
import type { RunRecord } from '../../src/engine/ports.ts';
import { LOOK_AHEAD_MS, nextStep, sweep } from '../../src/engine/sweep.ts';
import { parkedDue } from '../../src/engine/wakes.ts';
import { memoryRunStore, memoryWakeQueue, virtualClock } from '../../src/testing/index.ts';
import { NOW, run } from '../support/contracts/records.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function world(faults: Parameters<typeof memoryRunStore>[0] = {}) {
  const clock = virtualClock(NOW);
  const store = memoryRunStore(faults);
  const wakes = memoryWakeQueue({ clock });
  return { clock, store, wakes, sweep: (options?: Parameters<typeof sweep>[1]) => sweep({ store, wakes, clock }, options) };
}

const parked = (wakeAt: number, fields: Partial<RunRecord> = {}) => ({
  status: 'waiting' as const,
  wakeAt,
  due: wakeAt + DUE_MARGIN_MS,
  inboxSeen: 0,
  ...fields,
});

describe('one step', () => {
  const table: Array<[string, Partial<RunRecord>, { delayMs: number } | undefined, number | undefined]> = [
    ['parked, its time in ten minutes: a delayed wake', parked(NOW + 10 * MINUTE), { delayMs: 10 * MINUTE }, NOW + 12 * MINUTE],
    ['parked, its message sent by an earlier sweep: nothing', parked(NOW + 10 * MINUTE, { due: NOW + 12 * MINUTE }), undefined, undefined],
    ['parked, its message sent by its worker: nothing', parked(NOW + MINUTE, { due: parkedDue(NOW + MINUTE, NOW) }), undefined, undefined],
    ['parked, its time just passed: a wake now', parked(NOW - 10_000), { delayMs: 0 }, NOW + 2 * DUE_MARGIN_MS],
    ['parked, two minutes late: a wake now, and again in two', parked(NOW - 2 * MINUTE), { delayMs: 0 }, NOW + 2 * MINUTE],
    ['parked, half an hour late: again in half an hour', parked(NOW - 30 * MINUTE), { delayMs: 0 }, NOW + 30 * MINUTE],
    ['parked, a day late: again in an hour', parked(NOW - 24 * HOUR), { delayMs: 0 }, NOW + HOUR],
    ['parked for tomorrow, something in the inbox', parked(NOW + 24 * HOUR, { inbox: 1, due: NOW }), { delayMs: 0 }, NOW + MINUTE],
    ['parked for tomorrow and nudged', parked(NOW + 24 * HOUR, { due: NOW }), { delayMs: 0 }, NOW + 24 * HOUR + DUE_MARGIN_MS],
    ['queued for 15 minutes: a wake', { status: 'queued', createdAt: NOW - 15 * MINUTE, due: NOW }, { delayMs: 0 }, NOW + 15 * MINUTE],
    ['queued a minute ago: nothing', { status: 'queued', createdAt: NOW - MINUTE, due: NOW + 14 * MINUTE }, undefined, undefined],
    [
      'running under a live lease: nothing',
      { status: 'running', lease: { owner: 'w', until: NOW + MINUTE }, due: NOW + 2 * MINUTE },
      undefined,
      undefined,
    ],
    [
      'running, its lease lapsed a minute ago: a wake',
      { status: 'running', lease: { owner: 'w', until: NOW - MINUTE }, due: NOW },
      { delayMs: 0 },
      NOW + MINUTE,
    ],
    [
      'running under a live lease but nudged: never looked at later than the lapse of that lease',
      { status: 'running', lease: { owner: 'w', until: NOW + 2 * MINUTE }, due: NOW },
      { delayMs: 0 },
      NOW + 3 * MINUTE,
    ],
    [
      'paused, its daily look: a wake, and tomorrow',
      { status: 'paused', inbox: 2, inboxSeen: 2, due: NOW },
      { delayMs: 0 },
      NOW + 24 * HOUR,
    ],
    [
      'paused, a verdict in the inbox: a wake, and in a minute',
      { status: 'paused', inbox: 3, inboxSeen: 2, due: NOW },
      { delayMs: 0 },
      NOW + MINUTE,
    ],
    ['waiting for a signal without a time', { status: 'waiting', inboxSeen: 0, due: NOW }, { delayMs: 0 }, NOW + 24 * HOUR],
    ['finished: nothing', { status: 'succeeded', endedAt: NOW, due: NOW }, undefined, undefined],
  ];
  test.each(table)('%s', (_name, fields, wake, due) => {
    const step = nextStep(run('run_1', fields), NOW);
    expect(step.wake).toEqual(wake);
    expect(step.due).toBe(due);
  });

  test('a wake is never delayed beyond what a queue can, and due never moves into the past', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('queued' as const, 'running' as const, 'waiting' as const, 'paused' as const),
        fc.integer({ min: -HOUR, max: LOOK_AHEAD_MS }),
        fc.option(fc.integer({ min: -48 * HOUR, max: 48 * HOUR }), { nil: undefined }),
        fc.nat({ max: 2 }),
        (status, due, wakeAt, inbox) => {
          const step = nextStep(
            run('run_1', { status, due: NOW + due, inbox, ...(wakeAt === undefined ? {} : { wakeAt: NOW + wakeAt }) }),
            NOW,
          );
          if (step.wake) {
            expect(step.wake.delayMs).toBeGreaterThanOrEqual(0);
            expect(step.wake.delayMs).toBeLessThanOrEqual(900_000);
            expect(step.due).toBeGreaterThan(NOW);
          }
        },
      ),
    );
  });
});

describe('a sweep', () => {
  test('ends every wait within a second of its time, whatever its length, and wakes once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 3 * HOUR }), { minLength: 1, maxLength: 20 }), async (waits) => {
        const { clock, store, wakes, sweep } = world();
        const begun = clock.now();
        for (const [index, wait] of waits.entries()) {
          // The worker sends the message itself for what is due within fifteen minutes.
          const wakeAt = begun + LOOK_AHEAD_MS + wait;
          await store.create(run(`run_${index}`, parked(wakeAt)));
        }
        const woken = new Map<string, number[]>();
        while (clock.now() < begun + 4 * HOUR) {
          await sweep();
          for (let second = 0; second < 60; second++) {
            for (const { run: id } of wakes.take()) {
              woken.set(id, [...(woken.get(id) ?? []), clock.now()]);
              const there = store.peek(id) as RunRecord;
              const { due: _, ...ended } = { ...there, nonce: 'ended', status: 'succeeded' as const, endedAt: clock.now() };
              await store.replace(ended, there.nonce);
            }
            clock.advance(1_000);
          }
        }
        for (const [index, wait] of waits.entries()) {
          const late = (woken.get(`run_${index}`) ?? []).map((at) => at - (begun + LOOK_AHEAD_MS + wait));
          expect(late).toHaveLength(1);
          expect(late[0]).toBeGreaterThanOrEqual(0);
          expect(late[0]).toBeLessThan(2_000);
        }
      }),
      { numRuns: 15 },
    );
  }, 60_000);

  test('wakes what nobody takes up again and again, but ever more seldom', async () => {
    const { clock, store, wakes, sweep } = world();
    await store.create(run('run_1', parked(NOW - MINUTE, { due: NOW })));
    for (let minute = 0; minute < 8 * 60; minute++) {
      await sweep();
      clock.advance(MINUTE);
    }
    expect(wakes.sent.map(({ visibleAt }) => (visibleAt - NOW) / MINUTE)).toEqual([0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303, 363, 423]);
  });

  test('wakes for the tenant and with the trace of the run', async () => {
    const { store, wakes, sweep } = world();
    await store.create(run('run_1', { due: NOW, tenant: 'globex', traceparent: '00-a-b-01' }));
    expect(await sweep()).toEqual({ looked: 1, woken: 1, left: false });
    expect(wakes.sent).toMatchObject([{ run: 'run_1', tenant: 'globex', traceparent: '00-a-b-01', delayMs: 0 }]);
  });

  test('trusts the item, not the index', async () => {
    const { store, wakes, sweep } = world();
    await store.create(run('run_1', { nonce: 'a', due: NOW }));
    const stale = await store.due(NOW + 1, 10);
    const { due: _, ...ended } = run('run_1', { nonce: 'b', status: 'succeeded', endedAt: NOW });
    await store.replace(ended, 'a');
    store.due = async () => [...stale, { id: 'run_gone', due: NOW }];
    expect(await sweep()).toMatchObject({ woken: 0 });
    expect(wakes.sent).toEqual([]);
    expect(store.counts.pushDue).toBe(0);
  });

  test('leaves a due alone that was moved while it looked', async () => {
    const { clock, store, sweep } = world({
      before: async (op, id) => {
        if (op === 'pushDue') await store.deliver(id, { key: 'k', at: NOW, kind: 'signal', data: null }, clock.now() - 1);
      },
    });
    await store.create(run('run_1', { due: NOW }));
    await sweep();
    expect(store.peek('run_1')).toMatchObject({ due: NOW - 1, inbox: 1 });
  });

  test('that dies between waking and pushing wakes again', async () => {
    const { store, wakes, sweep } = world({
      before: (op) => {
        if (op === 'pushDue' && store.counts.pushDue === 0 && wakes.sent.length === 1) throw new Error('the process died');
      },
    });
    await store.create(run('run_1', { due: NOW }));
    await expect(sweep()).rejects.toThrow('the process died');
    await sweep();
    expect(wakes.sent).toHaveLength(2);
    expect(store.peek('run_1')).toMatchObject({ due: expect.any(Number) });
  });

  test('that has no time left says so and leaves the rest for the next', async () => {
    const { clock, store, wakes, sweep } = world({
      after: (op) => {
        if (op === 'load') clock.advance(1_000);
      },
    });
    for (let index = 0; index < 250; index++) await store.create(run(`run_${index}`, { due: NOW }));
    expect(await sweep({ until: NOW + 1_500 })).toEqual({ looked: 200, woken: 200, left: true });
    expect(await sweep()).toMatchObject({ woken: 50, left: false });
    expect(new Set(wakes.sent.map(({ run: id }) => id)).size).toBe(250);
  });
});
