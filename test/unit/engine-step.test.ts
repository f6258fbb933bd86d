import { describe, expect, test } from 'vitest';
import { NonRetryableError, RetryAfterError, StepError } from '../../src/engine/errors.ts';
import { type StepOptions, step } from '../../src/engine/step.ts';
import { sleep } from '../../src/engine/verbs.ts';
import { HOUR, NEVER } from '../support/engine/rig.ts';
import { outcome } from '../support/engine/scenario.ts';

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
