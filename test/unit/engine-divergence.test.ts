import { describe, expect, test } from 'vitest';
import { currentRun } from '../../src/engine/context.ts';
import { sleep } from '../../src/engine/verbs.ts';
import { workflow } from '../../src/engine/workflow.ts';
import { createRig, HOUR, type Rig } from '../support/engine/rig.ts';
import { rigOf } from '../support/engine/scenario.ts';

type Program = (rig: Rig) => Promise<unknown>;

const original: Program = async (r) => {
  const [a, b] = await Promise.all([r.call('a'), r.call('b', 'safe', { ms: 20 })]);
  const c = await r.call('c', 'keyed');
  await sleep('1h');
  await r.call('d', 'unsafe');
  return [a, b, c];
};

/** Runs `first` until it sleeps, then `second`, as a deployment in between does. */
async function deployed(first: Program, second: Program, onDivergence: 'pause' | 'fail' = 'pause') {
  let program = first;
  let rig: Rig;
  const definition = workflow({ name: 'w', onDivergence, run: async () => program(rig) });
  rig = createRig({ workflows: [definition] });
  await rig.invoke([rig.message('w')]);
  expect(rig.record('w').status).toBe('waiting');
  const journal = rig.journal('w');
  const sent = rig.sent.length;
  const deploy = (next: Program): void => {
    program = next;
  };
  deploy(second);
  await rig.wakeToEnd('w');
  return { rig, journal, sent, deploy };
}

describe('code that takes another way than the journal', () => {
  const ways: Record<string, { program: Program; says: RegExp[] }> = {
    'issues more than before': {
      program: async (r) => {
        const [a, b] = await Promise.all([r.call('a'), r.call('b'), r.call('new')]);
        return [a, b];
      },
      says: [/delivery 1 of 3 \(safe a\): 3 operations were issued before it, the journal records 2/, /\+ code: {4}safe new/],
    },
    'issues less than before, and is over': {
      program: async (r) => r.call('a'),
      says: [/only 1 operations were issued before it, the journal records 2/, /- journal: safe b/, /- journal: keyed c/],
    },
    'issues less than before, and waits for something of its own': {
      program: async (r) => {
        await r.call('a');
        await new Promise(() => {});
      },
      says: [/only 1 operations were issued/, /- journal: safe b/],
    },
    'issues another operation': {
      program: async (r) => Promise.all([r.call('a'), r.call('other')]),
      says: [/the operations issued before it are not those that the journal records/, /- journal: safe b/, /\+ code: {4}safe other/],
    },
    'issues the same with another effect': {
      program: async (r) => Promise.all([r.call('a'), r.call('b', 'idempotent')]),
      says: [/- journal: safe b/, /\+ code: {4}idempotent b/],
    },
    'issues the same in another order': {
      program: async (r) => Promise.all([r.call('b'), r.call('a')]),
      says: [/the operations issued before it are not those/, /code issued: safe b, safe a/],
    },
    'issues the second when the first is there': {
      program: async (r) => {
        await r.call('a');
        return r.call('b');
      },
      says: [/only 1 operations were issued before it, the journal records 2/],
    },
    'leaves an effect out': {
      program: async (r) => {
        await Promise.all([r.call('a'), r.call('b')]);
        await sleep('1h');
        return r.call('d', 'unsafe');
      },
      says: [/- journal: keyed c/],
    },
    'fails at once': {
      program: async () => {
        throw new Error('new bug');
      },
      says: [/only 0 operations were issued/, /- journal: safe a/],
    },
    'does not sleep any more': {
      program: async (r) => {
        const [a, b] = await Promise.all([r.call('a'), r.call('b')]);
        return [a, b, await r.call('c', 'keyed')];
      },
      says: [/After the last delivery/, /- journal: sleep 1h/],
    },
    'sleeps longer': {
      program: async (r) => {
        await Promise.all([r.call('a'), r.call('b')]);
        await r.call('c', 'keyed');
        await sleep('2h');
        return r.call('d', 'unsafe');
      },
      says: [/- journal: sleep 1h/, /\+ code: {4}sleep 2h/],
    },
  };

  for (const [name, { program, says }] of Object.entries(ways)) {
    test(`is paused, with both sides, when it ${name}`, async () => {
      const { rig, journal, sent } = await deployed(original, program);
      const record = rig.record('w');
      expect(record).toMatchObject({ status: 'paused', reason: { code: 'E_DIVERGED' } });
      for (const part of says) expect(record.reason?.message).toMatch(part);
      expect(record.due).toBeGreaterThan(rig.clock.now() + 23 * HOUR);
      // Nothing was written to the journal, and no effect was sent.
      expect(rig.journal('w')).toEqual(journal);
      expect(rig.sent.slice(sent).filter(({ op }) => !op.startsWith('safe '))).toEqual([]);
      expect(rig.events.filter((event) => event.type === 'run.paused')).toHaveLength(1);
      // The API may still be answering reads that nobody waits for; the engine has nothing left to do.
      await rig.settle(() => false, rig.clock.now() + 1_000);
      expect(rig.clock.pending()).toBe(0);
    });
  }

  test('heals even when the wrong code had gone on for a while before it was found out', async () => {
    const { rig, deploy } = await deployed(original, ways['sleeps longer']?.program as Program);
    deploy(original);
    await rig.resume('w');
    await rig.wakeToEnd('w');
    expect(rig.record('w').status).toBe('succeeded');
  });

  test('heals when the wrong code was put down in the middle of the replay', async () => {
    let program = original;
    let rig: Rig;
    const definition = workflow({ name: 'w', run: async () => program(rig) });
    rig = createRig({ workflows: [definition] });
    await rig.invoke([rig.message('w')]);
    program = async (r) => {
      await Promise.all([r.call('a'), r.call('b')]);
      await r.call('c', 'keyed');
      await sleep('2h');
    };
    rig.clock.advance(HOUR);
    // Less time than a stall takes to be noticed.
    await rig.invoke([rig.wakeMessage(rig.idOf('w'))], { ms: 5_000 });
    expect(rig.record('w')).toMatchObject({ status: 'waiting', idleWakes: 1 });
    program = original;
    await rig.wakeToEnd('w');
    expect(rig.record('w').status).toBe('succeeded');
  });

  test('is found out at once when the code is over, without waiting for what cannot come', async () => {
    let program = original;
    let rig: Rig;
    const definition = workflow({ name: 'w', run: async () => program(rig) });
    rig = createRig({ workflows: [definition] });
    await rig.invoke([rig.message('w')]);
    program = async () => 'nothing to do';
    rig.clock.advance(HOUR);
    const began = rig.clock.now();
    await rig.invoke([rig.wakeMessage(rig.idOf('w'))]);
    expect(rig.record('w').status).toBe('paused');
    expect(rig.clock.now() - began).toBeLessThan(100);
  });

  test('is named with the line of user code that issued what the journal does not know', async () => {
    const { rig } = await deployed(original, async (r) => {
      await Promise.all([r.call('a'), r.call('b')]);
      await sleep('7h');
    });
    expect(rig.record('w').reason?.message).toMatch(/\+ code: {4}sleep 7h at .*engine-divergence\.test\.ts:\d+:\d+/);
    expect(rig.record('w').reason?.detail).toMatchObject({
      unexpected: [{ label: 'sleep 7h', site: expect.stringContaining('engine-divergence.test.ts') as string }],
    });
  });

  test('goes on where it was when fitting code is deployed and the run is resumed', async () => {
    const { rig, deploy } = await deployed(original, ways['issues another operation']?.program as Program);
    deploy(original);
    const sent = rig.sent.length;
    await rig.resume('w');
    await rig.wakeToEnd('w');
    expect(rig.record('w').status).toBe('succeeded');
    expect(rig.value('w')).toEqual(['a=1', 'b=1', 'c=1']);
    expect(rig.sent.slice(sent).map(({ label }) => label)).toEqual(['d']);
  });

  test('stays paused when what is deployed does not fit either', async () => {
    const { rig } = await deployed(original, ways['issues another operation']?.program as Program);
    for (let i = 0; i < 3; i++) await rig.resume('w');
    expect(rig.record('w')).toMatchObject({ status: 'paused', inbox: 3, inboxSeen: 3 });
  });

  test('fails the run instead where the workflow says so', async () => {
    const { rig } = await deployed(original, ways['issues another operation']?.program as Program, 'fail');
    expect(rig.record('w').status).toBe('failed');
    expect(rig.error('w')).toMatchObject({ code: 'E_DIVERGED', message: expect.stringContaining('safe other') as string });
  });

  test('is paused for fewer bytes than an item holds, whatever the labels are', async () => {
    const many =
      (names: string): Program =>
      async (r) => {
        await Promise.all(Array.from({ length: 50 }, (_, i) => r.call(`${names.repeat(300)} ${i}`)));
        await sleep('1h');
      };
    const { rig } = await deployed(many('left'), many('right'));
    expect(rig.record('w').status).toBe('paused');
    expect(JSON.stringify(rig.record('w').reason).length).toBeLessThan(20_000);
  });
});

describe('code that takes the same way', () => {
  test('may be slower between its operations than it was', async () => {
    const slower: Program = async (r) => {
      const [a, b] = await Promise.all([r.call('a'), r.call('b', 'safe', { ms: 20 })]);
      await r.delay(9_000);
      const c = await r.call('c', 'keyed');
      await sleep('1h');
      await r.call('d', 'unsafe');
      return [a, b, c];
    };
    const { rig } = await deployed(original, slower);
    expect(rig.record('w').status).toBe('succeeded');
  });

  test('but not without end: ten seconds later it counts as gone', async () => {
    const slower: Program = async (r) => {
      await Promise.all([r.call('a'), r.call('b', 'safe', { ms: 20 })]);
      await r.delay(11_000);
      await r.call('c', 'keyed');
    };
    const { rig } = await deployed(original, slower);
    expect(rig.record('w').reason?.code).toBe('E_DIVERGED');
  });

  test('may do more where the journal ends', async () => {
    const { rig } = await deployed(original, async (r) => [await original(r), await r.call('more')]);
    expect(rig.record('w').status).toBe('succeeded');
  });

  test('stays on the version it began with while that is registered', async () => {
    let rig: Rig;
    const one = workflow({ name: 'w', run: async () => original(rig) });
    const two = workflow({ name: 'w', version: 2, previous: [one], run: async () => rig.call('other') });
    const list = [one];
    rig = createRig({ workflows: list });
    await rig.invoke([rig.message('w')]);
    list[0] = two as typeof one;
    await rig.wakeToEnd('w');
    expect(rig.record('w')).toMatchObject({ status: 'succeeded', version: 1 });
    await rig.runToEnd('w', null, 'next');
    expect(rig.record('w', 'next')).toMatchObject({ status: 'succeeded', version: 2 });
  });

  test('waits for a person when that version is no longer there', async () => {
    let rig: Rig;
    const one = workflow({ name: 'w', run: async () => original(rig) });
    const two = workflow({ name: 'w', version: 2, run: async () => rig.call('other') });
    const list = [one];
    rig = createRig({ workflows: list });
    await rig.invoke([rig.message('w')]);
    list[0] = two as typeof one;
    await rig.wakeToEnd('w');
    expect(rig.record('w')).toMatchObject({ status: 'paused', reason: { code: 'E_UNKNOWN_VERSION' } });
    list[0] = one;
    await rig.resume('w');
    await rig.wakeToEnd('w');
    expect(rig.record('w').status).toBe('succeeded');
  });
});

describe('the version of the engine', () => {
  test('that a run began with is told to those who make operations, however new the code is', async () => {
    const seen: number[] = [];
    const rig = rigOf(async () => {
      seen.push(currentRun()?.run.engine ?? 0);
      await sleep('1h');
    });
    await rig.invoke([rig.message('w')]);
    const begun = rig.record('w');
    expect(seen).toEqual([begun.engine]);
    await rig.store.replace({ ...begun, engine: 1, nonce: 'older' }, begun.nonce);
    await rig.wakeToEnd('w');
    expect(seen).toEqual([begun.engine, 1]);
  });

  test('that is newer than the code pauses the run until the newer is back', async () => {
    const rig = rigOf(async () => sleep('1h'));
    await rig.invoke([rig.message('w')]);
    const begun = rig.record('w');
    await rig.store.replace({ ...begun, engine: begun.engine + 1, nonce: 'newer' }, begun.nonce);
    expect(await rig.wakeToEnd('w')).toMatchObject({ status: 'paused', reason: { code: 'E_UNKNOWN_VERSION' } });
  });
});
