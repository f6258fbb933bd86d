import { expect, test } from 'vitest';
import { noise } from '../support/engine/durable.ts';
import { done, gate } from '../support/engine/rig.ts';
import { rigOf } from '../support/engine/scenario.ts';

test('a result that was received and not yet delivered when the time is up is not unknown', async () => {
  const slow = gate();
  const rig = rigOf(async (r) =>
    Promise.all([
      r.call('claim', 'unsafe', { ms: 1 }),
      r.call('big', 'safe', { ms: 100, answer: () => done(noise(1_200_000)) }),
      r.call('next', 'safe', { ms: 150 }),
      r.call('post', 'unsafe', { ms: 200 }),
    ]),
  );
  // The store of payloads is slow: the buffer, which is full, is not written before the invocation ends.
  rig.faults.before = (op) => (op === 'put' ? slow.wait() : undefined);
  const began = rig.clock.now();
  const invocation = rig.begin([rig.message('w')], { ms: 20_000 });
  await rig.settle(() => false, began + 19_500);
  slow.open();
  await rig.settle(() => invocation.kept !== undefined);
  const record = await rig.wakeToEnd('w');
  expect(record.status).toBe('succeeded');
  expect(rig.sends('post')).toBe(1);
});
