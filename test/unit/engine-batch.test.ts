import { describe, expect, test } from 'vitest';
import { sleep } from '../../src/engine/verbs.ts';
import { HOUR } from '../support/engine/rig.ts';
import { rigOfAll } from '../support/engine/scenario.ts';

describe('a batch', () => {
  test('loses nothing when its runs cannot be loaded', async () => {
    const rig = rigOfAll({ w: async () => 1 });
    rig.faults.before = (op) => {
      if (op === 'load') throw new Error('down');
    };
    const { kept, done } = await rig.invoke([rig.message('w'), rig.wakeMessage('run_x')]);
    expect([kept?.length, done.length]).toEqual([2, 0]);
  });

  test('goes on without the message that is at fault', async () => {
    const rig = rigOfAll({ w: async () => 1 });
    const junk = (body: string, queue: 'start' | 'wake' = 'start') => ({ id: `${queue} ${body}`, queue, body, receiveCount: 1 });
    const { kept } = await rig.invoke([
      junk('{'),
      junk('null'),
      junk('null', 'wake'),
      junk('{"run":5}', 'wake'),
      junk('nonsense', 'wake'),
      junk('{"workflow":"other"}'),
      rig.message('w'),
    ]);
    expect(kept).toEqual([]);
    expect(rig.record('w').status).toBe('succeeded');
    const { items } = await rig.store.listDeadLetters({ limit: 20 });
    expect(items.map((letter) => letter.reason.code).sort()).toEqual([
      ...Array<string>(5).fill('E_MESSAGE_MALFORMED'),
      'E_UNKNOWN_WORKFLOW',
    ]);
    expect(rig.events.filter((event) => event.type === 'message.refused')).toHaveLength(6);
  });

  test('keeps a message whose refusal could not be written', async () => {
    const rig = rigOfAll({ w: async () => 1 });
    rig.faults.before = (op) => {
      if (op === 'putDeadLetter') throw new Error('down');
    };
    const { kept } = await rig.invoke([{ id: 'x', queue: 'start', body: '{', receiveCount: 1 }, rig.message('w')]);
    expect(kept?.map((message) => message.id)).toEqual(['x']);
    expect(rig.record('w').status).toBe('succeeded');
  });

  test('works once on a run that several of its messages are for', async () => {
    let ran = 0;
    const rig = rigOfAll({ w: async () => ++ran });
    const { kept, done } = await rig.invoke([rig.message('w'), rig.message('w'), rig.wakeMessage(rig.idOf('w')), rig.message('w')]);
    expect([ran, kept, done.length]).toEqual([1, [], 4]);
  });

  test('refuses the one of two starts with one key whose input differs', async () => {
    const rig = rigOfAll({ w: async (_r, input) => input });
    await rig.invoke([rig.message('w', 1), rig.message('w', 2)]);
    expect(rig.value('w')).toBe(1);
    const { items } = await rig.store.listDeadLetters({ limit: 20 });
    expect(items).toMatchObject([{ reason: { code: 'E_KEY_CONFLICT' }, workflow: 'w' }]);
  });

  test('refuses a later start with the key of a run that has ended', async () => {
    const rig = rigOfAll({ w: async (_r, input) => input });
    await rig.invoke([rig.message('w', 1)]);
    await rig.invoke([rig.message('w', 2)]);
    await rig.invoke([rig.message('w', 1)]);
    expect(rig.value('w')).toBe(1);
    expect((await rig.store.listDeadLetters({ limit: 20 })).items).toHaveLength(1);
  });

  test('does not put a wake among the dead letters because a start beside it was refused', async () => {
    const rig = rigOfAll({ w: async () => sleep('1h') });
    await rig.invoke([rig.message('w', 1)]);
    rig.clock.advance(HOUR);
    await rig.invoke([rig.wakeMessage(rig.idOf('w')), rig.message('w', 2)]);
    expect((await rig.store.listDeadLetters({ limit: 20 })).items).toHaveLength(1);
    expect(rig.record('w').status).toBe('succeeded');
  });

  test('never has more calls in flight than the environment may', async () => {
    let [inFlight, most] = [0, 0];
    const rig = rigOfAll(
      {
        w: async (r) =>
          Promise.all(
            Array.from({ length: 10 }, (_, i) =>
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
      },
      { maxInFlight: 7 },
    );
    await rig.invoke(Array.from({ length: 5 }, (_, i) => rig.message('w', null, `k${i}`)));
    for (let i = 0; i < 5; i++) expect(rig.record('w', `k${i}`).status).toBe('succeeded');
    expect(most).toBe(7);
  });
});
