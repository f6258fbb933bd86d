/** An attempt that no longer fits into the invocation is left to the next one, with all that is known of those before it. */
import { expect, test } from 'vitest';
import { again, done, MINUTE } from '../support/engine/rig.ts';
import { rigOf, rigOfAll } from '../support/engine/scenario.ts';

test('an unsafe call that is known not to have happened is not unknown to the next worker', async () => {
  const rig = rigOf(async (r) =>
    r.call('post', 'unsafe', { ms: 5_000, answer: (env, nth) => (nth === 1 ? again(env.clock.now()) : done('sent')) }),
  );
  // Room for one attempt and not for two.
  await rig.invoke([rig.message('w')], { ms: 9_000 });
  await rig.wakeToEnd('w');
  expect(rig.value('w')).toBe('sent');
  expect(rig.sent).toHaveLength(2);
});

test('nor is one that waited for a place among the calls in flight until it was too late', async () => {
  const rig = rigOfAll(
    {
      w: async (r) => r.call('post', 'unsafe', { answer: (env, nth) => (nth === 1 ? again(env.clock.now() + 1_000) : done('sent')) }),
      slow: async (r) => {
        await r.delay(500);
        return r.call('slow', 'safe', { ms: 4_000 });
      },
    },
    { maxInFlight: 1 },
  );
  await rig.invoke([rig.message('w'), rig.message('slow')], { ms: 10_000 });
  await rig.wakeToEnd('w');
  expect(rig.value('w')).toBe('sent');
});

test('its attempts are counted over the invocations, so that they end', async () => {
  const rig = rigOf(async (r) => r.call('get', 'safe', { ms: 5_000, answer: (env) => again(env.clock.now()) }));
  for (let i = 0; i < 4; i++) {
    await rig.invoke([i === 0 ? rig.message('w') : rig.wakeMessage(rig.idOf('w'))], { ms: 9_000 });
    rig.clock.advance(MINUTE);
  }
  expect(rig.sent.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4]);
});
