import { describe, expect, test } from 'vitest';
import type { Effect, Verdict } from '../../src/engine/operation.ts';
import { again, done, failed, HOUR, MINUTE, NEVER, type Rig } from '../support/engine/rig.ts';
import { abandon, killedAtSending, pick, rigOf } from '../support/engine/scenario.ts';

describe('an unsafe effect whose worker died after it was sent', () => {
  const hangs = (then?: () => Verdict) =>
    rigOf(async (r) =>
      r.call('post', 'unsafe', {
        answer: (_env, nth) => (nth === 1 ? NEVER : done(`sent ${nth} times`)),
        ...(then ? { unknown: async () => then() } : {}),
      }),
    );

  test('is not sent again, and pauses its run', async () => {
    const rig = hangs();
    await killedAtSending(rig, 1);
    const record = await rig.wakeToEnd('w');
    expect(record).toMatchObject({ status: 'paused', reason: { code: 'E_UNKNOWN_OUTCOME' } });
    expect(record.due).toBeGreaterThan(rig.clock.now() + 23 * HOUR);
    expect(rig.sent).toHaveLength(1);
    expect(pick(rig.journal('w'), 'unknown')).toHaveLength(1);
  });

  test('stays so however often it is woken', async () => {
    const rig = hangs();
    await killedAtSending(rig, 1);
    await rig.wakeToEnd('w');
    for (let i = 0; i < 5; i++) await rig.resume('w');
    expect(rig.record('w').status).toBe('paused');
    expect(rig.sent).toHaveLength(1);
  });

  test('is over when asking finds that it happened', async () => {
    const rig = hangs(() => done('found'));
    await killedAtSending(rig, 1);
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toBe('found');
    expect(rig.sent).toHaveLength(1);
  });

  test('is sent as new, with a START of its own, when asking finds that it did not happen', async () => {
    const rig = hangs(() => ({ type: 'resend' }));
    await killedAtSending(rig, 1);
    let starts = 0;
    rig.watch.send = () => {
      starts = pick(rig.journal('w'), 'start').length;
    };
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toBe('sent 2 times');
    expect(starts).toBe(2);
    expect(rig.sent[1]).toMatchObject({ key: rig.sent[0]?.key, attempt: 2 });
    expect(rig.sent[1]?.firstSentAt).toBe(rig.sent[1]?.at);
  });

  test('fails in user code when asking says so', async () => {
    const rig = hangs(() => failed('no'));
    await killedAtSending(rig, 1);
    await rig.wakeToEnd('w');
    expect(rig.error('w')).toMatchObject({ code: 'E_CALL_FAILED', message: 'no' });
  });

  test('is asked about later when asking says so, without being sent', async () => {
    let asked = 0;
    const rig: Rig = rigOf(async (r) =>
      r.call('post', 'unsafe', {
        answer: () => NEVER,
        unknown: async (env) => {
          asked += 1;
          return asked < 3 ? again(env.clock.now() + 10 * MINUTE) : done('found');
        },
      }),
    );
    await killedAtSending(rig, 1);
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toBe('found');
    expect([asked, rig.sent.length]).toEqual([3, 1]);
  });

  test('is settled by a verdict that comes into the inbox', async () => {
    const rig = hangs();
    await killedAtSending(rig, 1);
    await rig.wakeToEnd('w');
    const op = rig.sent[0]?.op as string;
    await rig.resume('w', 'k', { key: 'late:1', kind: 'late', data: { op, attempt: 1, value: '"a person says so"' } });
    expect(rig.value('w')).toBe('a person says so');
    expect(rig.sent).toHaveLength(1);
  });

  test('is settled by a verdict that it failed', async () => {
    const rig = hangs();
    await killedAtSending(rig, 1);
    await rig.wakeToEnd('w');
    const op = rig.sent[0]?.op as string;
    await rig.resume('w', 'k', {
      key: 'late:1',
      kind: 'late',
      data: { op, attempt: 1, error: { code: 'E_CALL_FAILED', message: 'it did not' } },
    });
    expect(rig.error('w').message).toBe('it did not');
  });

  test('was never sent when the worker died before START was durable, and is sent once', async () => {
    const rig = rigOf(async (r) => r.call('post', 'unsafe'));
    rig.faults.before = (op) => (op === 'create' ? NEVER : undefined);
    await rig.invoke([rig.message('w')], { until: () => false });
    delete rig.faults.before;
    rig.forget();
    await rig.invoke([rig.message('w', null, 'k', 2)]);
    expect(rig.value('w')).toBe('post=1');
  });

  test('is unknown when it died between START and the sending: nobody can tell', async () => {
    const rig = rigOf(async (r) => r.call('post', 'unsafe'));
    rig.faults.after = (op) => (op === 'create' ? NEVER : undefined);
    await rig.invoke([rig.message('w')]);
    delete rig.faults.after;
    abandon(rig);
    expect((await rig.wakeToEnd('w')).reason?.code).toBe('E_UNKNOWN_OUTCOME');
    expect(rig.sent).toHaveLength(0);
  });
});

describe('a keyed effect whose worker died after it was sent', () => {
  test('is sent again with the same key and the time of its first sending, after a claim', async () => {
    const rig = rigOf(async (r) => r.call('post', 'keyed', { answer: (_env, nth) => (nth === 1 ? NEVER : done(nth)), keyTtl: 23 * HOUR }));
    await killedAtSending(rig, 1);
    const owner = rig.record('w').lease?.owner;
    rig.watch.send = () => expect(rig.record('w').lease?.owner).not.toBe(owner);
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toBe(2);
    expect(rig.sent[1]).toMatchObject({ key: rig.sent[0]?.key, firstSentAt: rig.sent[0]?.at });
    expect(pick(rig.journal('w'), 'start')).toHaveLength(1);
  });

  test('claims even when nothing else tells that a worker died', async () => {
    const rig = rigOf(async (r) => {
      await Promise.race([r.call('post', 'keyed', { answer: (env, nth) => (nth === 1 ? again(env.clock.now() + HOUR) : done(nth)) })]);
    });
    await rig.invoke([rig.message('w')]);
    expect(rig.record('w')).toMatchObject({ status: 'waiting' });
    expect(rig.record('w').lease).toBeUndefined();
    rig.watch.send = () => expect(rig.record('w').lease?.until).toBeGreaterThan(rig.clock.now());
    await rig.wakeToEnd('w');
    expect(rig.sent).toHaveLength(2);
    expect(rig.sent[1]?.key).toBe(rig.sent[0]?.key);
  });

  test('is unknown when the API has forgotten its key by now', async () => {
    const rig = rigOf(async (r) => r.call('post', 'keyed', { answer: () => NEVER, keyTtl: 4 * MINUTE }));
    await killedAtSending(rig, 1);
    const record = await rig.wakeToEnd('w');
    expect(record).toMatchObject({ status: 'paused', reason: { code: 'E_UNKNOWN_OUTCOME' } });
    expect(record.reason?.message).toContain('keyed post');
    expect(rig.sent).toHaveLength(1);
  });

  test('counts that time from its first sending, over retries and wakes', async () => {
    const rig = rigOf(async (r) => r.call('post', 'keyed', { answer: (env) => again(env.clock.now() + HOUR), keyTtl: 2.5 * HOUR }));
    await rig.runToEnd('w');
    expect(rig.record('w')).toMatchObject({ status: 'paused' });
    expect(rig.sent).toHaveLength(3);
    for (const one of rig.sent) expect(one.firstSentAt).toBe(rig.sent[0]?.at);
  });

  test('is a divergence when its body has changed, and is not sent', async () => {
    let body = 'one';
    const rig = rigOf(async (r) => r.call('post', 'keyed', { answer: () => NEVER, bodyHash: body }));
    await killedAtSending(rig, 1);
    body = 'two';
    const record = await rig.wakeToEnd('w');
    expect(record).toMatchObject({ status: 'paused', reason: { code: 'E_DIVERGED' } });
    expect(record.reason?.message).toContain('keyed post');
    expect(rig.sent).toHaveLength(1);
  });

  test('leaves the START of its neighbour alone when its body has changed', async () => {
    let body = 'one';
    const rig = rigOf(async (r) =>
      Promise.all([r.call('post', 'keyed', { answer: (_env, nth) => (nth === 1 ? NEVER : done(nth)), bodyHash: body }), after(r)]),
    );
    let open = false;
    const after = async (r: Rig) => (open ? r.call('neighbour', 'unsafe') : undefined);
    await killedAtSending(rig, 1);
    body = 'two';
    open = true;
    await rig.wakeToEnd('w');
    body = 'one';
    await rig.resume('w');
    expect(rig.record('w').status).toBe('succeeded');
    expect(rig.sends('neighbour')).toBe(1);
  });
});

test.each<Effect>(['idempotent', 'safe'])('an interrupted %s operation is made again', async (effect) => {
  const rig = rigOf(async (r) => {
    await r.call('post', 'keyed');
    return r.call('it', effect, { answer: (_env, nth) => (nth === 1 ? NEVER : done(nth)) });
  });
  await killedAtSending(rig, 2);
  await rig.wakeToEnd('w');
  expect(rig.value('w')).toBe(2);
  expect(new Set(rig.sent.filter(({ label }) => label === 'post').map(({ key }) => key)).size).toBe(1);
});

test('an operation that throws instead of answering fails, and says that it is a fault of Holdfast', async () => {
  const rig = rigOf(async (r) =>
    r.call('it', 'unsafe', {
      answer: () => {
        throw new TypeError('oops');
      },
    }),
  );
  await rig.runToEnd('w');
  expect(rig.error('w')).toMatchObject({ code: 'E_INTERNAL', message: 'oops' });
});

test('the time of the first sending is that of the first, over any number of sendings and wakes', async () => {
  const rig = rigOf(async (r) =>
    r.call('post', 'unsafe', { answer: (env, nth) => (nth < 4 ? again(env.clock.now() + HOUR) : done(env.firstSentAt ?? 0)) }),
  );
  await rig.runToEnd('w');
  expect(rig.value('w')).toBe(rig.sent[0]?.at);
  expect(pick(rig.journal('w'), 'start').map((entry) => (entry as { n: number }).n)).toEqual([1, 2, 3, 4]);
  expect(rig.sent.map((one) => one.attempt)).toEqual([1, 2, 3, 4]);
});
