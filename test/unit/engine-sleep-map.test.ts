import { describe, expect, test } from 'vitest';
import { map, now, sleep } from '../../src/engine/verbs.ts';
import { done, failed, HOUR, MINUTE } from '../support/engine/rig.ts';
import { outcome, rigOf } from '../support/engine/scenario.ts';

describe('sleep', () => {
  test.each([0, 1, 500, 2_000, 2_001, 60_000, 14 * MINUTE, 16 * MINUTE, 30 * 24 * HOUR])(
    'of %d ms lasts that long, and at most two seconds more',
    async (ms) => {
      const seen: number[] = [];
      const rig = rigOf(async (r) => {
        seen.push(r.clock.now());
        await sleep(ms);
        seen.push(r.clock.now());
      });
      await rig.runToEnd('w');
      const [began, ended] = [seen[0] as number, seen.at(-1) as number];
      expect(ended - began).toBeGreaterThanOrEqual(ms);
      expect(ended - began).toBeLessThanOrEqual(ms + 2_000);
    },
  );

  test('keeps its deadline over wakes, crashes and lost time', async () => {
    const rig = rigOf(async (r) => {
      await sleep('1h');
      return r.clock.now();
    });
    const began = rig.clock.now();
    await rig.invoke([rig.message('w')]);
    for (let i = 0; i < 5; i++) {
      rig.clock.advance(10 * MINUTE);
      await rig.resume('w');
      expect(rig.record('w').wakeAt).toBe(began + HOUR);
    }
    await rig.wakeToEnd('w');
    // A queue counts in whole seconds, and never early.
    expect((rig.value('w') as number) - began).toBeGreaterThanOrEqual(HOUR);
    expect((rig.value('w') as number) - began).toBeLessThan(HOUR + 1_000);
  });

  test('several run side by side, each to its own time', async () => {
    const rig = rigOf(async (r) => {
      const began = now();
      const at: number[] = [];
      await Promise.all(['3h', '1h', '2h', '1h'].map((d) => sleep(d).then(() => at.push(now() - began))));
      await r.call('end');
      return at;
    });
    await rig.runToEnd('w');
    expect((rig.value('w') as number[]).map((ms) => Math.round(ms / MINUTE))).toEqual([60, 60, 120, 180]);
  });

  test('refuses what is no duration', async () => {
    for (const bad of ['soon', -1, Number.NaN, '11 years']) {
      const { error } = await outcome(async () => sleep(bad));
      expect(error).toMatchObject({ code: 'E_BAD_DURATION', message: expect.stringMatching(/^sleep: /) as string });
    }
  });
});

describe('map', () => {
  test('answers in the order of its items, whatever ends first', async () => {
    const { value } = await outcome(async (r) => map([40, 10, 30, 20], async (ms, i) => [i, await r.call(`read ${ms}`, 'safe', { ms })]));
    expect(value).toEqual([
      [0, 'read 40=1'],
      [1, 'read 10=1'],
      [2, 'read 30=1'],
      [3, 'read 20=1'],
    ]);
  });

  test.each([
    [undefined, 20],
    [1, 1],
    [3, 3],
    [100, 30],
  ])('works on at most %s items at a time', async (concurrency, expected) => {
    let [inFlight, most] = [0, 0];
    const { value } = await outcome(async (r) =>
      map(
        Array.from({ length: 30 }, (_, i) => i),
        async (i) => {
          inFlight += 1;
          most = Math.max(most, inFlight);
          await r.call(`read ${i}`);
          inFlight -= 1;
          return i;
        },
        concurrency === undefined ? {} : { concurrency },
      ),
    );
    expect(most).toBe(expected);
    expect(value).toHaveLength(30);
  });

  test('tells identical calls of its items apart, over suspensions and however they interleave', async () => {
    const rig = rigOf(async (r) =>
      map(['a', 'b', 'c'], async (item, i) => {
        const first = await r.call('same', 'safe', { ms: (3 - i) * 10, answer: (_env, nth) => done(nth) });
        await sleep('1h');
        const second = await r.call('same', 'safe', { answer: (_env, nth) => done(nth) });
        return [item, first, second];
      }),
    );
    await rig.runToEnd('w');
    // Sent in the order of the items, so the first answers are theirs in that order.
    expect(rig.value('w')).toEqual([
      ['a', 1, expect.any(Number)],
      ['b', 2, expect.any(Number)],
      ['c', 3, expect.any(Number)],
    ]);
    expect(new Set(rig.sent.map(({ op }) => op)).size).toBe(6);
    expect(new Set(rig.sent.map(({ key }) => key)).size).toBe(6);
  });

  test('gives an item’s calls the keys that are its own, whatever the others do', async () => {
    const keys = async (order: number[]) => {
      const rig = rigOf(async (r) =>
        map(['a', 'b', 'c'], async (_item, i) => {
          await r.call('read', 'safe', { ms: order[i] as number });
          return r.call('post', 'keyed', { answer: (env) => done(env.keyMaterial) });
        }),
      );
      await rig.runToEnd('w');
      return rig.value('w');
    };
    expect(await keys([10, 20, 30])).toEqual(await keys([30, 20, 10]));
  });

  test('may stand inside another, and beside one', async () => {
    const rig = rigOf(async (r) => {
      const table = () => map([0, 1], async () => map([0, 1], async () => r.call('same', 'keyed')));
      const both = await Promise.all([table(), table()]);
      await sleep('1h');
      return both.flat(2).length;
    });
    await rig.runToEnd('w');
    expect(rig.value('w')).toBe(8);
    expect(new Set(rig.sent.map(({ key }) => key)).size).toBe(8);
  });

  test('rejects with the first rejection, and does not begin what it had not begun', async () => {
    const begun: number[] = [];
    const { value } = await outcome(async (r) => {
      const error: unknown = await map(
        [0, 1, 2, 3, 4, 5],
        async (i) => {
          begun.push(i);
          return r.call(`read ${i}`, 'safe', { ms: i === 1 ? 5 : 50, ...(i === 1 ? { answer: () => failed('the second') } : {}) });
        },
        { concurrency: 2 },
      ).catch((thrown: unknown) => thrown);
      await r.call('after', 'safe', { ms: 200 });
      return (error as Error).message;
    });
    expect(value).toBe('the second');
    expect(begun).toEqual([0, 1]);
  });

  test('rejects when its function throws at once', async () => {
    const { error } = await outcome(async () =>
      map([1], () => {
        throw new Error('at once');
      }),
    );
    expect(error?.message).toBe('at once');
  });

  test('takes any iterable, and nothing', async () => {
    expect((await outcome(async () => map(new Set([1, 2]), async (n) => n))).value).toEqual([1, 2]);
    expect((await outcome(async () => map([], async (n) => n))).value).toEqual([]);
  });

  test.each([0, -1, 1.5, Number.NaN, '5'])('refuses a concurrency of %s', async (concurrency) => {
    const { error } = await outcome(async () => map([1], async (n) => n, { concurrency: concurrency as number }));
    expect(error).toMatchObject({ code: 'E_BAD_OPTION', detail: { field: 'concurrency' } });
  });
});
