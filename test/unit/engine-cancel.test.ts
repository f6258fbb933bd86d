import { describe, expect, test } from 'vitest';
import { CancelledError } from '../../src/engine/errors.ts';
import type { Effect } from '../../src/engine/operation.ts';
import { map, sleep } from '../../src/engine/verbs.ts';
import { operatorOf, refusal } from '../support/engine/operator.ts';
import { again, done, gate, HOUR, MINUTE, NEVER, type Rig } from '../support/engine/rig.ts';
import { abandon, killedAtSending, pick, rigOf } from '../support/engine/scenario.ts';

const CANCELLED = { status: 'cancelled', outcome: { error: { code: 'E_CANCELLED', message: 'the run was cancelled by ops: a test' } } };

/** What the code saw at its awaits, in order. */
type Seen = string[];
const seeing = async (seen: Seen, name: string, what: Promise<unknown>): Promise<unknown> => {
  try {
    const value = await what;
    seen.push(`${name} done`);
    return value;
  } catch (error) {
    seen.push(`${name} ${error instanceof CancelledError ? 'cancelled' : String(error)}`);
    throw error;
  }
};

describe('cancelling a run that waits', () => {
  test('ends it at the await where it is, asleep or between retries', async () => {
    for (const waiting of [
      async (_r: Rig) => sleep('3 days'),
      async (r: Rig) => r.call('later', 'safe', { answer: () => again(r.clock.now() + HOUR) }),
      async (r: Rig) => r.call('later', 'keyed', { answer: () => again(r.clock.now() + HOUR) }),
    ]) {
      const seen: Seen = [];
      const rig = rigOf(async (r) => seeing(seen, 'it', waiting(r)));
      await rig.invoke([rig.message('w')]);
      await operatorOf(rig).cancel();
      const record = await rig.wakeToEnd('w');
      expect(record).toMatchObject(CANCELLED);
      expect(record.due).toBeUndefined();
      expect(seen).toEqual(['it cancelled']);
    }
  });

  test('reaches every branch once, and what is issued to clean up goes out', async () => {
    const seen: Seen = [];
    const rig = rigOf(async (r) => {
      await seeing(seen, 'reserve', r.call('reserve', 'unsafe'));
      const branch = async (name: string) => {
        try {
          await seeing(seen, name, sleep('1 day'));
        } finally {
          await seeing(seen, `undo ${name}`, r.call(`undo ${name}`, 'unsafe'));
        }
      };
      const branches = await Promise.allSettled([branch('a'), branch('b'), branch('c')]);
      for (const one of branches) if (one.status === 'rejected') throw one.reason;
    });
    await rig.invoke([rig.message('w')]);
    await operatorOf(rig).cancel();
    expect(await rig.wakeToEnd('w')).toMatchObject(CANCELLED);
    expect(seen.slice().sort()).toEqual(
      ['reserve done', 'reserve done', ...['a', 'b', 'c'].flatMap((name) => [`${name} cancelled`, `undo ${name} done`])].sort(),
    );
    expect(rig.sends('reserve')).toBe(1);
    for (const name of ['a', 'b', 'c']) expect(rig.sends(`undo ${name}`)).toBe(1);
    expect(pick(rig.journal('w'), 'cancel')).toMatchObject([{ ops: expect.arrayContaining([expect.any(String)]) as unknown, by: 'ops' }]);
  });

  test('rejects everything that a map waits for', async () => {
    const rig = rigOf(async (r) =>
      map([1, 2, 3, 4, 5], (n) => r.call(`n${n}`, 'safe', { answer: () => again(r.clock.now() + HOUR) }), { concurrency: 2 }),
    );
    await rig.invoke([rig.message('w')]);
    await operatorOf(rig).cancel();
    expect(await rig.wakeToEnd('w')).toMatchObject(CANCELLED);
    expect(rig.sends('n3')).toBe(0);
  });

  test('is as the function says: one that catches it may succeed, one that fails to clean up has failed', async () => {
    const catching = rigOf(async () => sleep('1 day').catch(() => 'stopped early'));
    await catching.invoke([catching.message('w')]);
    await operatorOf(catching).cancel();
    expect(await catching.wakeToEnd('w')).toMatchObject({ status: 'succeeded' });
    expect(catching.value('w')).toBe('stopped early');

    const failing = rigOf(async () =>
      sleep('1 day').catch(() => {
        throw new Error('could not clean up');
      }),
    );
    await failing.invoke([failing.message('w')]);
    await operatorOf(failing).cancel();
    expect(await failing.wakeToEnd('w')).toMatchObject({ status: 'failed', outcome: { error: { message: 'could not clean up' } } });

    const wrapping = rigOf(async () =>
      sleep('1 day').catch((cause: unknown) => {
        throw new Error('stopped', { cause });
      }),
    );
    await wrapping.invoke([wrapping.message('w')]);
    await operatorOf(wrapping).cancel();
    expect(await wrapping.wakeToEnd('w')).toMatchObject({ status: 'cancelled', outcome: { error: { message: 'stopped' } } });
  });

  test('is journaled with what it cancelled before anything is told: a crash in between changes nothing', async () => {
    const seen: Seen = [];
    const rig = rigOf(async (r) => {
      const branches = await Promise.allSettled([
        seeing(seen, 'a', sleep('1 day')),
        seeing(seen, 'b', sleep('2 days')),
        seeing(seen, 'c', sleep('3 days')),
      ]);
      await r.call('clean up', 'unsafe');
      for (const one of branches) if (one.status === 'rejected') throw one.reason;
    });
    await rig.invoke([rig.message('w')]);
    await operatorOf(rig).cancel();
    await rig.invoke([rig.wakeMessage(rig.idOf('w'))], { until: () => rig.sends('clean up') === 1 });
    expect(pick(rig.journal('w'), 'cancel')).toHaveLength(1);
    abandon(rig);
    await rig.wakeToEnd('w');
    // The interrupted clean-up is unknown: nothing else is.
    expect(rig.record('w')).toMatchObject({ status: 'paused', reason: { code: 'E_UNKNOWN_OUTCOME' } });
    await operatorOf(rig).settle({ outcome: 'happened', value: { status: 200 } });
    expect(await operatorOf(rig).onward()).toMatchObject(CANCELLED);
    expect(pick(rig.journal('w'), 'fail')).toHaveLength(3);
    expect(rig.sends('clean up')).toBe(1);
  });
});

test('a worker that dies between two rejections leaves the others to the next', async () => {
  const seen: Seen = [];
  const rig = rigOf(async (r) => {
    const branches = await Promise.allSettled(
      ['a', 'b', 'c', 'd'].map(async (name, i) => {
        try {
          await seeing(seen, name, sleep(`${i + 1} days`));
        } catch (error) {
          await r.call(`undo ${name}`, 'idempotent');
          throw error;
        }
      }),
    );
    for (const one of branches) if (one.status === 'rejected') throw one.reason;
  });
  await rig.invoke([rig.message('w')]);
  await operatorOf(rig).cancel();
  // Dies as soon as the entry is durable.
  let killed = false;
  rig.faults.after = (op) => {
    if (op !== 'replace' || killed || pick(rig.journal('w'), 'cancel').length === 0) return undefined;
    killed = true;
    return NEVER;
  };
  await rig.invoke([rig.wakeMessage(rig.idOf('w'))], { until: () => killed });
  expect(pick(rig.journal('w'), 'fail').length).toBeLessThan(4);
  delete rig.faults.after;
  abandon(rig);
  expect(await rig.wakeToEnd('w')).toMatchObject(CANCELLED);
  for (const name of ['a', 'b', 'c', 'd']) {
    expect(seen).toContain(`${name} cancelled`);
    expect(rig.sends(`undo ${name}`)).toBe(1);
  }
});

describe('effects in flight', () => {
  test('are finished first: a working run sees the request within five seconds', async () => {
    const seen: Seen = [];
    const open = gate();
    const rig = rigOf(async (r) => {
      const slow = seeing(
        seen,
        'post',
        r.call('post', 'unsafe', {
          ms: 0,
          timeout: 60_000,
          answer: async () => {
            await open.wait();
            return done('posted');
          },
        }),
      ).then(() => seeing(seen, 'after', r.call('after', 'unsafe')));
      const polling = (async () => {
        for (let n = 0; ; n++) await seeing(seen, 'poll', r.call(`poll ${n}`, 'safe', { ms: 100, timeout: 200 }));
      })();
      await Promise.all([slow, polling]);
    });
    const began = rig.clock.now();
    const invocation = rig.begin([rig.message('w')]);
    await rig.settle(() => rig.clock.now() >= began + 3_000);
    await operatorOf(rig).cancel();
    await rig.settle(() => false, began + 12_000);
    const polls = rig.sent.filter(({ label }) => label.startsWith('poll'));
    expect(Math.max(...polls.map(({ at }) => at)) - began).toBeLessThanOrEqual(5_100);
    expect(invocation.kept).toBeUndefined();
    open.open();
    await rig.settle(() => invocation.kept !== undefined);
    expect(await rig.wakeToEnd('w')).toMatchObject(CANCELLED);
    expect(rig.sends('post')).toBe(1);
    expect(rig.sends('after')).toBe(0);
    expect(seen).toContain('post done');
    expect(seen.at(-1)).toMatch(/cancelled/);
  });

  test.each<Effect>(['idempotent', 'keyed'])('that a dead worker left are sent once more before the code is told (%s)', async (effect) => {
    const seen: Seen = [];
    const rig = rigOf(async (r) => {
      await seeing(seen, 'put', r.call('put', effect, { answer: (_env, nth) => (nth === 1 ? NEVER : done('put')) }));
      await seeing(seen, 'next', r.call('next', effect));
    });
    await killedAtSending(rig, 1);
    await operatorOf(rig).cancel();
    expect(await rig.wakeToEnd('w')).toMatchObject(CANCELLED);
    expect(seen).toEqual(['put done', 'next cancelled']);
    expect([rig.sends('put'), rig.sends('next')]).toEqual([2, 0]);
  });

  test('that stay unknown are told as such and never sent again', async () => {
    const rig = rigOf(async (r) => r.call('post', 'unsafe', { answer: () => NEVER }));
    await killedAtSending(rig, 1);
    await rig.wakeToEnd('w');
    expect(rig.record('w').status).toBe('paused');
    await operatorOf(rig).cancel();
    expect(await operatorOf(rig).onward()).toMatchObject({ status: 'failed', outcome: { error: { code: 'E_UNKNOWN_OUTCOME' } } });
    expect(rig.sends('post')).toBe(1);
  });
});

test('a request for which no time is left is seen by the next invocation', async () => {
  const open = gate();
  const rig = rigOf(async (r) => {
    await r.call('post', 'unsafe', { ms: 0, timeout: 60_000, answer: () => open.wait().then(() => done('posted')) });
    await sleep('1 day');
  });
  const began = rig.clock.now();
  const invocation = rig.begin([rig.message('w')], { ms: 70_000 });
  await rig.settle(() => false, began + 3_000);
  await operatorOf(rig).cancel();
  // The post comes back when the invocation is nearly over.
  await rig.settle(() => false, began + 69_500);
  open.open();
  await rig.settle(() => invocation.kept !== undefined);
  expect(await operatorOf(rig).onward()).toMatchObject(CANCELLED);
  expect(rig.sends('post')).toBe(1);
});

describe('a run that cannot be told', () => {
  test('is cancelled before its function was ever called', async () => {
    let called = 0;
    const rig = rigOf(async () => {
      called += 1;
      await sleep('1 day');
    });
    await rig.store.deliver(
      rig.idOf('w'),
      { key: 'cancel:0', kind: 'cancel', at: 0, data: { incarnation: 0, by: 'ops', why: 'a test' } },
      0,
    );
    await rig.invoke([rig.message('w')]);
    expect(rig.record('w')).toMatchObject(CANCELLED);
    expect(called).toBe(0);
  });

  test('ends although its code takes another way than its journal', async () => {
    let fixed = false;
    const rig = rigOf(async (r) => {
      await r.call(fixed ? 'other' : 'one');
      await sleep('1 day');
    });
    await rig.invoke([rig.message('w')]);
    fixed = true;
    await rig.wakeToEnd('w');
    expect(rig.record('w')).toMatchObject({ status: 'paused', reason: { code: 'E_DIVERGED' } });
    await operatorOf(rig).cancel();
    expect(await operatorOf(rig).onward()).toMatchObject(CANCELLED);
  });
});

test('a run that has ended is not cancelled, and its status is told', async () => {
  const rig = rigOf(async () => 'done');
  await rig.runToEnd('w');
  expect(await refusal(operatorOf(rig).cancel())).toMatchObject({ code: 'E_NOT_APPLICABLE', detail: { status: 'succeeded' } });
});

test('a second request while the first is cleaned up changes nothing', async () => {
  const rig = rigOf(async (r) => {
    try {
      await sleep('1 day');
    } finally {
      await sleep(10 * MINUTE);
      await r.call('clean up', 'unsafe');
    }
  });
  await rig.invoke([rig.message('w')]);
  await operatorOf(rig).cancel();
  await rig.invoke(rig.wake.take().map(({ run }) => rig.wakeMessage(run)));
  expect(rig.record('w').status).toBe('waiting');
  await operatorOf(rig).cancel();
  expect(await rig.wakeToEnd('w')).toMatchObject(CANCELLED);
  expect(rig.sends('clean up')).toBe(1);
});
