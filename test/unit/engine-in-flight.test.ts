/** At most 200 calls are in flight in an environment, whichever runs they belong to: sockets and memory are the environment's. */
import { expect, test } from 'vitest';
import { rigOf } from '../support/engine/scenario.ts';

test('three runs of a batch with 100 calls each have 200 in flight, never more, and all of them end', async () => {
  let inFlight = 0;
  let most = 0;
  const rig = rigOf(async (r) =>
    Promise.all(
      Array.from({ length: 100 }, (_, i) =>
        r.call(`read ${i}`, 'safe', {
          ms: 0,
          answer: async () => {
            inFlight += 1;
            most = Math.max(most, inFlight);
            await r.delay(10);
            inFlight -= 1;
            return { type: 'done', value: '1' };
          },
        }),
      ),
    ),
  );
  await rig.invoke(['a', 'b', 'c'].map((key) => rig.message('w', null, key)));
  for (const key of ['a', 'b', 'c']) expect(rig.record('w', key).status).toBe('succeeded');
  expect(most).toBe(200);
});
