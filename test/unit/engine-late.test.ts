import { expect, test } from 'vitest';
import { operatorOf } from '../support/engine/operator.ts';
import { again, done, failed, gate, MINUTE, NEVER } from '../support/engine/rig.ts';
import { abandon, rigOf } from '../support/engine/scenario.ts';

test('a late result of a second try in one process does not settle another sending', async () => {
  const first = gate();
  const rig = rigOf(async (r) =>
    r.call('post', 'unsafe', {
      ms: 0,
      answer: async (_env, nth) => {
        if (nth === 1) return again(r.clock.now() + 100); // connection refused
        if (nth === 2) {
          await first.wait(); // frozen, sent
          return done('first');
        }
        return NEVER; // the second sending: its worker dies
      },
    }),
  );
  rig.begin([rig.message('w')]);
  await rig.settle(() => first.reached);
  // Its lease ends; another worker finds it.
  await rig.settle(() => false, rig.clock.now() + 300_000);
  rig.clock.advance(5 * MINUTE);
  await rig.invoke([rig.wakeMessage(rig.idOf('w'))]);
  expect(rig.record('w').status).toBe('paused');
  await operatorOf(rig).settle({ outcome: 'not-happened' });
  const second = rig.begin(rig.wake.take().map((m) => rig.wakeMessage(m.run)));
  await rig.settle(() => rig.sends('post') === 3);
  // Now the first answer arrives in the frozen process.
  rig.clock.advance(50);
  first.open();
  await rig.settle(() => rig.store.peek(rig.idOf('w'))?.inbox === 2, rig.clock.now() + 1_000);
  expect(rig.record('w').inbox).toBe(2);
  expect(second.kept).toBeUndefined();
  abandon(rig);
  const record = await rig.wakeToEnd('w');
  expect(record.status).toBe('paused');
});

test('a redrive from before an earlier redrive still knows what that one let go', async () => {
  let mended = false;
  const rig = rigOf(async (r) => {
    const [pay] = await Promise.allSettled([
      r.call('pay', 'unsafe', { ms: 50, answer: () => (mended ? done('paid') : failed('declined')) }),
      r.call('read', 'safe', { ms: 10, answer: () => (mended ? done('read') : failed('read')) }),
    ]);
    if (pay.status === 'rejected') throw pay.reason;
    return pay.value;
  });
  await rig.runToEnd('w');
  mended = true;
  await operatorOf(rig).redrive();
  // Five workers die before anything is sent.
  for (let i = 0; i < 7 && rig.record('w').endedAt === undefined; i++) {
    let replaced = 0;
    rig.faults.before = (op) => (op === 'replace' && replaced++ > 0 && i < 5 ? NEVER : undefined);
    await rig.invoke([rig.wakeMessage(rig.idOf('w'), 2)]);
    delete rig.faults.before;
    rig.forget();
    rig.clock.advance(10 * MINUTE);
  }
  expect(rig.record('w')).toMatchObject({ status: 'failed', outcome: { error: { code: 'E_CRASHED' } } });
  expect(rig.sends('pay')).toBe(1);
  const from = rig.journal('w').findIndex(({ k }) => k === 'fail');
  await operatorOf(rig).redrive(from);
  const record = await rig.wakeToEnd('w');
  expect(record.status).toBe('succeeded');
});
