import { describe, expect, test } from 'vitest';
import { type HoldfastError, NonRetryableError, RetryAfterError, StepError } from '../../src/engine/errors.ts';
import { type StepOptions, step } from '../../src/engine/step.ts';
import { log, map, now, random, sleep, uuid } from '../../src/engine/verbs.ts';
import { workflow } from '../../src/engine/workflow.ts';
import { createRig, done, failed, HOUR, MINUTE, NEVER, type Rig } from '../support/engine/rig.ts';

type Program = (rig: Rig, input: unknown) => Promise<unknown>;

function rigOf(run: Program): Rig {
  let rig: Rig;
  const definition = workflow({ name: 'w', run: async (input) => run(rig, input) });
  rig = createRig({ workflows: [definition] });
  return rig;
}

async function outcome(run: Program): Promise<{ rig: Rig; error?: HoldfastError; value?: unknown }> {
  let error: HoldfastError | undefined;
  const rig = rigOf(async (r, input) => {
    try {
      return await run(r, input);
    } catch (thrown) {
      error = thrown as HoldfastError;
      throw thrown;
    }
  });
  const record = await rig.runToEnd('w');
  if (record.status === 'succeeded') return { rig, value: rig.value('w') };
  return { rig, ...(error === undefined ? {} : { error }) };
}

describe('step', () => {
  test('runs its function once and keeps the result over suspensions', async () => {
    let ran = 0;
    const { rig, value } = await outcome(async () => {
      const result = await step('count', () => ({ ran: ++ran, none: undefined }));
      await sleep('1h');
      return result;
    });
    expect([ran, value]).toEqual([1, { ran: 1 }]);
    expect(
      rig
        .journal('w')
        .filter((entry) => 'op' in entry && entry.op === 'step count')
        .map((entry) => entry.k),
    ).toEqual(['start', 'done']);
  });

  test.each<[string, StepOptions, string[]]>([
    ['unsafe unless said otherwise: its START is durable', {}, ['start', 'done']],
    ['idempotent: its START is durable', { idempotent: true }, ['start', 'done']],
    ['safe: it costs no write of its own', { safe: true }, ['done']],
  ])('is %s', async (_name, options, kinds) => {
    const { rig } = await outcome(async () => step('s', () => 1, options));
    expect(rig.journal('w').map((entry) => entry.k)).toEqual(kinds);
  });

  test('gives back what was kept, live as on replay: a copy', async () => {
    const original = { list: [1], gone: undefined };
    const { rig } = await outcome(async () => {
      const kept = await step('s', () => original);
      expect(kept).not.toBe(original);
      expect(Object.keys(kept)).toEqual(['list']);
      expect(await step('nothing', () => undefined)).toBeUndefined();
      expect(await step('null', () => null)).toBeNull();
    });
    expect(rig.record('w').status).toBe('succeeded');
  });

  test('that is unsafe and throws has failed, without another try', async () => {
    let tries = 0;
    const { error } = await outcome(async () =>
      step('charge', () => {
        tries += 1;
        throw new TypeError('no such card');
      }),
    );
    expect(tries).toBe(1);
    expect(error).toBeInstanceOf(StepError);
    expect(error).toMatchObject({
      code: 'E_STEP_FAILED',
      message: 'step charge: no such card',
      detail: { cause: 'TypeError', attempts: 1 },
    });
  });

  test.each<[string, StepOptions]>([
    ['idempotent', { idempotent: true }],
    ['safe', { safe: true }],
  ])('that is %s and throws is tried again, six times or as said', async (_name, options) => {
    for (const attempts of [undefined, 1, 3]) {
      const seen: number[] = [];
      const { error } = await outcome(async () =>
        step(
          's',
          ({ attempt }) => {
            seen.push(attempt);
            throw new Error('again');
          },
          { ...options, ...(attempts === undefined ? {} : { attempts }) },
        ),
      );
      expect(seen).toEqual(Array.from({ length: attempts ?? 6 }, (_, i) => i + 1));
      expect(error).toMatchObject({ code: 'E_STEP_FAILED', detail: { attempts: attempts ?? 6 } });
    }
  });

  test('counts its attempts over suspensions, and has the run put down for the long waits', async () => {
    const seen: number[] = [];
    const { rig, value } = await outcome(async () =>
      step(
        's',
        ({ attempt }) => {
          seen.push(attempt);
          if (attempt < 6) throw new Error('not yet');
          return attempt;
        },
        { idempotent: true },
      ),
    );
    expect([seen, value]).toEqual([[1, 2, 3, 4, 5, 6], 6]);
    expect(rig.events.filter((event) => event.type === 'run.parked').length).toBeGreaterThanOrEqual(1);
  });

  test('is told apart from another of its name by its order', async () => {
    let n = 0;
    const { value } = await outcome(async () => {
      const results = [await step('s', () => ++n), await step('s', () => ++n)];
      await sleep('1h');
      return [...results, await step('s', () => ++n)];
    });
    expect(value).toEqual([1, 2, 3]);
  });

  test('ends at once with NonRetryableError', async () => {
    let tries = 0;
    const { error } = await outcome(async () =>
      step(
        's',
        () => {
          tries += 1;
          throw new NonRetryableError('never');
        },
        { idempotent: true },
      ),
    );
    expect([tries, error?.code]).toEqual([1, 'E_STEP_FAILED']);
  });

  test.each<[string, StepOptions]>([
    ['unsafe', {}],
    ['idempotent', { idempotent: true, attempts: 1 }],
    ['safe', { safe: true, attempts: 1 }],
  ])('waits exactly as long as RetryAfterError asks, which uses up no attempt (%s)', async (_name, options) => {
    const at: number[] = [];
    const { rig, value } = await outcome(async (r) =>
      step(
        's',
        () => {
          at.push(r.clock.now());
          if (at.length < 4) throw new RetryAfterError('busy', at.length === 1 ? 500 : '1h');
          return 'done';
        },
        options,
      ),
    );
    expect(value).toBe('done');
    expect(at.map((time) => time - (at[0] as number))).toEqual([0, 500, 500 + HOUR, 500 + 2 * HOUR]);
    expect(rig.record('w').status).toBe('succeeded');
  });

  test('that asks for another time for ever has failed after a hundred', async () => {
    let tries = 0;
    const { error } = await outcome(async () =>
      step('s', () => {
        tries += 1;
        throw new RetryAfterError('busy', 0);
      }),
    );
    expect(error?.code).toBe('E_STEP_FAILED');
    expect(tries).toBe(101);
  });

  test('that asks for no time has failed with that', async () => {
    const { error } = await outcome(async () =>
      step('s', () => {
        throw new RetryAfterError('busy', 'soon');
      }),
    );
    expect(error?.code).toBe('E_BAD_DURATION');
  });

  test.each<[string, unknown, string]>([
    ['a date', { list: [{ when: new Date() }] }, '/list/0/when'],
    ['a function', () => 1, '/'],
    ['NaN', { a: Number.NaN }, '/a'],
  ])('whose result cannot be kept fails with the path (%s), and is not made again', async (_name, result, path) => {
    let tries = 0;
    const { error } = await outcome(async () =>
      step(
        's',
        () => {
          tries += 1;
          return result;
        },
        { idempotent: true },
      ),
    );
    expect(error).toMatchObject({ code: 'E_NOT_SERIALISABLE', detail: { pointer: path } });
    expect(tries).toBe(1);
  });

  test('that takes too long is unknown when unsafe, and its signal says so', async () => {
    let aborted = false;
    const { rig } = await outcome(async () =>
      step(
        's',
        ({ signal }) => {
          signal.addEventListener('abort', () => {
            aborted = true;
          });
          return NEVER;
        },
        { timeout: '5s' },
      ),
    );
    expect(aborted).toBe(true);
    expect(rig.record('w')).toMatchObject({ status: 'paused', reason: { code: 'E_UNKNOWN_OUTCOME' } });
  });

  test.each<[string, StepOptions, number, object]>([
    ['thrown', { onUnknown: 'throw' }, 1, { code: 'E_UNKNOWN_OUTCOME' }],
    ['tried again', { onUnknown: 'retry', attempts: 2 }, 2, { code: 'E_UNKNOWN_OUTCOME' }],
    ['tried again when idempotent', { idempotent: true, attempts: 2 }, 2, { code: 'E_TIMEOUT' }],
  ])('that takes too long is %s where it says so', async (_name, options, expected, error) => {
    let tries = 0;
    const result = await outcome(async () =>
      step(
        's',
        () => {
          tries += 1;
          return NEVER;
        },
        { ...options, timeout: '5s' },
      ),
    );
    expect(tries).toBe(expected);
    expect(result.error).toMatchObject(error);
  });

  test('that answers after its time is not heard', async () => {
    const { value } = await outcome(async (r) => {
      let tries = 0;
      return step(
        's',
        async () => {
          tries += 1;
          await r.delay(tries === 1 ? 6_000 : 10);
          return tries;
        },
        { idempotent: true, timeout: '5s' },
      );
    });
    expect(value).toBe(2);
  });

  test.each<[string, () => Promise<unknown>, string]>([
    ['an empty name', () => step('', () => 1), 'name'],
    ['a name that is no text', () => step(5 as never, () => 1), 'name'],
    ['no attempts', () => step('s', () => 1, { attempts: 0 }), 'attempts'],
    ['half an attempt', () => step('s', () => 1, { attempts: 1.5 }), 'attempts'],
    ['a bad timeout', () => step('s', () => 1, { timeout: 'soon' }), 'timeout'],
  ])('refuses %s by name, and nothing is journaled', async (_name, act, field) => {
    const { rig, error } = await outcome(act);
    expect(['E_BAD_OPTION', 'E_BAD_DURATION']).toContain(error?.code);
    expect(error?.message).toContain(field);
    expect(rig.journal('w')).toEqual([]);
  });

  test('throws the same error live and after a suspension', async () => {
    const seen: string[] = [];
    await outcome(async () => {
      await step('s', () => {
        throw new RangeError('x');
      }).catch((error: StepError) =>
        seen.push([error.constructor.name, error.name, error.code, error.message, JSON.stringify(error.detail)].join('|')),
      );
      await sleep('1h');
    });
    expect(seen).toHaveLength(2);
    expect(seen[0]).toBe(seen[1]);
  });
});

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
