import { describe, expect, test } from 'vitest';
import type { Effect } from '../../src/engine/operation.ts';
import { step } from '../../src/engine/step.ts';
import { map, sleep } from '../../src/engine/verbs.ts';
import { operatorOf, refusal } from '../support/engine/operator.ts';
import { done, failed, HOUR, NEVER, type Rig } from '../support/engine/rig.ts';
import { abandon, pick, rigOf } from '../support/engine/scenario.ts';

/** An API that is broken until somebody mends it. */
function breakable() {
  const api = { broken: true };
  return { api, answer: (value: string) => () => (api.broken ? failed(`${value} is broken`) : done(value)) };
}

describe('a failed run that is redriven', () => {
  test.each<Effect>(['safe', 'idempotent', 'keyed', 'unsafe'])(
    'goes on at the call whose failure ended it, with everything before it kept (%s)',
    async (effect) => {
      const { api, answer } = breakable();
      const rig = rigOf(async (r) => {
        const first = await r.call('first', 'unsafe');
        await sleep('1 day');
        const second = await r.call('second', effect, { answer: answer('mended') });
        return [first, second, await r.call('third', 'unsafe')];
      });
      expect(await rig.runToEnd('w')).toMatchObject({ status: 'failed', outcome: { error: { detail: { calls: [`${effect} second`] } } } });
      const before = rig.record('w');
      api.broken = false;
      rig.clock.advance(HOUR);
      const { from } = await operatorOf(rig).redrive();
      expect(rig.record('w')).toMatchObject({ status: 'queued', incarnation: 1, crashes: 0, due: rig.clock.now() });
      expect(rig.record('w').outcome ?? rig.record('w').endedAt).toBeUndefined();
      expect(await rig.wakeToEnd('w')).toMatchObject({ status: 'succeeded', createdAt: before.createdAt, key: before.key });
      expect(rig.value('w')).toEqual(['first=1', 'mended', 'third=1']);
      expect([rig.sends('first'), rig.sends('second'), rig.sends('third')]).toEqual([1, 2, 1]);
      expect(pick(rig.journal('w'), 'redrive')).toMatchObject([{ cut: from, again: [`${effect} second`], by: 'ops', why: 'a test' }]);
    },
  );

  test('keeps the effects that ended after the failure, and makes the reads again', async () => {
    const { api, answer } = breakable();
    const rig = rigOf(async (r) =>
      Promise.all([
        r.call('post', 'unsafe', { ms: 500 }),
        r.call('put', 'idempotent', { ms: 600 }),
        r.call('read', 'safe', { ms: 20, answer: answer('read') }),
      ]),
    );
    await rig.runToEnd('w');
    expect(rig.record('w').status).toBe('failed');
    api.broken = false;
    await operatorOf(rig).redrive();
    expect(pick(rig.journal('w'), 'settled')).toHaveLength(2);
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toEqual(['post=1', 'put=1', 'read']);
    expect([rig.sends('post'), rig.sends('put'), rig.sends('read')]).toEqual([1, 1, 2]);
  });

  test('makes everything again that failed beside it', async () => {
    const { api, answer } = breakable();
    const rig = rigOf(async (r) =>
      map([1, 2, 3, 4], (n) => r.call(`n${n}`, n % 2 ? 'unsafe' : 'safe', { ms: n, answer: answer(`n${n}`) })),
    );
    await rig.runToEnd('w');
    api.broken = false;
    await operatorOf(rig).redrive();
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toEqual(['n1', 'n2', 'n3', 'n4']);
  });

  test('finds the failure through a cause and through what Promise.any gathers', async () => {
    for (const wrap of [
      async (r: Rig, answer: () => ReturnType<typeof done>) =>
        r.call('it', 'safe', { answer }).catch((cause: unknown) => {
          throw new Error('it went wrong', { cause });
        }),
      async (r: Rig, answer: () => ReturnType<typeof done>) =>
        Promise.any([r.call('it', 'safe', { answer }), r.call('that', 'safe', { answer })]),
    ]) {
      const { api, answer } = breakable();
      const rig = rigOf(async (r) => wrap(r, answer('mended')));
      await rig.runToEnd('w');
      api.broken = false;
      await operatorOf(rig).redrive();
      await rig.wakeToEnd('w');
      expect(rig.value('w')).toBe('mended');
    }
  });

  test('goes on at its end where no call had failed: fixed code takes over', async () => {
    let fixed = false;
    const rig = rigOf(async (r) => {
      const got = await r.call('get');
      if (!fixed) throw new Error('a mistake in the code');
      return got;
    });
    await rig.runToEnd('w');
    fixed = true;
    await operatorOf(rig).redrive();
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toBe('get=1');
    expect(rig.sends('get')).toBe(1);
  });

  test('may send something else where it failed: the failed call need not be issued again', async () => {
    let fixed = false;
    const rig = rigOf(async (r) => r.call(fixed ? 'right' : 'wrong', 'unsafe', { answer: () => (fixed ? done('right') : failed('400')) }));
    await rig.runToEnd('w');
    fixed = true;
    await operatorOf(rig).redrive();
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toBe('right');
  });

  test('has a new budget of attempts', async () => {
    const { api } = breakable();
    const rig = rigOf(async (r) =>
      r.call('flaky', 'safe', {
        answer: (env) =>
          api.broken
            ? env.attempt < 3
              ? { type: 'again', at: r.clock.now() + HOUR, counts: 'attempt', error: { code: 'E_CALL_FAILED', message: '503' } }
              : failed('503')
            : env.attempt === 1
              ? { type: 'again', at: r.clock.now() + HOUR, counts: 'attempt', error: { code: 'E_CALL_FAILED', message: '503' } }
              : done(env.attempt),
      }),
    );
    await rig.runToEnd('w');
    expect(rig.record('w').status).toBe('failed');
    api.broken = false;
    await operatorOf(rig).redrive();
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toBe(2);
  });

  test('does not send again what is unknown, although its failure ended the run', async () => {
    const rig = rigOf(async (r) =>
      r.call('post', 'unsafe', {
        answer: () => ({ type: 'unknown', error: { code: 'E_UNKNOWN_OUTCOME', message: 'sent?' } }),
        unknown: async () => failed('unknown'),
      }),
    );
    await rig.runToEnd('w');
    expect(rig.record('w').status).toBe('failed');
    await operatorOf(rig).redrive();
    await rig.wakeToEnd('w');
    expect(rig.record('w').status).toBe('failed');
    expect(rig.sends('post')).toBe(1);
  });

  test('can be redriven as often as it fails, also when its journal has spilled', async () => {
    const { api, answer } = breakable();
    const rig = rigOf(async (r) => {
      const many = await map([...Array(120).keys()], (n) => r.call(`n${n}-${'x'.repeat(100)}`, 'unsafe'));
      const last = await r.call('last', 'unsafe', { answer: answer('mended') });
      return [many.length, last];
    });
    await rig.runToEnd('w');
    expect(rig.record('w')).toMatchObject({ status: 'failed', spilled: true });
    for (let round = 1; round <= 3; round++) {
      await operatorOf(rig).redrive();
      expect(await rig.wakeToEnd('w')).toMatchObject({ status: 'failed', incarnation: round });
    }
    api.broken = false;
    await operatorOf(rig).redrive();
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toEqual([120, 'mended']);
    expect(rig.sent.filter(({ label }) => label.startsWith('n'))).toHaveLength(120);
  });

  test('after five crashes goes on with a clean count', async () => {
    let crashing = true;
    const rig = rigOf(async (r) => {
      await r.call('first', 'unsafe');
      await r.call('second', 'safe', { answer: () => (crashing ? new Promise(() => {}) : done('ok')) });
    });
    await rig.runToEnd('w', null, 'k', { rounds: 1 });
    const record = rig.record('w');
    await rig.store.replace({ ...record, crashes: 5, nonce: 'crashed' }, record.nonce, { anyInbox: true });
    rig.clock.advance(10 * HOUR);
    await rig.invoke([rig.wakeMessage(rig.idOf('w'))]);
    expect(rig.record('w')).toMatchObject({ status: 'failed', outcome: { error: { code: 'E_CRASHED' } } });
    crashing = false;
    await operatorOf(rig).redrive();
    expect(await rig.wakeToEnd('w')).toMatchObject({ status: 'succeeded', crashes: 0 });
    expect(rig.sends('first')).toBe(1);
  });
});

test('a verdict on a sending before the redrive says nothing of one after it', async () => {
  const rig = rigOf(async (r) =>
    r.call('post', 'unsafe', {
      answer: (_env, nth) => {
        if (nth === 1) return { type: 'unknown', error: { code: 'E_UNKNOWN_OUTCOME', message: 'sent?' } };
        return nth === 2 ? failed('400') : NEVER;
      },
    }),
  );
  await rig.runToEnd('w');
  await operatorOf(rig).settle({ outcome: 'not-happened' });
  expect(await operatorOf(rig).onward()).toMatchObject({ status: 'failed' });
  await operatorOf(rig).redrive();
  await rig.invoke(
    rig.wake.take().map(({ run }) => rig.wakeMessage(run)),
    { until: () => rig.sends('post') === 3 },
  );
  abandon(rig);
  expect(await rig.wakeToEnd('w')).toMatchObject({ status: 'paused', reason: { code: 'E_UNKNOWN_OUTCOME' } });
  expect(rig.sends('post')).toBe(3);
});

test('a wake that fails after a redrive does not make it fail: the run is due', async () => {
  const { api, answer } = breakable();
  const rig = rigOf(async (r) => r.call('get', 'safe', { answer: answer('mended') }));
  await rig.runToEnd('w');
  api.broken = false;
  rig.faults.before = (op) => {
    if (op === 'wake') throw new Error('the queue is away');
  };
  await operatorOf(rig).redrive();
  delete rig.faults.before;
  await rig.wakeToEnd('w');
  expect(rig.value('w')).toBe('mended');
});

describe('a redrive is refused', () => {
  test('where an effect was begun after the failure, and says which', async () => {
    const rig = rigOf(async (r) => {
      try {
        await r.call('charge', 'unsafe', { answer: () => failed('declined') });
      } catch (error) {
        await r.call('refund', 'unsafe');
        throw error;
      }
    });
    await rig.runToEnd('w');
    const refused = await refusal(operatorOf(rig).redrive());
    expect(refused).toMatchObject({ code: 'E_NOT_APPLICABLE', detail: { effects: ['unsafe refund'] } });
    expect(rig.record('w').status).toBe('failed');
  });

  test('unless it is told to go on from where nothing was begun', async () => {
    const rig = rigOf(async (r) => {
      try {
        await r.call('charge', 'unsafe', { answer: () => failed('declined') });
      } catch {
        await r.call('notify', 'unsafe', { answer: (_env, nth) => (nth === 1 ? failed('down') : done('told')) });
      }
      return 'ended';
    });
    await rig.runToEnd('w');
    const seq = rig.journal('w').findLastIndex(({ k }) => k === 'fail');
    await operatorOf(rig).redrive(seq);
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toBe('ended');
    expect([rig.sends('charge'), rig.sends('notify')]).toEqual([1, 2]);
  });

  test('for an entry that is no failure, and for runs that have not failed', async () => {
    const rig = rigOf(async (r) => r.call('get', 'safe', { answer: () => failed('no') }));
    await rig.runToEnd('w');
    expect(await refusal(operatorOf(rig).redrive(77))).toMatchObject({ code: 'E_REQUEST_INVALID', detail: { pointer: '/from' } });
    const well = rigOf(async () => 'ok');
    await well.runToEnd('w');
    expect(await refusal(operatorOf(well).redrive())).toMatchObject({ code: 'E_NOT_APPLICABLE', detail: { status: 'succeeded' } });
  });

  test('to the second of two at once', async () => {
    const rig = rigOf(async (r) => r.call('get', 'safe', { answer: (_env, nth) => (nth === 1 ? failed('no') : done('yes')) }));
    await rig.runToEnd('w');
    const both = await Promise.allSettled([operatorOf(rig).redrive(), operatorOf(rig).redrive()]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toBe('yes');
  });
});

describe('a paused run', () => {
  test('that is resumed tries again, and pauses again while nothing has changed', async () => {
    let there = false;
    const rig = rigOf(async (r) =>
      r.call('get', 'safe', {
        answer: () => (there ? done('got') : { type: 'pause', error: { code: 'E_SECRET_MISSING', message: 'crm/token' } }),
      }),
    );
    expect(await rig.runToEnd('w')).toMatchObject({ status: 'paused', reason: { code: 'E_SECRET_MISSING' } });
    await operatorOf(rig).resume();
    expect(await operatorOf(rig).onward()).toMatchObject({ status: 'paused' });
    there = true;
    await operatorOf(rig).resume();
    expect(await operatorOf(rig).onward()).toMatchObject({ status: 'succeeded' });
    expect(await refusal(operatorOf(rig).resume())).toMatchObject({ code: 'E_NOT_APPLICABLE', detail: { status: 'succeeded' } });
  });

  test('whose code took another way ends when it is resumed with the right one', async () => {
    let wrong = false;
    const rig = rigOf(async (r) => {
      await r.call(wrong ? 'other' : 'one');
      await sleep('1 day');
      return r.call('two');
    });
    await rig.invoke([rig.message('w')]);
    wrong = true;
    await rig.wakeToEnd('w');
    expect(rig.record('w').reason?.message).toMatch(/- journal: safe one\n[\s\S]*\+ code: {4}safe other/);
    wrong = false;
    await operatorOf(rig).resume();
    await operatorOf(rig).onward();
    expect(rig.value('w')).toBe('two=1');
  });

  const unknowing = () =>
    rigOf(async (r) => {
      const outcome = await r
        .call('post', 'unsafe', {
          answer: (_env, nth) =>
            nth === 1 ? { type: 'unknown', error: { code: 'E_UNKNOWN_OUTCOME', message: 'sent?' } } : done(`sent ${nth} times`),
        })
        .catch((error: Error) => `it failed: ${error.message}`);
      return outcome;
    });

  test('is settled by what a person found: it happened, it did not, or nobody knows', async () => {
    const happened = unknowing();
    expect(await happened.runToEnd('w')).toMatchObject({ status: 'paused' });
    await operatorOf(happened).settle({ outcome: 'happened', value: { status: 201, data: { id: 7 } } });
    await operatorOf(happened).onward();
    expect(happened.value('w')).toEqual({ status: 201, data: { id: 7 } });
    expect(happened.sends('post')).toBe(1);

    const not = unknowing();
    await not.runToEnd('w');
    await operatorOf(not).settle({ outcome: 'not-happened' });
    await operatorOf(not).onward();
    expect(not.value('w')).toBe('sent 2 times');
    expect(pick(not.journal('w'), 'start')).toHaveLength(2);

    const nobody = unknowing();
    await nobody.runToEnd('w');
    await operatorOf(nobody).settle({ outcome: 'failed', message: 'the bank does not answer' });
    await operatorOf(nobody).onward();
    expect(nobody.value('w')).toBe('it failed: unsafe post: the bank does not answer');
    expect(nobody.sends('post')).toBe(1);
  });

  test('counts the last of several verdicts, and a verdict on an earlier sending says nothing of a later one', async () => {
    const rig = unknowing();
    await rig.runToEnd('w');
    await operatorOf(rig).settle({ outcome: 'not-happened' });
    rig.clock.advance(1);
    await operatorOf(rig).settle({ outcome: 'happened', value: { status: 200 } });
    await operatorOf(rig).onward();
    expect(rig.value('w')).toEqual({ status: 200 });

    const twice = rigOf(async (r) =>
      r.call('post', 'unsafe', { answer: () => ({ type: 'unknown', error: { code: 'E_UNKNOWN_OUTCOME', message: 'sent?' } }) }),
    );
    await twice.runToEnd('w');
    await operatorOf(twice).settle({ outcome: 'not-happened' });
    expect(await operatorOf(twice).onward()).toMatchObject({ status: 'paused' });
    await operatorOf(twice).resume();
    await operatorOf(twice).onward();
    expect(twice.sends('post')).toBe(2);
  });

  test('settles a step with its result', async () => {
    const rig = rigOf(async () => step('charge', () => new Promise(() => {}), { timeout: '1s' }));
    expect(await rig.runToEnd('w')).toMatchObject({ status: 'paused' });
    await operatorOf(rig).settle({ outcome: 'happened', value: 'charged' });
    await operatorOf(rig).onward();
    expect(rig.value('w')).toBe('charged');
  });

  test('refuses verdicts on what is known, on nothing, and replies that are none', async () => {
    const rig = unknowing();
    await rig.runToEnd('w');
    expect(await refusal(operatorOf(rig).settle({ outcome: 'happened', value: 'yes' }))).toMatchObject({
      code: 'E_REQUEST_INVALID',
      detail: { pointer: '/value' },
    });
    expect(await refusal(operatorOf(rig).settle({ outcome: 'not-happened' }, 99))).toMatchObject({ code: 'E_NOT_APPLICABLE' });
    await operatorOf(rig).settle({ outcome: 'not-happened' });
    await operatorOf(rig).onward();
    expect(await refusal(operatorOf(rig).settle({ outcome: 'not-happened' }, 0))).toMatchObject({
      code: 'E_NOT_APPLICABLE',
      detail: { status: 'succeeded' },
    });
  });
});

describe('deleting', () => {
  test('removes an ended run and its payloads, and keeps its key bound', async () => {
    const rig = rigOf(
      async (r) =>
        (await r.call('large', 'unsafe', {
          answer: () => done(Array.from({ length: 30_000 }, (_, n) => `${n}-${Math.sin(n)}`)),
        })) as string[],
    );
    await rig.runToEnd('w');
    expect(rig.payloads.keys().length).toBeGreaterThan(0);
    await operatorOf(rig).remove();
    expect(rig.payloads.keys()).toEqual([]);
    expect(rig.record('w')).toMatchObject({ status: 'succeeded', deletedAt: rig.clock.now() });
    await operatorOf(rig).remove();
    await rig.invoke([rig.message('w')]);
    expect(rig.sends('large')).toBe(1);
  });

  test('ends a redrive that is under way: whoever comes first wins, and nothing is sent again', async () => {
    const rig = rigOf(async (r) => {
      await map([...Array(120).keys()], (n) => r.call(`n${n} ${Math.sin(n)} ${Math.cos(n)}`, 'unsafe'));
      await r.call('last', 'unsafe', { answer: () => failed('no') });
    });
    await rig.runToEnd('w');
    let removed = false;
    rig.faults.after = async (op) => {
      if (op !== 'append' || removed) return;
      removed = true;
      await operatorOf(rig).remove();
    };
    expect(await refusal(operatorOf(rig).redrive())).toMatchObject({ code: 'E_NOT_APPLICABLE' });
    expect(rig.record('w')).toMatchObject({ status: 'failed', deletedAt: expect.any(Number) as number });
    expect(await refusal(operatorOf(rig).redrive())).toMatchObject({ code: 'E_NOT_APPLICABLE' });
    await rig.invoke([rig.message('w')]);
    expect(rig.sent).toHaveLength(121);
  });

  test('is refused while a run has not ended', async () => {
    const rig = rigOf(async () => sleep('1 day'));
    await rig.invoke([rig.message('w')]);
    expect(await refusal(operatorOf(rig).remove())).toMatchObject({ code: 'E_NOT_APPLICABLE', detail: { status: 'waiting' } });
  });
});
