import { describe, expect, test } from 'vitest';
import { MAX_CRASHES } from '../../src/engine/dispatch.ts';
import { sleep } from '../../src/engine/verbs.ts';
import { noise } from '../support/engine/durable.ts';
import { MINUTE, NEVER, type Rig } from '../support/engine/rig.ts';
import { type Program, rigOfAll } from '../support/engine/scenario.ts';

describe('a message that is delivered again', () => {
  test('is claimed before any of its code runs', async () => {
    const seen: unknown[] = [];
    const rig = rigOfAll({
      w: async (r) => {
        seen.push(r.record('w').crashes, r.record('w').status, r.record('w').lease !== undefined);
        return r.call('read');
      },
    });
    await rig.invoke([rig.message('w', null, 'k', 2)]);
    expect(seen).toEqual([1, 'running', true]);
    expect(rig.written()).toEqual(['claim', 'finish']);
    expect(rig.record('w').crashes).toBe(0);
  });

  test('is worked on alone, after the others of its batch, one at a time', async () => {
    const order: string[] = [];
    const rig = rigOfAll({
      w: async (r, name) => {
        order.push(`+${String(name)}`);
        await r.call(`read ${String(name)}`, 'safe', { ms: 100 });
        order.push(`-${String(name)}`);
      },
    });
    const batch = [
      rig.message('w', 'bad', 'k1', 2),
      rig.message('w', 'a', 'k2'),
      rig.message('w', 'worse', 'k3', 3),
      rig.message('w', 'b', 'k4'),
    ];
    const { kept } = await rig.invoke(batch);
    expect(kept).toEqual([]);
    expect(order).toEqual(['+a', '+b', '-a', '-b', '+bad', '-bad', '+worse', '-worse']);
  });

  test('whose run has meanwhile been finished by another is deleted, and its code not run', async () => {
    let ran = 0;
    const rig = rigOfAll({
      w: async (r, name) => {
        if (name === 'slow') await r.call('slow', 'safe', { ms: 1_000 });
        else ran += 1;
      },
    });
    const first = rig.begin([rig.message('w', 'x', 'k', 2), rig.message('w', 'slow', 'other')]);
    await rig.settle(() => rig.sends('slow') === 1);
    await rig.invoke([rig.message('w', 'x', 'k')]);
    await rig.settle(() => first.kept !== undefined);
    expect([ran, first.kept]).toEqual([1, []]);
  });
});

test('an inbox that moves again and again is no crash', async () => {
  const rig = rigOfAll({ w: async () => sleep('1h') });
  let moves = 0;
  rig.faults.before = async (op) => {
    if (op !== 'replace' || moves >= 20 || rig.record('w').lease === undefined) return;
    moves += 1;
    const { before } = rig.faults;
    delete rig.faults.before;
    await rig.store.deliver(rig.idOf('w'), { key: `s${moves}`, at: 0, kind: 'signal', data: null }, rig.clock.now());
    if (before) rig.faults.before = before;
  };
  await rig.invoke([rig.message('w', null, 'k', 2)]);
  expect(moves).toBe(20);
  expect(rig.record('w')).toMatchObject({ status: 'waiting', crashes: 0, inbox: 20, inboxSeen: 20 });
});

/** A worker that dies of the run each time its code runs; its queue and the sweeper bring the run back. */
async function dying(rig: Rig, deaths: () => number, most: number): Promise<number> {
  let receiveCount = 0;
  for (let i = 0; i < most; i++) {
    receiveCount += 1;
    const before = deaths();
    const invocation = await rig.invoke([rig.message('w', null, 'k', receiveCount)], { until: () => deaths() > before });
    if (invocation.kept !== undefined) return i + 1;
    rig.forget();
    rig.clock.advance(4 * MINUTE);
  }
  return most;
}

describe('a run that brings its worker down', () => {
  const deadly = (where: Program) => {
    let deaths = 0;
    const rig = rigOfAll({
      w: async (r, input) => {
        await where(r, input);
        deaths += 1;
        await NEVER;
      },
    });
    return { rig, deaths: () => deaths };
  };
  const places: Record<string, Program> = {
    'at once': async () => {},
    'after a read': async (r) => r.call('read'),
    'after a keyed effect': async (r) => r.call('post', 'keyed'),
    'after an unsafe effect': async (r) => {
      await r.call('post', 'unsafe');
      // Its result is being written at once, but not in the same turn.
      await r.delay(100);
    },
    'after a journal that spilled': async (r) => {
      for (let i = 0; i < 30; i++) await r.call(noise(500, `${i}`), 'idempotent');
    },
  };
  for (const [name, place] of Object.entries(places)) {
    test(`${name} has failed after ${MAX_CRASHES} of them, and says why`, async () => {
      const { rig, deaths } = deadly(place);
      await dying(rig, deaths, 20);
      expect(rig.record('w').status).toBe('failed');
      expect(rig.error('w')).toMatchObject({ code: 'E_CRASHED', detail: { crashes: MAX_CRASHES } });
      // The first death left nothing that could count it.
      expect(deaths()).toBeLessThanOrEqual(MAX_CRASHES + 2);
      expect(rig.record('w').due).toBeUndefined();
      if (name.includes('unsafe')) expect(rig.sends('post')).toBe(1);
    });
  }

  test('does so too when it is only ever woken, never started again', async () => {
    const { rig, deaths } = deadly(async (r) => r.call('post', 'keyed'));
    await rig.invoke([rig.message('w')], { until: () => deaths() === 1 });
    for (let i = 0; i < 10; i++) {
      rig.forget();
      rig.clock.advance(5 * MINUTE);
      const before = deaths();
      const { kept } = await rig.invoke([rig.wakeMessage(rig.idOf('w'))], { until: () => deaths() > before });
      if (kept) break;
    }
    expect(rig.error('w').code).toBe('E_CRASHED');
    expect(deaths()).toBeLessThanOrEqual(MAX_CRASHES + 1);
  });

  test('begins to count anew with each progress', async () => {
    let deaths = 0;
    const rig = rigOfAll({
      w: async (r) => {
        for (let i = 0; i < 8; i++) {
          await r.call(`post ${i}`, 'keyed');
          if (deaths <= i) {
            deaths += 1;
            await NEVER;
          }
        }
        return deaths;
      },
    });
    for (let i = 0; i < 20; i++) {
      const before = deaths;
      const { kept } = await rig.invoke([rig.message('w', null, 'k', i + 1)], { until: () => deaths > before });
      if (kept?.length === 0 && rig.record('w').endedAt !== undefined) break;
      rig.forget();
      rig.clock.advance(5 * MINUTE);
    }
    expect(rig.value('w')).toBe(8);
  });

  test('that has an end in its journal is given that end, not this one', async () => {
    const rig = rigOfAll({
      w: async (r) => {
        for (let i = 0; i < 30; i++) await r.call(noise(500, `${i}`), 'idempotent');
        return 'ended';
      },
    });
    rig.faults.before = (op) => (op === 'replace' && rig.journal('w').at(-1)?.k === 'end' ? NEVER : undefined);
    await rig.invoke([rig.message('w')]);
    expect(rig.journal('w').at(-1)?.k).toBe('end');
    rig.forget();
    delete rig.faults.before;
    // As if it had crashed five times over writing it.
    await rig.store.replace({ ...rig.record('w'), crashes: 5, nonce: 'crashed' }, rig.record('w').nonce);
    rig.clock.advance(10 * MINUTE);
    await rig.invoke([rig.wakeMessage(rig.idOf('w'))]);
    expect(rig.value('w')).toBe('ended');
  });
});
