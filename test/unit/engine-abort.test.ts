/** What is given up by user code and may have happened all the same: nothing but knowledge settles it. */
import { describe, expect, test } from 'vitest';
import type { Verdict } from '../../src/engine/operation.ts';
import { operatorOf } from '../support/engine/operator.ts';
import { again, done, failed, type Rig } from '../support/engine/rig.ts';
import { pick, rigOf } from '../support/engine/scenario.ts';

const LOST: Extract<Verdict, { type: 'unknown' }> = { type: 'unknown', error: { code: 'E_UNKNOWN_OUTCOME', message: 'lost' } };

/** A post of which nobody knows whether it happened, given up while that is being found out. */
function givenUpWhileAsked(found: (at: number) => Verdict): Rig {
  let round = 0;
  return rigOf(async (r) => {
    round += 1;
    const abort = new AbortController();
    if (round === 1) r.clock.timer(200, () => abort.abort());
    const post = r.call('post', 'unsafe', {
      signal: abort.signal,
      answer: () => LOST,
      async unknown() {
        if (round > 1) return { type: 'pause', error: LOST.error };
        await r.delay(1_000);
        return found(r.clock.now());
      },
    });
    try {
      return await post;
    } catch (error) {
      // Long enough for the answer to come.
      await r.call('read', 'safe', { ms: 2_000 });
      throw error;
    }
  });
}

describe('an unsafe operation that is aborted while somebody finds out whether it happened', () => {
  test.each<[string, (at: number) => Verdict]>([
    ['nobody can tell', () => ({ type: 'pause', error: LOST.error }) as Verdict],
    ['it could not be found out just now', (at) => again(at + 1)],
    ['its unknown outcome is its failure', () => failed('unknown')],
  ])('is still unknown where %s, and a redrive does not send it again', async (_what, found) => {
    const rig = givenUpWhileAsked(found);
    expect(await rig.runToEnd('w')).toMatchObject({ status: 'failed', outcome: { error: { code: 'E_ABORTED' } } });
    expect(pick(rig.journal('w'), 'unsent')).toEqual([]);
    await operatorOf(rig).redrive();
    expect(await rig.wakeToEnd('w')).toMatchObject({ status: 'paused', reason: { code: 'E_UNKNOWN_OUTCOME' } });
    expect(rig.sends('post')).toBe(1);
  });

  test('is known to have happened where that is found, and a redrive has its result', async () => {
    const rig = givenUpWhileAsked(() => done('it happened'));
    await rig.runToEnd('w');
    await operatorOf(rig).redrive();
    expect(await rig.wakeToEnd('w')).toMatchObject({ status: 'succeeded' });
    expect([rig.value('w'), rig.sends('post')]).toEqual(['it happened', 1]);
  });

  test('is sent by a redrive where it is found not to have happened', async () => {
    const rig = givenUpWhileAsked(() => ({ type: 'resend' }));
    await rig.runToEnd('w');
    await operatorOf(rig).redrive();
    await rig.wakeToEnd('w');
    expect(rig.sends('post')).toBe(2);
  });
});

test('what was sent under a former key may have happened, also where it is aborted before it is sent under another', async () => {
  const told: unknown[] = [];
  let abort = new AbortController();
  const rig = rigOf(async (r) => {
    try {
      return await r.call('post', 'keyed', { signal: abort.signal, answer: () => failed('500') });
    } catch (error) {
      told.push((error as { detail: { mayHaveHappened?: boolean } }).detail.mayHaveHappened);
      throw error;
    }
  });
  await rig.runToEnd('w');
  abort = new AbortController();
  abort.abort();
  await operatorOf(rig).redriveAsNew();
  await rig.wakeToEnd('w');
  expect(rig.sends('post')).toBe(1);
  expect(told).toEqual([undefined, true]);
});
