import { describe, expect, test } from 'vitest';
import { sweep } from '../../src/engine/sweep.ts';
import { sleep } from '../../src/engine/verbs.ts';
import { again, done, HOUR, MINUTE, NEVER, type Rig } from '../support/engine/rig.ts';
import { rigOf } from '../support/engine/scenario.ts';

/** How long an invocation took, in virtual time. */
async function duration(rig: Rig, act: () => Promise<unknown>): Promise<number> {
  const began = rig.clock.now();
  await act();
  return rig.clock.now() - began;
}

describe('a run is put down', () => {
  test('when nothing is in flight, after a grace of 25 ms', async () => {
    const rig = rigOf(async (r) => {
      await r.call('read', 'safe', { ms: 100 });
      await sleep('1h');
    });
    expect(await duration(rig, () => rig.invoke([rig.message('w')]))).toBe(125);
    expect(rig.record('w')).toMatchObject({ status: 'waiting', wakeAt: rig.clock.now() + HOUR - 25, idleWakes: 0 });
  });

  test('with one wake, which no sweep doubles: two workers at once would make the same call', async () => {
    const rig = rigOf(async (r) => {
      await sleep('30s');
      await r.call('read');
    });
    await rig.invoke([rig.message('w')]);
    await sweep({ store: rig.store, wakes: rig.wake, clock: rig.clock });
    expect(rig.wake.sent).toHaveLength(1);
    rig.clock.advance(30_000);
    await sweep({ store: rig.store, wakes: rig.wake, clock: rig.clock });
    expect(rig.wake.sent).toHaveLength(1);
  });

  test('and woken by the sweeper a minute late, if its wake was lost and its message with it', async () => {
    const rig = rigOf(() => sleep('30s'));
    rig.faults.before = (op) => {
      if (op === 'wake') throw new Error('the queue is away');
    };
    await rig.invoke([rig.message('w')]).catch(() => {});
    delete rig.faults.before;
    rig.clock.advance(30_000 + 61_000);
    await sweep({ store: rig.store, wakes: rig.wake, clock: rig.clock });
    expect(rig.wake.sent).toMatchObject([{ run: rig.record('w').id, delayMs: 0 }]);
  });

  test('not while a read, an effect or a flush is under way', async () => {
    for (const effect of ['safe', 'keyed', 'unsafe'] as const) {
      const rig = rigOf(async (r) => Promise.all([sleep('1h'), r.call('slow', effect, { ms: 4_000 })]));
      expect(await duration(rig, () => rig.invoke([rig.message('w')]))).toBeGreaterThanOrEqual(4_000);
    }
    const rig = rigOf(async (r) => Promise.all([sleep('1h'), r.call('post', 'unsafe')]));
    rig.faults.before = (op) => (op === 'replace' ? rig.delay(3_000) : undefined);
    await rig.invoke([rig.message('w')]);
    expect(rig.journal('w').filter((entry) => entry.k === 'done')).toHaveLength(1);
    expect(rig.written()).toEqual(['create', 'flush', 'park']);
  });

  test('not within the grace that un-journaled work needs', async () => {
    const rig = rigOf(async (r) =>
      Promise.all([
        sleep('1h'),
        (async () => {
          await r.call('first');
          await r.delay(20);
          await r.call('second');
        })(),
      ]),
    );
    await rig.invoke([rig.message('w')]);
    expect(rig.sends('second')).toBe(1);
  });

  test('within a grace that begins anew with each operation', async () => {
    const rig = rigOf(async (r) =>
      Promise.all([
        sleep('1h'),
        (async () => {
          await r.call('first');
          await r.delay(20);
          await r.call('second', 'safe', { ms: 3 });
          await r.delay(20);
          await r.call('third');
        })(),
      ]),
    );
    await rig.invoke([rig.message('w')]);
    expect(rig.sends('third')).toBe(1);
  });

  test('not when a wait ends within the grace', async () => {
    const rig = rigOf(async (r) =>
      Promise.all([
        sleep('1h'),
        r.call('flaky', 'safe', { ms: 10, answer: (env, nth) => (nth === 1 ? again(env.clock.now() + 2_010) : done(nth)) }),
        r.call('slow', 'safe', { ms: 2_000 }),
      ]),
    );
    await rig.invoke([rig.message('w')]);
    expect(rig.journal('w').flatMap((entry) => (entry.k === 'done' ? [entry.label] : []))).toEqual(['safe slow', 'safe flaky']);
  });

  test('with twice the grace for each wake that made no progress, up to ten seconds', async () => {
    const rig = rigOf(async () => sleep('100h'));
    await rig.invoke([rig.message('w')]);
    const graces: number[] = [];
    for (let i = 0; i < 12; i++) graces.push(await duration(rig, () => rig.resume('w')));
    expect(graces).toEqual([25, 50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000]);
    expect(rig.record('w').idleWakes).toBe(12);
  });

  test('and un-journaled work that takes longer gets there in the end, and the grace is short again', async () => {
    const rig = rigOf(async (r) => {
      const wait = sleep('1h');
      await r.call('first');
      await r.delay(300);
      await r.call('second');
      await wait;
    });
    await rig.invoke([rig.message('w')]);
    let wakes = 0;
    for (; rig.sends('second') === 0; wakes++) {
      await rig.resume('w');
      expect(wakes).toBeLessThan(6);
    }
    expect(rig.record('w').idleWakes).toBe(0);
    expect(rig.sends('first')).toBe(1);
  });

  test('not for a wait of two seconds, but for a longer one', async () => {
    const rig = rigOf(async (_r, ms) => sleep(ms as number));
    await rig.invoke([rig.message('w', 2_000, 'short')]);
    expect(rig.record('w', 'short').status).toBe('succeeded');
    expect(rig.wake.sent).toHaveLength(0);
    await rig.invoke([rig.message('w', 2_001, 'long')]);
    expect(rig.record('w', 'long').status).toBe('waiting');
  });

  test('for a short wait, too, that does not fit into the invocation any more', async () => {
    const rig = rigOf(async (r) =>
      r.call('post', 'keyed', { timeout: 1_000, answer: (env, nth) => (nth === 1 ? again(env.clock.now() + 1_500) : done(nth)) }),
    );
    await rig.invoke([rig.message('w')], { ms: 4_000 });
    expect(rig.record('w')).toMatchObject({ status: 'waiting' });
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toBe(2);
  });

  test('until the first of its waits is over', async () => {
    const rig = rigOf(async () => Promise.race([sleep('2h'), sleep('1h'), sleep('3h')]));
    const began = rig.clock.now();
    await rig.invoke([rig.message('w')]);
    expect(rig.record('w').wakeAt).toBe(began + HOUR);
    await rig.wakeToEnd('w');
    expect(rig.clock.now() - began).toBe(HOUR);
  });

  test('for its waits first, and for a person only when nothing else is left', async () => {
    const rig = rigOf(async (r) =>
      Promise.all([
        r.call('post', 'keyed', { answer: () => ({ type: 'pause', error: { code: 'E_SECRET_MISSING', message: 'no token' } }) }),
        sleep('1h'),
      ]),
    );
    await rig.invoke([rig.message('w')]);
    expect(rig.record('w').status).toBe('waiting');
    expect(rig.record('w').reason).toBeUndefined();
    const record = await rig.wakeToEnd('w');
    expect(record).toMatchObject({ status: 'paused', reason: { code: 'E_SECRET_MISSING', message: 'no token' } });
    expect(record.wakeAt).toBeUndefined();
  });

  test('forty times, and goes on each time where it was', async () => {
    const rig = rigOf(async (r) => {
      for (let i = 0; i < 40; i++) {
        await sleep('1h');
        await r.call(`read ${i}`);
      }
    });
    await rig.runToEnd('w');
    expect(rig.record('w').status).toBe('succeeded');
    expect(rig.sent).toHaveLength(40);
    expect(rig.clock.now() - rig.record('w').createdAt).toBeLessThan(40 * HOUR + MINUTE);
  });
});

describe('the message of a run that is put down', () => {
  test('is deleted after the park is durable and the wake is sent, in that order', async () => {
    const order: string[] = [];
    const rig = rigOf(async () => sleep('10m'));
    rig.faults.after = (op) => void (['create', 'wake'].includes(op) && order.push(op));
    const { done: deleted } = await rig.invoke([rig.message('w')]);
    expect(order).toEqual(['create', 'wake']);
    expect(deleted).toHaveLength(1);
    expect(rig.wake.sent).toMatchObject([{ run: rig.idOf('w'), tenant: 'default', delayMs: 600_000 }]);
  });

  test('stays when the park is not durable, or the wake not sent', async () => {
    for (const broken of ['create', 'wake']) {
      const rig = rigOf(async () => sleep('10m'));
      rig.faults.before = (op) => {
        if (op === broken) throw new Error('down');
      };
      const { kept, done: deleted } = await rig.invoke([rig.message('w')]);
      expect([kept?.length, deleted.length]).toEqual([1, 0]);
    }
  });

  test('is followed by no wake when that is further away than a queue delays', async () => {
    const rig = rigOf(async () => sleep('15m'));
    await rig.invoke([rig.message('w')]);
    expect(rig.wake.sent).toHaveLength(1); // 25 ms have passed: within 900 s
    const longer = rigOf(async () => sleep('16m'));
    expect((await longer.invoke([longer.message('w')])).kept).toEqual([]);
    expect(longer.wake.sent).toHaveLength(0);
    expect(longer.record('w').due).toBe((longer.record('w').wakeAt as number) + MINUTE);
  });
});

describe('a run that waits for something of its own', () => {
  test('is told of after ten seconds, and fails at the deadline with what it had done', async () => {
    const rig = rigOf(async (r) => {
      await r.call('read');
      await NEVER;
    });
    const took = await duration(rig, () => rig.invoke([rig.message('w')]));
    expect(rig.events.find((event) => event.type === 'run.stalled')).toMatchObject({ awaiting: ['safe read'] });
    expect(rig.error('w')).toMatchObject({ code: 'E_STALLED', message: expect.stringContaining('safe read') as string });
    expect(took).toBeLessThan(180_000);
    expect(took).toBeGreaterThan(170_000);
    expect(rig.clock.pending()).toBe(0);
  });

  test('is not told of when it goes on in time', async () => {
    const rig = rigOf(async (r) => {
      await r.call('read');
      await r.delay(60_000);
      return r.call('again');
    });
    await rig.invoke([rig.message('w')]);
    expect(rig.record('w').status).toBe('succeeded');
  });
});

test('runs of one batch end one by one: a slow one does not hold up the messages of the others', async () => {
  const rig = rigOf(async (r, ms) => r.call('read', 'safe', { ms: ms as number, timeout: 110_000 }));
  const began = rig.clock.now();
  const { doneAt, kept } = await rig.invoke([100_000, ...Array<number>(9).fill(50)].map((ms, i) => rig.message('w', ms, `k${i}`)));
  expect(kept).toEqual([]);
  expect(doneAt.slice(0, 9).every((at) => at - began <= 100)).toBe(true);
  expect((doneAt[9] as number) - began).toBeGreaterThanOrEqual(100_000);
});
