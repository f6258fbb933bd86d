import { describe, expect, test } from 'vitest';
import type { Effect } from '../../src/engine/operation.ts';
import { step } from '../../src/engine/step.ts';
import { sleep } from '../../src/engine/verbs.ts';
import { done, HOUR, NEVER } from '../support/engine/rig.ts';
import { abandon, killedAtSending, pick, rigOf } from '../support/engine/scenario.ts';

describe('before an effect is sent', () => {
  test.each<Effect>(['idempotent', 'keyed', 'unsafe'])('its START is durable (%s)', async (effect) => {
    const rig = rigOf(async (r) => r.call('it', effect, { bodyHash: 'b' }));
    let checked = 0;
    rig.watch.send = ({ op }) => {
      checked += 1;
      expect(rig.journal('w')).toMatchObject([{ k: 'start', op, effect, n: 1, body: 'b' }]);
      expect(rig.record('w').lease?.until).toBeGreaterThan(rig.clock.now());
    };
    await rig.runToEnd('w');
    expect(checked).toBe(1);
  });

  test('nothing is written for a read', async () => {
    const rig = rigOf(async (r) => r.call('it'));
    rig.watch.send = () => expect(rig.store.peek(rig.idOf('w'))).toBeUndefined();
    await rig.runToEnd('w');
    expect(rig.journal('w').map((entry) => entry.k)).toEqual(['done']);
  });

  test.each<Effect>(['idempotent', 'keyed', 'unsafe'])('everything that any branch has observed is durable (%s)', async (effect) => {
    const observed: unknown[] = [];
    const rig = rigOf(async (r) => {
      const reader = async () => {
        for (const name of ['x', 'y', 'z']) observed.push(await r.call(name, 'safe', { ms: 10 }));
      };
      const writer = async () => {
        // Issued before x is there, sent after it: what counts is what was observed when it leaves.
        await r.call('first', 'safe', { ms: 15 });
        await r.call('post', effect);
      };
      await Promise.all([reader(), writer()]);
    });
    let checked = 0;
    rig.watch.send = ({ label }) => {
      if (label !== 'post') return;
      checked += 1;
      const durable = pick(rig.journal('w'), 'done').map((entry) => (entry as { value: { text: string } }).value.text);
      expect(observed.length).toBeGreaterThan(0);
      for (const value of observed.slice(0, 1)) expect(durable).toContain(JSON.stringify(value));
    };
    await rig.runToEnd('w');
    expect(checked).toBe(1);
  });

  test('the lease must outlast it: too late for its timeout, it is not sent but parked', async () => {
    const rig = rigOf(async (r) => {
      await r.call('slow', 'safe', { ms: 20_000, timeout: 25_000 });
      await r.call('post', 'unsafe', { timeout: 20_000 });
    });
    await rig.invoke([rig.message('w')], { ms: 40_000 });
    expect(rig.sends('post')).toBe(0);
    expect(rig.record('w')).toMatchObject({ status: 'waiting', wakeAt: expect.any(Number) as number });
    await rig.wakeToEnd('w', 'k', { ms: 40_000 });
    expect(rig.record('w').status).toBe('succeeded');
    expect(rig.sends('post')).toBe(1);
  });

  test('a START that took too long to write is taken back, and the effect is not unknown but made later', async () => {
    const rig = rigOf(async (r) => r.call('post', 'unsafe', { timeout: 20_000 }));
    let slow = true;
    rig.faults.after = async (op) => {
      if (op !== 'create' || !slow) return;
      slow = false;
      await rig.delay(15_000);
    };
    await rig.invoke([rig.message('w')], { ms: 30_000 });
    expect(rig.sent).toHaveLength(0);
    expect(rig.journal('w').map((entry) => entry.k)).toEqual(['start', 'unsent']);
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toBe('post=1');
  });

  test('a START taken back does not start the clock of its key', async () => {
    const rig = rigOf(async (r) => {
      await sleep(100);
      return r.call('post', 'keyed', { timeout: 20_000, keyTtl: HOUR });
    });
    let slow = true;
    rig.faults.after = async (op) => {
      if (op !== 'create' || !slow) return;
      slow = false;
      await rig.delay(15_000);
    };
    await rig.invoke([rig.message('w')], { ms: 30_000 });
    expect(rig.sent).toHaveLength(0);
    rig.clock.advance(2 * HOUR);
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toBe('post=1');
  });

  test('its own START counts, not the flush that was under way when it was issued', async () => {
    const rig = rigOf(async (r) =>
      Promise.all(
        [0, 20, 40, 60].map(async (ms, i) => {
          await r.call(`read ${i}`, 'safe', { ms });
          await r.call(`post ${i}`, i % 2 === 0 ? 'unsafe' : 'keyed');
        }),
      ),
    );
    rig.faults.before = (op) => (op === 'create' || op === 'replace' ? rig.delay(30) : undefined);
    let checked = 0;
    rig.watch.send = ({ op, label }) => {
      if (!label.startsWith('post')) return;
      checked += 1;
      expect(pick(rig.journal('w'), 'start').map((entry) => (entry as { op: string }).op)).toContain(op);
    };
    await rig.runToEnd('w');
    expect(checked).toBe(4);
  });

  test('a START still being written at the deadline is taken back too', async () => {
    const rig = rigOf(async (r) => r.call('post', 'unsafe', { timeout: 1_000 }));
    let slow = true;
    rig.faults.after = async (op) => {
      if (op !== 'create' || !slow) return;
      slow = false;
      await rig.delay(30_000);
    };
    await rig.invoke([rig.message('w')], { ms: 30_000 });
    expect(rig.sent).toHaveLength(0);
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toBe('post=1');
  });
});

describe('until the journal is consumed', () => {
  test.each<Effect>(['idempotent', 'keyed', 'unsafe'])('a %s effect waits', async (effect) => {
    let observed = 0;
    const rig = rigOf(async (r) => {
      const post = r.call('post', effect, {
        answer: (_env, nth) => (nth === 1 ? NEVER : done('posted')),
        unknown: async () => ({ type: 'resend' }),
      });
      for (const name of ['a', 'b', 'c']) {
        await r.call(name);
        observed += 1;
      }
      // What makes the three reads durable.
      await r.call('mark', 'idempotent', { answer: (_env, nth) => (nth === 1 ? NEVER : done('marked')) });
      return post;
    });
    await killedAtSending(rig, 5);
    observed = 0;
    const sent: string[] = [];
    rig.watch.send = ({ label }) => void sent.push(`${label} after ${observed}`);
    await rig.wakeToEnd('w');
    expect(sent.sort()).toEqual(['mark after 3', 'post after 3']);
    expect(rig.value('w')).toBe('posted');
  });

  test('reads may start at once', async () => {
    const sentDuringReplay: string[] = [];
    let observed = 0;
    let dies = true;
    const rig = rigOf(async (r) => {
      const slow = r.call('slow', 'safe', { answer: (_env, nth) => (nth === 1 && dies ? NEVER : done(nth)) });
      for (let i = 0; i < 5; i++) {
        await r.call(`a${i}`, 'keyed');
        observed += 1;
      }
      return slow;
    });
    await rig.invoke([rig.message('w')], { until: () => observed === 5 });
    await rig.settle(() => false, rig.clock.now() + 100);
    abandon(rig);
    dies = false;
    observed = 0;
    rig.watch.send = ({ label }) => sentDuringReplay.push(`${label} after ${observed}`);
    await rig.wakeToEnd('w');
    // The last keyed result was not durable: its effect waits until the others have been replayed, the read does not.
    expect(sentDuringReplay).toEqual(['slow after 0', 'a4 after 4']);
    expect(rig.value('w')).toBe(2);
  });
});

test('an unsafe result is durable although the run goes on reading', async () => {
  const rig = rigOf(async (r) => {
    await r.call('post', 'unsafe');
    await r.call('read', 'safe', { answer: () => NEVER });
  });
  await rig.invoke([rig.message('w')], { until: () => rig.sends('read') === 1 });
  await rig.settle(() => pick(rig.journal('w'), 'done').length === 1, rig.clock.now() + 100);
  expect(pick(rig.journal('w'), 'done')).toMatchObject([{ label: 'unsafe post' }]);
});

test('the waves of a hundred unsafe results become durable without anybody waiting for the last', async () => {
  const rig = rigOf(async (r) =>
    Promise.all([
      ...Array.from({ length: 100 }, (_, i) => r.call(`post ${i}`, 'unsafe')),
      r.call('slow', 'unsafe', { answer: () => NEVER }),
    ]),
  );
  await rig.invoke([rig.message('w')], { until: () => rig.sent.length === 101 });
  await rig.settle(() => pick(rig.journal('w'), 'done').length === 100, rig.clock.now() + 200);
  expect(pick(rig.journal('w'), 'done')).toHaveLength(100);
});

test('effects still under way when the function ends are awaited and journaled, reads are not', async () => {
  const rig = rigOf(async (r) => {
    void r.call('post', 'unsafe', { ms: 500 });
    void r.call('put', 'idempotent', { ms: 400 });
    void r.call('read', 'safe', { ms: 5_000 });
    await r.call('quick', 'keyed', { ms: 300 });
    return 'over';
  });
  const before = rig.clock.now();
  await rig.runToEnd('w');
  expect(rig.value('w')).toBe('over');
  expect(rig.clock.now() - before).toBeLessThan(1_000);
  expect(pick(rig.journal('w'), 'done').map((entry) => (entry as { label: string }).label)).toEqual([
    'keyed quick',
    'idempotent put',
    'unsafe post',
  ]);
});

test('a race whose loser is an effect leaves nothing behind that is unknown', async () => {
  const rig = rigOf(async (r) => {
    const winner = await Promise.race([r.call('post', 'unsafe', { ms: 900 }), sleep(100).then(() => 'slept')]);
    return winner;
  });
  await rig.runToEnd('w');
  expect(rig.value('w')).toBe('slept');
  expect(pick(rig.journal('w'), 'done').map((entry) => (entry as { label: string }).label)).toContain('unsafe post');
});

test('an unsafe step that its worker’s death interrupted is told from one that was never begun', async () => {
  let ran = 0;
  const rig = rigOf(async () => {
    await step('reads', () => 1, { safe: true });
    return step('charges', () => {
      ran += 1;
      return ran === 1 ? NEVER : 'charged';
    });
  });
  await rig.invoke([rig.message('w')], { until: () => ran === 1 });
  abandon(rig);
  expect((await rig.wakeToEnd('w')).status).toBe('paused');
  expect(ran).toBe(1);
});
