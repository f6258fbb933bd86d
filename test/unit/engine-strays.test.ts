import { queryObjects } from 'node:v8';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RunContext } from '../../src/engine/run-context.ts';
import type { Strays } from '../../src/engine/strays.ts';
import { watchStrays } from '../../src/engine/strays.ts';
import { sleep } from '../../src/engine/verbs.ts';
import { workflow } from '../../src/engine/workflow.ts';
import { createRig, failed, type Rig } from '../support/engine/rig.ts';

const contexts = () => queryObjects(RunContext, { format: 'count' });
let strays: Strays & { close(): void };
let unattributed: unknown[];
let before: unknown[];
beforeEach(() => {
  before = process.listeners('unhandledRejection');
  unattributed = [];
  strays = watchStrays((reason) => unattributed.push(reason));
});
afterEach(() => {
  strays.close();
  expect(process.listeners('unhandledRejection')).toEqual(before);
  expect(process.listenerCount('rejectionHandled')).toBe(0);
});

type Program = (rig: Rig) => Promise<unknown>;

function rigOf(programs: Record<string, Program>): Rig {
  let rig: Rig;
  const workflows = Object.entries(programs).map(([name, run]) => workflow({ name, run: async () => run(rig) }));
  rig = createRig({ workflows, strays, realMs: 1 });
  return rig;
}

const bad: Parameters<Rig['call']>[2] = { answer: () => failed('refused') };

const goodly: Program = async (r) => {
  for (let i = 0; i < 5; i++) await r.call(`read ${i}`, 'safe', { ms: 7 });
  return 'good';
};

/** Each goes wrong in its own way, and nobody ever handles it. */
const wrong: Record<string, { program: Program; says: string }> = {
  'a call that nobody awaits': {
    program: async (r) => {
      void r.call('bad', 'safe', bad);
      await r.call('read', 'safe', { ms: 50 });
    },
    says: 'refused',
  },
  'an async function that nobody awaits': {
    program: async (r) => {
      void (async () => {
        await r.call('one');
        throw new TypeError('forgotten');
      })();
      await r.call('read', 'safe', { ms: 50 });
    },
    says: 'forgotten',
  },
  'a rejection before the first await': {
    program: async (r) => {
      void Promise.reject(new Error('at once'));
      await r.call('read');
    },
    says: 'at once',
  },
  'a rejection in the very turn in which the function ends': {
    program: async (r) => {
      await r.call('read');
      void Promise.reject(new Error('at the end'));
      return 1;
    },
    says: 'at the end',
  },
  'a rejection with something that is no error': {
    program: async (r) => {
      void Promise.reject('just text');
      await r.call('read');
    },
    says: 'just text',
  },
  'the second failure of two that are awaited one after the other': {
    program: async (r) => {
      const [one, two] = [r.call('slow', 'safe', { ms: 30 }), r.call('bad', 'safe', { ...bad, ms: 5 })];
      void two;
      await one;
      await r.call('read', 'safe', { ms: 20 });
    },
    says: 'refused',
  },
  'a rejection inside a timer of its own': {
    program: async (r) => {
      setImmediate(() => void Promise.reject(new Error('from a timer')));
      await r.call('read', 'safe', { ms: 50 });
    },
    says: 'from a timer',
  },
};

describe('a rejection that nobody handles', () => {
  for (const [name, { program, says }] of Object.entries(wrong)) {
    test(`fails its run with that error, and no other run of the process: ${name}`, async () => {
      const rig = rigOf({ wrong: program, goodly });
      const { kept } = await rig.invoke([rig.message('wrong'), rig.message('goodly', null, 'a'), rig.message('goodly', null, 'b')]);
      expect(kept).toEqual([]);
      expect(rig.record('wrong').status).toBe('failed');
      expect(rig.error('wrong').message).toBe(
        `a rejected promise was never handled: ${says === 'just text' ? 'a value that is not an Error was thrown: just text' : says}`,
      );
      for (const key of ['a', 'b']) expect(rig.record('goodly', key).status).toBe('succeeded');
      expect(unattributed).toEqual([]);
    });
  }

  test('is attributed to its own run when two fail side by side', async () => {
    const program =
      (text: string): Program =>
      async (r) => {
        await r.call('one', 'safe', { ms: 5 });
        void Promise.reject(new Error(text));
        await r.call('two', 'safe', { ms: 5 });
      };
    const rig = rigOf({ left: program('left'), right: program('right') });
    await rig.invoke([rig.message('left'), rig.message('right')]);
    expect(rig.error('left').message).toContain('left');
    expect(rig.error('right').message).toContain('right');
  });

  test('does not hide the error that the function itself ended with', async () => {
    const rig = rigOf({
      both: async (r) => {
        void Promise.reject(new Error('stray'));
        await r.call('one');
        throw new Error('its own');
      },
    });
    await rig.invoke([rig.message('both')]);
    expect(rig.error('both').message).toBe('its own');
  });

  test('is judged again when the run was put down in between', async () => {
    const rig = rigOf({
      sleeper: async () => {
        void Promise.reject(new Error('early'));
        await sleep('1h');
      },
    });
    await rig.invoke([rig.message('sleeper')]);
    expect(rig.record('sleeper').status).toBe('waiting');
    await rig.wakeToEnd('sleeper');
    expect(rig.error('sleeper').message).toContain('early');
  });

  test('of no run goes to whoever is told of those', async () => {
    void Promise.reject(new Error('of nobody'));
    await new Promise((next) => setTimeout(next, 5));
    expect(unattributed).toMatchObject([{ message: 'of nobody' }]);
  });

  test('of a run that is over says nothing', async () => {
    const rig = rigOf({
      done: async (r) => {
        void r.delay(10_000).then(() => {
          throw new Error('much later');
        });
      },
    });
    await rig.invoke([rig.message('done')]);
    expect(rig.record('done').status).toBe('succeeded');
    await rig.settle(() => false, rig.clock.now() + 20_000);
    expect(unattributed).toEqual([]);
  });
});

describe('a rejection that is handled later', () => {
  const fine: Record<string, Program> = {
    'awaited after something else': async (r) => {
      const late = r.call('bad', 'safe', bad);
      await r.call('slow', 'safe', { ms: 50 });
      return late.catch((error: Error) => error.message);
    },
    'awaited by allSettled in the end': async (r) => {
      const calls = [1, 2, 3].map((i) => r.call(`bad ${i}`, 'safe', { ...bad, ms: i * 10 }));
      await r.call('slow', 'safe', { ms: 100 });
      return (await Promise.allSettled(calls)).length;
    },
    'the loser of a race': async (r) =>
      Promise.race([r.call('good'), r.call('bad', 'safe', { ...bad, ms: 1 }).catch(() => r.call('never', 'safe', { ms: 500 }))]),
    'several rejections under one all': async (r) =>
      Promise.all([r.call('bad 1', 'safe', bad), r.call('bad 2', 'safe', bad), r.call('slow', 'safe', { ms: 50 })]).catch(async () => {
        await r.call('after', 'safe', { ms: 100 });
        return 'caught';
      }),
  };
  for (const [name, program] of Object.entries(fine)) {
    test(`is none: ${name}`, async () => {
      const rig = rigOf({ fine: program });
      await rig.invoke([rig.message('fine')]);
      expect(rig.record('fine').status).toBe('succeeded');
    });
  }
});

test('a hundred runs leave no trace in the process’s lists', async () => {
  const rig = rigOf({ wrong: wrong['a rejection before the first await']?.program as Program });
  await rig.invoke(Array.from({ length: 100 }, (_, i) => rig.message('wrong', null, `k${i}`)));
  for (let i = 0; i < 100; i++) expect(rig.record('wrong', `k${i}`).status).toBe('failed');
  expect(process.listenerCount('unhandledRejection')).toBe(1);
  for (let i = 0; i < 10 && contexts() > 0; i++) await new Promise((next) => setImmediate(next));
  expect(contexts()).toBe(0);
});
