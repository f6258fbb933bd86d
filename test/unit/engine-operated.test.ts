/** Operating on runs at the worst moments: each test states what is promised. */
import { describe, expect, test } from 'vitest';
import { CancelledError } from '../../src/engine/errors.ts';
import { cancelRun } from '../../src/engine/operate.ts';
import { sleep } from '../../src/engine/verbs.ts';
import { operatorOf } from '../support/engine/operator.ts';
import { again, done, failed, gate, HOUR } from '../support/engine/rig.ts';
import { abandon, rigOf } from '../support/engine/scenario.ts';

const unknown = { type: 'unknown' as const, error: { code: 'E_UNKNOWN_OUTCOME', name: 'UnknownOutcomeError', message: 'sent?' } };

describe('an unsafe call that was answered "not now"', () => {
  test('between two tries in process is not unknown to the cancellation', async () => {
    const rig = rigOf(async (r) => {
      await r.call('post', 'unsafe', { ms: 100, answer: (env) => (env.attempt > 20 ? done('x') : again(r.clock.now() + 1_900)) });
    });
    const began = rig.clock.now();
    const invocation = rig.begin([rig.message('w')]);
    await rig.settle(() => rig.clock.now() >= began + 3_000);
    await operatorOf(rig).cancel();
    await rig.settle(() => invocation.kept !== undefined);
    const record = await operatorOf(rig).onward();
    expect(record.status).toBe('cancelled');
  });

  test('in flight when something comes into the inbox is not unknown', async () => {
    const open = gate();
    const rig = rigOf(async (r) => {
      await r.call('post', 'unsafe', {
        ms: 0,
        timeout: 60_000,
        answer: async (_e, nth) => {
          if (nth === 1) {
            await open.wait();
            return again(r.clock.now() + HOUR, 'throttle');
          }
          return done('posted');
        },
      });
    });
    const began = rig.clock.now();
    const invocation = rig.begin([rig.message('w')]);
    await rig.settle(() => rig.clock.now() >= began + 1_000);
    // Anything: a verdict on another call, a late result, a request to cancel.
    await rig.store.deliver(rig.idOf('w'), { key: 'x', kind: 'resume', at: rig.clock.now(), data: {} }, rig.clock.now());
    await rig.settle(() => false, began + 12_000);
    open.open();
    await rig.settle(() => invocation.kept !== undefined);
    const record = await rig.wakeToEnd('w');
    expect(record.status).toBe('succeeded');
    expect(rig.sent.map(({ at }) => at)[1]! - rig.sent[0]!.at).toBeGreaterThanOrEqual(HOUR);
  });

  test('when the run failed beside it is not unknown to the redrive', async () => {
    let broken = true;
    const rig = rigOf(async (r) =>
      Promise.all([
        r.call('post', 'unsafe', { ms: 5, answer: () => (broken ? again(r.clock.now() + 1_500) : done('posted')) }),
        r.call('read', 'safe', { ms: 500, answer: () => (broken ? failed('read') : done('read')) }),
      ]),
    );
    await rig.runToEnd('w');
    expect(rig.record('w').status).toBe('failed');
    broken = false;
    await operatorOf(rig).redrive();
    const record = await rig.wakeToEnd('w');
    expect(record.status).toBe('succeeded');
  });
});

test('a second redrive does not ask for a call that the first allowed to be left out', async () => {
  let fix = 0;
  const rig = rigOf(async (r) => {
    if (fix === 0) return r.call('wrong', 'unsafe', { answer: () => failed('400') });
    await r.call('right', 'unsafe');
    return r.call('second', 'unsafe', { answer: () => (fix === 1 ? failed('broken') : done('second')) });
  });
  await rig.runToEnd('w');
  fix = 1;
  await operatorOf(rig).redrive();
  await rig.wakeToEnd('w');
  expect(rig.error('w').message).toBe('broken');
  fix = 2;
  await operatorOf(rig).redrive();
  const record = await rig.wakeToEnd('w');
  expect(record.status).toBe('succeeded');
});

test('what a redrive made again and began is asked for from then on', async () => {
  let phase = 0;
  const rig = rigOf(async (r) => {
    if (phase === 2) return 'the payment is forgotten';
    return r.call('pay', 'keyed', { answer: () => (phase === 0 ? failed('400') : again(r.clock.now() + HOUR)) });
  });
  await rig.runToEnd('w');
  phase = 1;
  await operatorOf(rig).redrive();
  await rig.invoke(rig.wake.take().map((m) => rig.wakeMessage(m.run)));
  expect(rig.record('w').status).toBe('waiting');
  expect(rig.sends('pay')).toBe(2);
  phase = 2;
  const record = await rig.wakeToEnd('w');
  expect(record.status).toBe('paused');
});

test('a redrive from a cancelled call does not cancel it again', async () => {
  const rig = rigOf(async (r) => {
    await sleep('1 day').catch((error: unknown) => {
      if (error instanceof CancelledError) throw new Error('could not clean up');
      throw error;
    });
    return r.call('go');
  });
  await rig.invoke([rig.message('w')]);
  await operatorOf(rig).cancel();
  expect(await rig.wakeToEnd('w')).toMatchObject({ status: 'failed' });
  const from = rig.journal('w').findIndex(({ k }) => k === 'fail');
  await operatorOf(rig).redrive(from);
  const record = await rig.wakeToEnd('w');
  expect(record.status).toBe('succeeded');
});

test('after a redrive a call that was settled as failed can be settled anew', async () => {
  const rig = rigOf(async (r) => r.call('post', 'unsafe', { answer: () => unknown }));
  await rig.runToEnd('w');
  await operatorOf(rig).settle({ outcome: 'failed', message: 'nobody knows' });
  expect(await operatorOf(rig).onward()).toMatchObject({ status: 'failed' });
  rig.clock.advance(HOUR);
  await operatorOf(rig).redrive();
  const record = await rig.wakeToEnd('w');
  expect(record.status).toBe('paused');
});

test('the deadline of retries counts anew after a redrive', async () => {
  let broken = true;
  const issued: number[] = [];
  const rig = rigOf(async (r) =>
    r.call('put', 'idempotent', {
      answer: (env) => {
        issued.push(env.issuedAt);
        return broken ? failed('503') : done('put');
      },
    }),
  );
  await rig.runToEnd('w');
  broken = false;
  rig.clock.advance(48 * HOUR);
  const redriven = rig.clock.now();
  await operatorOf(rig).redrive();
  await rig.wakeToEnd('w');
  expect(issued[1]).toBeGreaterThanOrEqual(redriven);
});

test('a request to cancel that is accepted is seen, although the run was redriven in between', async () => {
  let broken = true;
  const rig = rigOf(async (r) => {
    await sleep('1 hour');
    await r.call('get', 'safe', { answer: () => (broken ? failed('x') : done('x')) });
    await sleep('1 day');
  });
  await rig.invoke([rig.message('w')]);
  const seen = rig.record('w');
  await rig.wakeToEnd('w');
  expect(rig.record('w').status).toBe('failed');
  broken = false;
  await operatorOf(rig).redrive();
  const { store, payloads, wake, clock, entropy } = rig;
  const accepted = await cancelRun({ store, payloads, wake, clock, entropy }, seen, { by: 'ops' }).then(
    () => true,
    () => false,
  );
  const record = await rig.wakeToEnd('w');
  expect(accepted ? record.status : 'refused').not.toBe('succeeded');
});

test('what a worker received outranks what a person believes', async () => {
  const rig = rigOf(async (r) => r.call('post', 'unsafe', { answer: (_e, nth) => (nth === 1 ? unknown : done(`post=${nth}`)) }));
  await rig.runToEnd('w');
  expect(rig.record('w').status).toBe('paused');
  const { op } = rig.journal('w').find((e) => e.k === 'unknown') as { op: string };
  // The worker that had lost the run tells what it got; its wake is late.
  await rig.store.deliver(
    rig.idOf('w'),
    { key: `late:0:${op}:1`, kind: 'late', at: rig.clock.now(), data: { op, incarnation: 0, attempt: 1, value: '"post=1"' } },
    rig.clock.now(),
  );
  rig.clock.advance(500);
  await operatorOf(rig).settle({ outcome: 'not-happened' });
  await operatorOf(rig).onward();
  expect(rig.sends('post')).toBe(1);
});

test('cancelling a keyed call whose last answer was lost tells that it may have happened', async () => {
  let error: unknown;
  const rig = rigOf(async (r) => {
    try {
      // The API has charged, the connection broke: `again`, with the same key.
      await r.call('charge', 'keyed', { answer: () => again(r.clock.now() + HOUR) });
    } catch (thrown) {
      error = thrown;
      throw thrown;
    }
  });
  await rig.invoke([rig.message('w')]);
  await operatorOf(rig).cancel();
  await rig.wakeToEnd('w');
  expect((error as { detail?: object }).detail).toMatchObject({ mayHaveHappened: true });
});

test('a run that keeps crashing and is cancelled ends cancelled', async () => {
  const rig = rigOf(async (r) => {
    await r.call('first', 'idempotent');
    await r.call('boom', 'safe', { answer: () => new Promise<never>(() => {}) });
  });
  await rig.invoke([rig.message('w')], { until: () => rig.sends('boom') === 1 });
  abandon(rig);
  for (let i = 0; i < 5; i++) {
    await rig.invoke([rig.wakeMessage(rig.idOf('w'), 2)], { until: () => rig.sends('boom') === i + 2 });
    abandon(rig);
  }
  await operatorOf(rig).cancel();
  await operatorOf(rig).onward();
  expect(rig.record('w').status).toBe('cancelled');
});
