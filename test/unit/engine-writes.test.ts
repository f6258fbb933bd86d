import { describe, expect, test } from 'vitest';
import { newRecord, prepareStart } from '../../src/engine/start.ts';
import { step } from '../../src/engine/step.ts';
import { sleep } from '../../src/engine/verbs.ts';
import { registry, workflow } from '../../src/engine/workflow.ts';
import { again, done, HOUR } from '../support/engine/rig.ts';
import { type Program, rigOf } from '../support/engine/scenario.ts';

const reads: Program = async (r) => {
  const first = await Promise.all(Array.from({ length: 10 }, (_, i) => r.call(`read ${i}`)));
  return [first, await r.call('last')];
};
const keyed: Program = async (r) => {
  const read = await r.call('read');
  return r.call(`post ${String(read)}`, 'keyed');
};
const wave =
  (n: number, effect: 'keyed' | 'unsafe'): Program =>
  async (r) => {
    for (let i = 0; i < 3; i++)
      await Promise.all(Array.from({ length: n }, (_, j) => r.call(`wave ${i} ${j}`, effect, { ms: 10 + (j % 5) })));
  };

describe('a run from a queue message costs', () => {
  test.each<[string, Program, string[]]>([
    ['nothing but its end when it only reads', reads, ['finish']],
    ['one write when it does nothing at all', async () => 1, ['finish']],
    [
      'one write when it fails',
      async () => {
        throw new Error('x');
      },
      ['finish'],
    ],
    [
      'one write with safe steps and short sleeps',
      async () => {
        await step('s', () => 1, { safe: true });
        await sleep(500);
      },
      ['finish'],
    ],
    ['two with a keyed POST made from what was read', keyed, ['create', 'finish']],
    ['one more for each further wave of keyed effects', wave(20, 'keyed'), ['create', 'flush', 'flush', 'finish']],
    // The results of one wave share a write with the STARTs of the next.
    ['at most two for each wave of unkeyed effects', wave(20, 'unsafe'), ['create', 'flush', 'flush', 'flush', 'finish']],
    ['one for a wait', async () => sleep('1h'), ['park', 'finish']],
    [
      'one for a keyed retry that parks, and the claim to make it',
      async (r) => r.call('post', 'keyed', { answer: (env, nth) => (nth === 1 ? again(env.clock.now() + HOUR) : done(1)) }),
      ['create', 'park', 'claim', 'finish'],
    ],
  ])('%s', async (_name, program, written) => {
    const rig = rigOf(program);
    await rig.runToEnd('w');
    expect(rig.written()).toEqual(written);
    const { create, replace, append } = rig.store.counts;
    expect(create + replace + append).toBe(written.length);
    expect(rig.store.counts).toMatchObject({ inbox: 0, counter: 0 });
  });
});

describe('a run from HTTP, which is there before its message,', () => {
  test.each<[string, Program, number]>([
    ['costs two writes in all when it only reads', reads, 2],
    ['costs three with a keyed POST', keyed, 3],
  ])('%s', async (_name, program, total) => {
    const rig = rigOf(program);
    const start = await prepareStart(
      registry([workflow({ name: 'w', run: async () => null })]),
      { workflow: 'w', input: null, idempotencyKey: 'k' },
      'k',
    );
    await rig.store.create(newRecord(start, { now: rig.clock.now(), nonce: 'http' }));
    await rig.invoke([rig.message('w')]);
    expect(rig.record('w').status).toBe('succeeded');
    expect(rig.store.writes()).toBe(total);
  });
});

test('a run that reads for longer than two seconds is written once more, so that people can see it', async () => {
  const rig = rigOf(async (r) => {
    for (let i = 0; i < 30; i++) await r.call(`read ${i}`, 'safe', { ms: 200 });
  });
  let seenAt = 0;
  const began = rig.clock.now();
  rig.faults.after = (op) => {
    if (op === 'create') seenAt = rig.clock.now();
  };
  await rig.runToEnd('w');
  expect(rig.written()).toEqual(['create', 'finish']);
  expect(seenAt - began).toBeGreaterThanOrEqual(2_000);
  expect(seenAt - began).toBeLessThan(2_300);
});

test('a wake that makes no progress costs one write', async () => {
  const rig = rigOf(async () => sleep('10h'));
  await rig.invoke([rig.message('w')]);
  const before = rig.store.writes();
  // Something that means nothing to it came into the inbox.
  await rig.resume('w');
  expect(rig.store.writes() - before).toBe(3); // the inbox, its counter, the park
});

test('a message for a run that has ended, is owned or sleeps costs no write', async () => {
  const rig = rigOf(async () => sleep('10h'));
  await rig.invoke([rig.message('w')]);
  const before = rig.store.writes();
  for (let i = 0; i < 5; i++) await rig.invoke([rig.wakeMessage(rig.idOf('w')), rig.message('w')]);
  expect(rig.store.writes()).toBe(before);
  await rig.wakeToEnd('w');
  const ended = rig.store.writes();
  await rig.invoke([rig.wakeMessage(rig.idOf('w')), rig.message('w')]);
  expect(rig.store.writes()).toBe(ended);
});
