/** A wake message that names no run is its sender's fault, and nobody else's: the batch it came in is read and worked on without it. */
import { expect, test } from 'vitest';
import { sleep } from '../../src/engine/verbs.ts';
import type { Received } from '../../src/engine/worker.ts';
import { rigOf } from '../support/engine/scenario.ts';

const wake = (body: string): Received => ({ id: 'bad', queue: 'wake', body, receiveCount: 1 });

test.each([
  ['an empty id', '{"run":""}'],
  ['an id that is longer than a key may be', JSON.stringify({ run: `run_${'a'.repeat(4_000)}` })],
  ['an id of other characters', JSON.stringify({ run: 'run_\u0000 ☃' })],
  ['an id that goes on after a line break', JSON.stringify({ run: 'run_0\nrun_1' })],
  ['what is not an id', '{"run":{"S":"run_1"}}'],
  ['no id', '{}'],
  ['null', 'null'],
  ['a list', '["run_1"]'],
  ['no JSON', 'run_1'],
])('%s in a wake message is refused alone', async (_what, body) => {
  const rig = rigOf(async (r) => {
    await sleep('1h');
    return r.call('get');
  });
  await rig.invoke([rig.message('w', null, 'asleep')]);
  rig.clock.advance(2 * 3_600_000);
  // A table refuses a key that it cannot have, and with it the one read that the whole batch shares: it must not be asked.
  const { load } = rig.store;
  const asked: string[] = [];
  rig.store.load = (ids) => {
    asked.push(...ids);
    return load(ids);
  };
  const bad = wake(body);
  const good = [rig.wakeMessage(rig.idOf('w', 'asleep')), rig.message('w', null, 'new')];
  const { kept, done } = await rig.invoke([bad, ...good]);

  expect(kept).toEqual([]);
  expect(new Set(done)).toEqual(new Set([bad, ...good]));
  expect(rig.record('w', 'asleep').status).toBe('succeeded');
  expect(rig.record('w', 'new').status).toBe('waiting');
  for (const id of asked) expect([rig.idOf('w', 'asleep'), rig.idOf('w', 'new')]).toContain(id);
  const { items } = await rig.store.listDeadLetters({ limit: 10 });
  expect(items).toMatchObject([{ id: 'bad', body, reason: { code: 'E_MESSAGE_MALFORMED' } }]);
  expect(rig.events.filter(({ type }) => type === 'engine.error')).toEqual([]);
});
