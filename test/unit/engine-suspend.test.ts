import { queryObjects } from 'node:v8';
import { afterEach, describe, expect, test } from 'vitest';
import { declareWorker } from '../../src/engine/context.ts';
import { RunContext } from '../../src/engine/run-context.ts';
import { step } from '../../src/engine/step.ts';
import { log, map, now, random, sleep } from '../../src/engine/verbs.ts';
import { workflow } from '../../src/engine/workflow.ts';
import { again, createRig, done, failed, HOUR, MINUTE, NEVER, type Rig, type RigOptions } from '../support/engine/rig.ts';

type Program = (rig: Rig, input: unknown) => Promise<unknown>;

function rigOf(run: Program, more: Partial<RigOptions> = {}): Rig {
  let rig: Rig;
  const definition = workflow({ name: 'w', run: async (input) => run(rig, input) });
  rig = createRig({ workflows: [definition], ...more });
  return rig;
}

/** How long an invocation took, in virtual time. */
async function duration(rig: Rig, act: () => Promise<unknown>): Promise<number> {
  const began = rig.clock.now();
  await act();
  return rig.clock.now() - began;
}

const contexts = () => queryObjects(RunContext, { format: 'count' });

/** Those that are left once the turn that ended them, which may still hold them, is itself over. */
async function contextsLeft(before: number): Promise<number> {
  for (let i = 0; i < 10 && contexts() > before; i++) await new Promise((next) => setImmediate(next));
  return contexts();
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

describe('when its run is put down, user code', () => {
  test('is left where it is: neither catch nor finally runs', async () => {
    const ran: string[] = [];
    let first = true;
    const rig = rigOf(async (r) => {
      try {
        await Promise.all([
          sleep('1h'),
          r.call('post', 'keyed', { answer: (env, nth) => (nth === 1 ? again(env.clock.now() + HOUR) : done(nth)) }),
        ]);
      } catch {
        ran.push(`catch ${first}`);
      } finally {
        ran.push(`finally ${first}`);
      }
    });
    await rig.invoke([rig.message('w')]);
    await new Promise((next) => setTimeout(next, 5));
    expect(ran).toEqual([]);
    first = false;
    await rig.wakeToEnd('w');
    expect(ran).toEqual(['finally false']);
  });

  test('may go on, but finds every verb silent: nothing settles, nothing is sent, nothing is logged', async () => {
    const settled: string[] = [];
    const reached: string[] = [];
    const rig = rigOf(async (r) => {
      const late = async () => {
        await r.delay(1_000);
        reached.push('after');
        const verbs = {
          call: r.call('late', 'safe'),
          effect: r.call('late effect', 'unsafe'),
          sleep: sleep(1),
          bad: r.call('late'),
          step: step('late', () => void settled.push('step ran')),
          map: map([1, 2], async () => r.call('late in map')),
        };
        log.info('late');
        for (const [name, promise] of Object.entries(verbs)) {
          promise.then(
            () => settled.push(name),
            () => settled.push(name),
          );
        }
        expect([typeof now(), typeof random()]).toEqual(['number', 'number']);
      };
      void late();
      await sleep('1h');
    });
    await rig.invoke([rig.message('w')]);
    const events = rig.events.length;
    const writes = rig.store.writes();
    await rig.settle(() => false, rig.clock.now() + 10 * MINUTE);
    expect(reached).toEqual(['after']);
    expect(settled).toEqual([]);
    expect(rig.sent).toEqual([]);
    expect([rig.events.length, rig.store.writes()]).toEqual([events, writes]);
  });

  test('is silent as well when its run has ended', async () => {
    const settled: string[] = [];
    const rig = rigOf(async (r) => {
      void (async () => {
        await r.delay(1_000);
        await r.call('late', 'unsafe').finally(() => settled.push('late'));
      })();
      return 1;
    });
    await rig.invoke([rig.message('w')]);
    await rig.settle(() => false, rig.clock.now() + MINUTE);
    expect([settled, rig.sent]).toEqual([[], []]);
  });
});

describe('nothing of a run outlives its invocation', () => {
  const endings: Record<string, Program> = {
    'put down': async (r) => Promise.all([sleep('1h'), r.call('read')]),
    'put down in a retry': async (r) => r.call('post', 'unsafe', { answer: (env) => again(env.clock.now() + HOUR) }),
    ended: async (r) => r.call('post', 'unsafe'),
    failed: async () => {
      throw new Error('x');
    },
    paused: async (r) => r.call('post', 'keyed', { answer: () => ({ type: 'pause', error: { code: 'E_SECRET_MISSING', message: 'x' } }) }),
    'ended in the middle of short waits': async (r) => {
      void sleep(1_500);
      void r.call('flaky', 'safe', { answer: (env) => again(env.clock.now() + 1_000) });
      await r.call('read', 'safe', { ms: 100 });
    },
  };
  for (const [name, program] of Object.entries(endings)) {
    test(`when it was ${name}: no context, no timer`, async () => {
      const before = contexts();
      const rig = rigOf(program);
      await rig.invoke([rig.message('w')]);
      expect(rig.clock.pending()).toBe(0);
      expect(await contextsLeft(before)).toBe(before);
    });
  }

  test('when its worker lost it: no context, no timer', async () => {
    const before = contexts();
    const rig = rigOf(async (r) => {
      await r.call('post', 'keyed');
      await sleep('1h');
    });
    rig.faults.before = async (op) => {
      if (op !== 'create' || rig.store.peek(rig.idOf('w'))) return;
      delete rig.faults.before;
      await rig.invoke([rig.message('w')]);
    };
    const { kept } = await rig.invoke([rig.message('w')]);
    expect(kept).toEqual([]);
    expect(rig.events.map((event) => event.type)).toContain('run.lost');
    expect(rig.clock.pending()).toBe(0);
    expect(await contextsLeft(before)).toBe(before);
  });

  test('when the deadline came in the middle of the replay: no context, no timer', async () => {
    let slow = 0;
    const rig = rigOf(async (r) => {
      await r.call('a');
      if (slow > 0) await r.delay(slow);
      await r.call('b');
      await sleep('1h');
    });
    await rig.invoke([rig.message('w')]);
    slow = 9_000;
    rig.clock.advance(HOUR);
    const before = contexts();
    await rig.invoke([rig.wakeMessage(rig.idOf('w'))], { ms: 5_000 });
    expect(rig.record('w').status).toBe('waiting');
    await rig.settle(() => false, rig.clock.now());
    // The one that is left is the program's own.
    expect(rig.clock.pending()).toBe(1);
    await rig.settle(() => false, rig.clock.now() + 6_000);
    expect(await contextsLeft(before)).toBe(before);
    slow = 0;
    await rig.wakeToEnd('w');
    expect(rig.record('w').status).toBe('succeeded');
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

describe('a verb outside its run', () => {
  const WORKER = Symbol.for('holdfast.worker');
  afterEach(() => {
    delete (globalThis as Record<symbol, unknown>)[WORKER];
  });

  test('is an error in a worker, and plain use elsewhere', async () => {
    expect(await step('plain', () => 1)).toBe(1);
    expect(await map([1, 2], async (n) => n * 2)).toEqual([2, 4]);
    await sleep(1);
    declareWorker();
    for (const verb of [() => sleep(1), () => step('x', () => 1), () => map([1], async (n) => n)]) {
      await expect(verb()).rejects.toMatchObject({ code: 'E_ABSENT_CONTEXT' });
    }
    for (const verb of [() => now(), () => random(), () => log.info('x')]) {
      expect(verb).toThrow(expect.objectContaining({ code: 'E_ABSENT_CONTEXT' }));
    }
  });

  test('is plain inside a step, and durable in the run around it', async () => {
    declareWorker();
    const rig = rigOf(async () => {
      const inner = await step('outer', async () => step('inner', () => 'plain'), { safe: true });
      await sleep('1h');
      return inner;
    });
    await rig.runToEnd('w');
    expect(rig.value('w')).toBe('plain');
    expect(rig.journal('w').map((entry) => ('op' in entry ? entry.op : ''))).toEqual(['step outer', 'sleep 3600000', 'sleep 3600000']);
  });
});

test('an error that a call ends with is the same before and after a suspension', async () => {
  const seen: string[] = [];
  const rig = rigOf(async (r) => {
    await r
      .call('bad', 'safe', { answer: () => failed('final') })
      .catch((error: Error & { code?: string }) => seen.push(`${error.name} ${error.code} ${error.message}`));
    await sleep('1h');
  });
  await rig.runToEnd('w');
  expect(seen).toHaveLength(2);
  expect(seen[0]).toBe(seen[1]);
});
