import { describe, expect, test } from 'vitest';
import { log, now, random, sleep, uuid } from '../../src/engine/verbs.ts';
import { done, HOUR } from '../support/engine/rig.ts';
import { outcome, type Program, rigOf } from '../support/engine/scenario.ts';

describe('now, random and uuid', () => {
  const program: Program = async (r) => {
    const seen: unknown[] = [now(), random(), uuid()];
    await Promise.all(
      ['a', 'b', 'c'].map(async (name, i) => {
        await r.call(name, 'safe', { ms: (3 - i) * 10 });
        seen.push(name, now(), random(), uuid());
      }),
    );
    await sleep('1h');
    seen.push(now(), random());
    await r.call('post', 'keyed');
    seen.push(now(), uuid());
    return seen;
  };

  test('are the same on every replay', async () => {
    const all: unknown[][] = [];
    const rig = rigOf(async (r) => {
      const seen = await program(r, null);
      all.push(seen as unknown[]);
      await sleep('1h');
      await sleep('2h');
      return seen;
    });
    await rig.runToEnd('w');
    expect(all).toHaveLength(3);
    expect(all[1]).toEqual(all[0]);
    expect(all[2]).toEqual(all[0]);
  });

  test('differ between runs', async () => {
    const rig = rigOf(async () => [random(), uuid()]);
    for (const key of ['a', 'b']) await rig.runToEnd('w', null, key);
    expect(rig.value('w', 'a')).not.toEqual(rig.value('w', 'b'));
  });

  test('do not depend on a run that is worked on beside it', async () => {
    const alone = rigOf(program);
    await alone.runToEnd('w', null, 'one');
    const beside = rigOf(program);
    await beside.invoke([beside.message('w', null, 'one'), beside.message('w', null, 'two'), beside.message('w', null, 'three')]);
    await beside.wakeToEnd('w', 'one');
    const uncertain = (seen: unknown) => (seen as unknown[]).filter((value) => typeof value !== 'number' || value < 1);
    expect(uncertain(beside.value('w', 'one'))).toEqual(uncertain(alone.value('w', 'one')));
  });

  test('now never goes back, and is the time of what was observed last', async () => {
    const rig = rigOf(async (r) => {
      const times = [now()];
      for (const ms of [10, 1_000, 5]) {
        await r.call(`read ${ms}`, 'safe', { ms });
        times.push(now());
      }
      await r.delay(30_000);
      times.push(now());
      return times;
    });
    const began = rig.clock.now();
    await rig.runToEnd('w');
    expect((rig.value('w') as number[]).map((time) => time - began)).toEqual([0, 10, 1_010, 1_015, 1_015]);
  });

  test('uuid is a version 4, random is spread', async () => {
    const { value } = await outcome(async () => [Array.from({ length: 200 }, () => uuid()), Array.from({ length: 2_000 }, () => random())]);
    const [ids, numbers] = value as [string[], number[]];
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(new Set(ids).size).toBe(200);
    expect(numbers.every((n) => n >= 0 && n < 1)).toBe(true);
    expect(numbers.reduce((sum, n) => sum + n, 0) / 2_000).toBeCloseTo(0.5, 1);
  });
});

test('now does not go back when the next worker’s clock is behind', async () => {
  let seen: number[] = [];
  const rig = rigOf(async (r) => {
    seen = [now()];
    await r.call('read');
    seen.push(now());
    await r.call('post', 'keyed', {
      answer: (_env, nth) => (nth === 1 ? { type: 'pause', error: { code: 'E_SECRET_MISSING', message: 'no token' } } : done(nth)),
    });
    seen.push(now());
    await r.call('read again');
    seen.push(now());
    await sleep('10h');
  });
  rig.skew.ms = 2 * HOUR;
  await rig.invoke([rig.message('w')]);
  rig.skew.ms = 0;
  await rig.resume('w');
  expect(seen).toHaveLength(4);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
  const live = seen;
  await rig.wakeToEnd('w');
  expect(seen).toEqual(live);
});

test('no two runs share a key, and no two effects of one', async () => {
  const rig = rigOf(async (r) =>
    Promise.all([
      r.call('post', 'keyed'),
      r.call('post', 'keyed'),
      r.call('put', 'keyed', { keyIdentity: 'same' }),
      r.call('put 2', 'keyed', { keyIdentity: 'same' }),
    ]),
  );
  for (const key of ['a', 'b', 'c']) await rig.runToEnd('w', null, key);
  expect(new Set(rig.sent.map(({ key }) => key)).size).toBe(12);
});

test('log writes once, in order, with its data', async () => {
  const rig = rigOf(async (r) => {
    for (let i = 0; i < 3; i++) {
      log.warn(`before ${i}`, { i });
      await r.call(`post ${i}`, 'keyed');
      await sleep('1h');
    }
    log.error('end');
  });
  await rig.runToEnd('w');
  const lines = rig.events.flatMap((event) =>
    event.type === 'log' ? [`${event.level} ${event.message} ${JSON.stringify(event.data ?? null)}`] : [],
  );
  expect(lines).toEqual(['warn before 0 {"i":0}', 'warn before 1 {"i":1}', 'warn before 2 {"i":2}', 'error end null']);
});

test('runs of one process that interleave at every await do not see each other', async () => {
  const rig = rigOf(async (r, input) => {
    const mine: string[] = [];
    for (let i = 0; i < 6; i++) {
      const value = (await r.call(`${String(input)} ${i}`, i % 2 === 0 ? 'safe' : 'keyed', {
        ms: 1 + ((i * 7 + String(input).length) % 5),
      })) as string;
      mine.push(value);
      if (i === 3) await sleep('1h');
    }
    return mine;
  });
  const names = ['a', 'bb', 'ccc', 'dddd', 'eeeee'];
  await rig.invoke(names.map((name) => rig.message('w', name, name)));
  for (const name of names) {
    await rig.wakeToEnd('w', name);
    expect(rig.value('w', name)).toEqual(Array.from({ length: 6 }, (_, i) => `${name} ${i}=1`));
  }
});
