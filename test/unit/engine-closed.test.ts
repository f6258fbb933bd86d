import { queryObjects } from 'node:v8';
import { afterEach, describe, expect, test } from 'vitest';
import { declareWorker } from '../../src/engine/context.ts';
import { RunContext } from '../../src/engine/run-context.ts';
import { step } from '../../src/engine/step.ts';
import { log, map, now, random, sleep } from '../../src/engine/verbs.ts';
import { again, done, failed, HOUR, MINUTE } from '../support/engine/rig.ts';
import { type Program, rigOf } from '../support/engine/scenario.ts';

const contexts = () => queryObjects(RunContext, { format: 'count' });

/** Those that are left once the turn that ended them, which may still hold them, is itself over. */
async function contextsLeft(before: number): Promise<number> {
  for (let i = 0; i < 10 && contexts() > before; i++) await new Promise((next) => setImmediate(next));
  return contexts();
}

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
