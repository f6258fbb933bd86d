import { describe, expect, test } from 'vitest';
import { decodeEntries, encodeEntries, pack, unpack } from '../../src/engine/journal.ts';
import { INLINE_MAX } from '../../src/engine/payloads.ts';
import { step } from '../../src/engine/step.ts';
import { sleep } from '../../src/engine/verbs.ts';
import { noise, result } from '../support/engine/durable.ts';
import { operatorOf } from '../support/engine/operator.ts';
import { done, failed, NEVER } from '../support/engine/rig.ts';
import { rigOf } from '../support/engine/scenario.ts';

describe('a value', () => {
  test.each([1_000, 30_000, 42_000, 42_500, 43_000, 43_500, 200_000, 3_000_000])(
    'of %i bytes that do not compress comes back as it was on every replay',
    async (bytes) => {
      const large = noise(bytes);
      const seen: boolean[] = [];
      const rig = rigOf(async (r) => {
        seen.push((await r.call('read', 'safe', { answer: () => done(large) })) === large);
        await sleep('1h');
        await sleep('1h');
        return 'end';
      });
      await rig.runToEnd('w');
      expect(rig.record('w').status).toBe('succeeded');
      expect(seen).toEqual([true, true, true]);
      expect(rig.payloads.keys().length).toBe(pack(JSON.stringify(large)).length > INLINE_MAX ? 1 : 0);
      expect(rig.sent).toHaveLength(1);
    },
  );

  test('stays in the store when the journal around it is written again', async () => {
    const rig = rigOf(async (r) => {
      await r.call('read', 'safe', { answer: () => done(noise(100_000)) });
      await sleep('1h');
      await r.call('post', 'keyed');
      await sleep('1h');
    });
    await rig.runToEnd('w');
    expect(rig.record('w').spilled).toBe(false);
    expect(rig.record('w').journal?.length).toBeLessThan(4_000);
    expect(rig.journal('w')[0]).toMatchObject({ value: { bytes: 100_002 } });
  });

  test('that compresses well stays in the journal', async () => {
    const rig = rigOf(async (r) => {
      await r.call('read', 'safe', { answer: () => done('x'.repeat(1_000_000)) });
      await sleep('1h');
    });
    await rig.runToEnd('w');
    expect(rig.payloads.keys()).toEqual([]);
  });

  test('of a failed call goes the same way', async () => {
    const large = noise(100_000);
    const rig = rigOf(async (r) => {
      const error: unknown = await r
        .call('read', 'safe', {
          answer: () => ({ ...failed('bad'), value: JSON.stringify(large) }) as ReturnType<typeof failed>,
          revive: (data, value) => Object.assign(new Error(data.message), { same: value === JSON.stringify(large) }),
        })
        .catch((thrown: unknown) => thrown);
      await sleep('1h');
      return (error as { same: boolean }).same;
    });
    await rig.runToEnd('w');
    expect(rig.value('w')).toBe(true);
    expect(rig.payloads.keys()).toHaveLength(1);
  });

  test('is in the store before the journal says so', async () => {
    const large = noise(100_000);
    const rig = rigOf(async (r) => {
      await r.call('read', 'safe', { answer: () => done(large) });
      await r.call('post', 'keyed', { answer: () => NEVER });
    });
    let stored = false;
    rig.faults.after = (op) => {
      if (op === 'put') stored = true;
      if (op === 'create') expect(stored).toBe(true);
    };
    await rig.invoke([rig.message('w')], { until: () => rig.sends('post') === 1 });
    expect(rig.sends('post')).toBe(1);
  });

  test('that cannot be stored keeps the message, and no effect is sent', async () => {
    const rig = rigOf(async (r) => {
      await r.call('read', 'safe', { answer: () => done(noise(100_000)) });
      await r.call('post', 'unsafe');
    });
    rig.faults.before = (op) => {
      if (op === 'put') throw new Error('no store');
    };
    const { kept } = await rig.invoke([rig.message('w')]);
    expect(kept).toHaveLength(1);
    expect(rig.sends('post')).toBe(0);
    expect(rig.store.peek(rig.idOf('w'))).toBeUndefined();
  });

  test('that is gone from the store pauses the run, which goes on when it is back', async () => {
    const rig = rigOf(async (r) => {
      const read = await r.call('read', 'safe', { answer: () => done(noise(100_000)) });
      await sleep('1m');
      return (read as string).length;
    });
    await rig.invoke([rig.message('w')]);
    const kept = await Promise.all(rig.payloads.keys().map(async (key) => [key, await rig.payloads.get(key)] as const));
    for (const [key] of kept) rig.payloads.delete(key);
    rig.clock.advance(61_000);
    await rig.invoke([rig.wakeMessage(rig.idOf('w'))]);
    expect(rig.record('w')).toMatchObject({ status: 'paused', reason: { code: 'E_PAYLOAD_MISSING' } });
    for (const [key, data] of kept) await rig.payloads.put(key, data);
    await operatorOf(rig).resume();
    await operatorOf(rig).onward();
    expect(rig.value('w')).toBe(100_000);
    expect(rig.sends('read')).toBe(1);
  });

  test.each(['of the journal', 'of the input'])(
    'that cannot be read now (%s) leaves the run as it is, and its message in the queue',
    async (what) => {
      const input = what === 'of the input' ? { text: noise(150_000) } : null;
      const rig = rigOf(async (r) => {
        if (!input) await r.call('read', 'safe', { answer: () => done(noise(100_000)) });
        await r.call('put', 'keyed');
        await sleep('1m');
      });
      await rig.invoke([rig.message('w', input)]);
      rig.clock.advance(61_000);
      const before = rig.record('w');
      rig.faults.before = (op) => {
        if (op === 'get') throw new Error('503 Slow Down');
      };
      const { kept } = await rig.invoke([rig.wakeMessage(rig.idOf('w'))]);
      expect(kept).toHaveLength(1);
      expect(rig.record('w')).toEqual(before);
      delete rig.faults.before;
      expect(await rig.wakeToEnd('w')).toMatchObject({ status: 'succeeded' });
    },
  );
});

test('an input of any size comes back on every replay', async () => {
  const input = { text: noise(150_000) };
  const seen: boolean[] = [];
  const rig = rigOf(async (r, given) => {
    seen.push((given as typeof input).text === input.text);
    await r.call('post', 'keyed');
    await sleep('1h');
  });
  await rig.runToEnd('w', input);
  expect(seen).toEqual([true, true]);
  expect(rig.record('w').input).toMatchObject({ bytes: JSON.stringify(input).length });
});

test('a result that cannot be kept fails the run with the path', async () => {
  const rig = rigOf(async () => ({ users: [{ born: new Date() }] }));
  await rig.runToEnd('w');
  expect(rig.error('w')).toMatchObject({ code: 'E_NOT_SERIALISABLE', detail: { pointer: '/users/0/born' } });
  expect(rig.error('w').message).toContain('the result of workflow w');
});

test('two megabytes read in one go are flushed on the way, and replayed', async () => {
  const rig = rigOf(async (r) => {
    await r.call('first', 'keyed');
    let length = 0;
    for (let i = 0; i < 40; i++)
      length += ((await r.call(`read ${i}`, 'safe', { answer: () => done(noise(1_000, `${i}`).repeat(50)) })) as string).length;
    await sleep('1h');
    return length;
  });
  let durable = 0;
  rig.watch.send = ({ label }) => {
    if (label === 'read 39') durable = rig.journal('w').length;
  };
  await rig.runToEnd('w');
  expect(durable).toBeGreaterThan(20);
  expect(rig.value('w')).toBe(40 * 50_000);
  expect(rig.written().filter((what) => what === 'segment').length).toBeGreaterThan(3);
  expect(rig.sent).toHaveLength(41);
});

test('a run whose journal is over twenty megabytes fails, and says what to do', async () => {
  const rig = rigOf(async (r) => {
    for (let i = 0; i < 100; i++) await r.call(`read ${i}`, 'safe', { answer: () => done('x'.repeat(1_000_000)) });
  });
  await rig.runToEnd('w');
  expect(rig.error('w')).toMatchObject({ code: 'E_LIMIT_JOURNAL', message: expect.stringContaining('split the work') as string });
  expect(rig.sent.length).toBeLessThan(25);
});

test('a run with over ten thousand entries fails, whatever they are', async () => {
  const rig = rigOf(async () => {
    for (let i = 0; ; i++) await step(`s${i}`, () => null, { idempotent: true });
  });
  await rig.runToEnd('w');
  expect(rig.error('w').code).toBe('E_LIMIT_JOURNAL');
  expect(rig.journal('w').filter((entry) => entry.k === 'done')).toHaveLength(5_000);
}, 60_000);

test('what is packed is unpacked as it was, at every size and in any alphabet', () => {
  for (const text of [
    '',
    'a',
    'é語🎉',
    '\ud83c',
    'x'.repeat(511),
    'x'.repeat(512),
    'x'.repeat(5_000),
    noise(4_095),
    noise(4_097),
    noise(200_000),
    '語'.repeat(100_000),
  ]) {
    expect(unpack(pack(text))).toBe(Buffer.from(text).toString());
  }
  const entries = [result('a', noise(10)), result('b', noise(10_000))];
  expect(decodeEntries(encodeEntries(entries))).toEqual(entries);
  // A part of a larger buffer, as a client hands it over.
  const packed = pack(noise(6_000));
  const framed = Buffer.concat([Buffer.from('before'), packed, Buffer.from('after')]);
  expect(unpack(framed.subarray(6, 6 + packed.length))).toBe(noise(6_000));
});
