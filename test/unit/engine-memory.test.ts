import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { rigOf } from '../support/engine/scenario.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

test.each(['safe', 'keyed'] as const)('a run does not keep the operations that it is done with, nor what they sent: %s', async (effect) => {
  const sent: Array<WeakRef<object>> = [];
  let alive = Number.NaN;
  const rig = rigOf(async (r) => {
    for (let nth = 0; nth < 50; nth++) await r.call(`call ${nth}`, effect);
    await r.delay(1_000);
    collect();
    alive = sent.filter((one) => one.deref() !== undefined).length;
    return 'done';
  });
  rig.watch.send = (_one, operation) => void sent.push(new WeakRef(operation));
  await rig.runToEnd('w');
  expect(rig.value('w')).toBe('done');
  expect(sent).toHaveLength(50);
  expect(alive).toBeLessThan(5);
});
