/** What did not happen is sent again: later, as another attempt, and not for ever, whoever works on the run by then. */
import { expect, test } from 'vitest';
import type { AttemptEnv, Verdict } from '../../src/engine/operation.ts';
import { failed, HOUR, NEVER, type Rig } from '../support/engine/rig.ts';
import { abandon, pick, rigOf } from '../support/engine/scenario.ts';

const LOST: Verdict = { type: 'unknown', error: { code: 'E_UNKNOWN_OUTCOME', message: 'lost' } };

/** A post that never arrives. `attempts`: as often it is found not to have happened; after that, nobody asks any more. */
function lost(
  attempts: number,
  last: Verdict,
  wait = HOUR,
  answer: () => Verdict | Promise<Verdict> = () => LOST,
): { rig: Rig; asked: number[] } {
  const asked: number[] = [];
  const unknown = async (env: AttemptEnv): Promise<Verdict> => {
    asked.push(env.attempt);
    // Without end, the rig itself would give up first, and say nothing of why.
    if (asked.length > 20) throw new Error('asked for ever');
    return env.attempt >= attempts ? last : { type: 'resend', at: env.clock.now() + wait };
  };
  return { rig: rigOf(async (r) => r.call('post', 'unsafe', { answer, unknown })), asked };
}

test('each sending uses up an attempt, and the last unknown is final', async () => {
  const { rig, asked } = lost(3, failed('it never arrives'));
  await rig.runToEnd('w');
  expect(rig.error('w').message).toBe('it never arrives');
  expect(asked).toEqual([1, 2, 3]);
  expect(rig.sent.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
  expect(pick(rig.journal('w'), 'start')).toHaveLength(3);
});

test('the run is put down until the time that was given', async () => {
  const { rig } = lost(3, failed('it never arrives'));
  await rig.invoke([rig.message('w')]);
  expect(rig.record('w').status).toBe('waiting');
  expect(rig.sent).toHaveLength(1);
  await rig.wakeToEnd('w');
  const [first, second, third] = rig.sent.map(({ at }) => at) as [number, number, number];
  expect(second - first).toBeGreaterThanOrEqual(HOUR);
  expect(third - second).toBeGreaterThanOrEqual(HOUR);
});

test('attempts are counted over the workers that die in between', async () => {
  const { rig, asked } = lost(4, failed('it never arrives'), 0, () => NEVER);
  await rig.invoke([rig.message('w')], { until: () => rig.sent.length === 1 });
  for (let nth = 2; nth <= 5; nth++) {
    // Each worker finds a START, asks, sends again and dies.
    abandon(rig);
    await rig.invoke([rig.wakeMessage(rig.idOf('w'))], { until: () => rig.sent.length === nth });
  }
  expect(rig.error('w').message).toBe('it never arrives');
  expect(asked).toEqual([1, 2, 3, 4]);
  expect(rig.sent).toHaveLength(4);
});

test('a person is asked in the end, and asked again without another sending', async () => {
  const { rig } = lost(2, { type: 'pause', error: LOST.error });
  await rig.runToEnd('w');
  for (let i = 0; i < 3; i++) {
    expect(rig.record('w')).toMatchObject({ status: 'paused', reason: { code: 'E_UNKNOWN_OUTCOME' } });
    await rig.resume('w');
  }
  expect(rig.sent).toHaveLength(2);
});
