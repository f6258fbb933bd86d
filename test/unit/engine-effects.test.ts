import { describe, expect, test } from 'vitest';
import { decodeEntries, type Entry } from '../../src/engine/journal.ts';
import { openLineage } from '../../src/engine/lineage.ts';
import type { Effect, Verdict } from '../../src/engine/operation.ts';
import { step } from '../../src/engine/step.ts';
import { sleep } from '../../src/engine/verbs.ts';
import { workflow } from '../../src/engine/workflow.ts';
import { again, createRig, done, failed, gate, HOUR, MINUTE, NEVER, type Rig, type RigOptions } from '../support/engine/rig.ts';

function rigOf(run: (rig: Rig) => Promise<unknown>, more: Partial<RigOptions> = {}): Rig {
  let rig: Rig;
  const definition = workflow({ name: 'w', run: async () => run(rig) });
  rig = createRig({ workflows: [definition], ...more });
  return rig;
}

/** Works until the nth sending and is killed there: its process never moves again. */
async function killedAtSending(rig: Rig, nth: number): Promise<void> {
  await rig.invoke([rig.message('w')], { until: () => rig.sent.length === nth });
  abandon(rig);
}

/** Time passes until the lease is over; whatever the dead worker had scheduled does not happen. */
function abandon(rig: Rig): void {
  const { due } = rig.record('w');
  rig.forget();
  rig.clock.advance(Math.max(0, (due ?? 0) - rig.clock.now()));
}

const pick = (entries: readonly Entry[], k: Entry['k']) => entries.filter((entry) => entry.k === k);

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

describe('an unsafe effect whose worker died after it was sent', () => {
  const hangs = (then?: () => Verdict) =>
    rigOf(async (r) =>
      r.call('post', 'unsafe', {
        answer: (_env, nth) => (nth === 1 ? NEVER : done(`sent ${nth} times`)),
        ...(then ? { unknown: async () => then() } : {}),
      }),
    );

  test('is not sent again, and pauses its run', async () => {
    const rig = hangs();
    await killedAtSending(rig, 1);
    const record = await rig.wakeToEnd('w');
    expect(record).toMatchObject({ status: 'paused', reason: { code: 'E_UNKNOWN_OUTCOME' } });
    expect(record.due).toBeGreaterThan(rig.clock.now() + 23 * HOUR);
    expect(rig.sent).toHaveLength(1);
    expect(pick(rig.journal('w'), 'unknown')).toHaveLength(1);
  });

  test('stays so however often it is woken', async () => {
    const rig = hangs();
    await killedAtSending(rig, 1);
    await rig.wakeToEnd('w');
    for (let i = 0; i < 5; i++) await rig.resume('w');
    expect(rig.record('w').status).toBe('paused');
    expect(rig.sent).toHaveLength(1);
  });

  test('is over when asking finds that it happened', async () => {
    const rig = hangs(() => done('found'));
    await killedAtSending(rig, 1);
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toBe('found');
    expect(rig.sent).toHaveLength(1);
  });

  test('is sent as new, with a START of its own, when asking finds that it did not happen', async () => {
    const rig = hangs(() => ({ type: 'resend' }));
    await killedAtSending(rig, 1);
    let starts = 0;
    rig.watch.send = () => {
      starts = pick(rig.journal('w'), 'start').length;
    };
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toBe('sent 2 times');
    expect(starts).toBe(2);
    expect(rig.sent[1]).toMatchObject({ key: rig.sent[0]?.key, attempt: 2 });
    expect(rig.sent[1]?.firstSentAt).toBe(rig.sent[1]?.at);
  });

  test('fails in user code when asking says so', async () => {
    const rig = hangs(() => failed('no'));
    await killedAtSending(rig, 1);
    await rig.wakeToEnd('w');
    expect(rig.error('w')).toMatchObject({ code: 'E_CALL_FAILED', message: 'no' });
  });

  test('is asked about later when asking says so, without being sent', async () => {
    let asked = 0;
    const rig: Rig = rigOf(async (r) =>
      r.call('post', 'unsafe', {
        answer: () => NEVER,
        unknown: async (env) => {
          asked += 1;
          return asked < 3 ? again(env.clock.now() + 10 * MINUTE) : done('found');
        },
      }),
    );
    await killedAtSending(rig, 1);
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toBe('found');
    expect([asked, rig.sent.length]).toEqual([3, 1]);
  });

  test('is settled by a verdict that comes into the inbox', async () => {
    const rig = hangs();
    await killedAtSending(rig, 1);
    await rig.wakeToEnd('w');
    const op = rig.sent[0]?.op as string;
    await rig.resume('w', 'k', { key: 'late:1', kind: 'late', data: { op, attempt: 1, value: '"a person says so"' } });
    expect(rig.value('w')).toBe('a person says so');
    expect(rig.sent).toHaveLength(1);
  });

  test('is settled by a verdict that it failed', async () => {
    const rig = hangs();
    await killedAtSending(rig, 1);
    await rig.wakeToEnd('w');
    const op = rig.sent[0]?.op as string;
    await rig.resume('w', 'k', {
      key: 'late:1',
      kind: 'late',
      data: { op, attempt: 1, error: { code: 'E_CALL_FAILED', message: 'it did not' } },
    });
    expect(rig.error('w').message).toBe('it did not');
  });

  test('was never sent when the worker died before START was durable, and is sent once', async () => {
    const rig = rigOf(async (r) => r.call('post', 'unsafe'));
    rig.faults.before = (op) => (op === 'create' ? NEVER : undefined);
    await rig.invoke([rig.message('w')], { until: () => false });
    delete rig.faults.before;
    rig.forget();
    await rig.invoke([rig.message('w', null, 'k', 2)]);
    expect(rig.value('w')).toBe('post=1');
  });

  test('is unknown when it died between START and the sending: nobody can tell', async () => {
    const rig = rigOf(async (r) => r.call('post', 'unsafe'));
    rig.faults.after = (op) => (op === 'create' ? NEVER : undefined);
    await rig.invoke([rig.message('w')]);
    delete rig.faults.after;
    abandon(rig);
    expect((await rig.wakeToEnd('w')).reason?.code).toBe('E_UNKNOWN_OUTCOME');
    expect(rig.sent).toHaveLength(0);
  });
});

describe('a keyed effect whose worker died after it was sent', () => {
  test('is sent again with the same key and the time of its first sending, after a claim', async () => {
    const rig = rigOf(async (r) => r.call('post', 'keyed', { answer: (_env, nth) => (nth === 1 ? NEVER : done(nth)), keyTtl: 23 * HOUR }));
    await killedAtSending(rig, 1);
    const owner = rig.record('w').lease?.owner;
    rig.watch.send = () => expect(rig.record('w').lease?.owner).not.toBe(owner);
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toBe(2);
    expect(rig.sent[1]).toMatchObject({ key: rig.sent[0]?.key, firstSentAt: rig.sent[0]?.at });
    expect(pick(rig.journal('w'), 'start')).toHaveLength(1);
  });

  test('claims even when nothing else tells that a worker died', async () => {
    const rig = rigOf(async (r) => {
      await Promise.race([r.call('post', 'keyed', { answer: (env, nth) => (nth === 1 ? again(env.clock.now() + HOUR) : done(nth)) })]);
    });
    await rig.invoke([rig.message('w')]);
    expect(rig.record('w')).toMatchObject({ status: 'waiting' });
    expect(rig.record('w').lease).toBeUndefined();
    rig.watch.send = () => expect(rig.record('w').lease?.until).toBeGreaterThan(rig.clock.now());
    await rig.wakeToEnd('w');
    expect(rig.sent).toHaveLength(2);
    expect(rig.sent[1]?.key).toBe(rig.sent[0]?.key);
  });

  test('is unknown when the API has forgotten its key by now', async () => {
    const rig = rigOf(async (r) => r.call('post', 'keyed', { answer: () => NEVER, keyTtl: 4 * MINUTE }));
    await killedAtSending(rig, 1);
    const record = await rig.wakeToEnd('w');
    expect(record).toMatchObject({ status: 'paused', reason: { code: 'E_UNKNOWN_OUTCOME' } });
    expect(record.reason?.message).toContain('keyed post');
    expect(rig.sent).toHaveLength(1);
  });

  test('counts that time from its first sending, over retries and wakes', async () => {
    const rig = rigOf(async (r) => r.call('post', 'keyed', { answer: (env) => again(env.clock.now() + HOUR), keyTtl: 2.5 * HOUR }));
    await rig.runToEnd('w');
    expect(rig.record('w')).toMatchObject({ status: 'paused' });
    expect(rig.sent).toHaveLength(3);
    for (const one of rig.sent) expect(one.firstSentAt).toBe(rig.sent[0]?.at);
  });

  test('is a divergence when its body has changed, and is not sent', async () => {
    let body = 'one';
    const rig = rigOf(async (r) => r.call('post', 'keyed', { answer: () => NEVER, bodyHash: body }));
    await killedAtSending(rig, 1);
    body = 'two';
    const record = await rig.wakeToEnd('w');
    expect(record).toMatchObject({ status: 'paused', reason: { code: 'E_DIVERGED' } });
    expect(record.reason?.message).toContain('keyed post');
    expect(rig.sent).toHaveLength(1);
  });

  test('leaves the START of its neighbour alone when its body has changed', async () => {
    let body = 'one';
    const rig = rigOf(async (r) =>
      Promise.all([r.call('post', 'keyed', { answer: (_env, nth) => (nth === 1 ? NEVER : done(nth)), bodyHash: body }), after(r)]),
    );
    let open = false;
    const after = async (r: Rig) => (open ? r.call('neighbour', 'unsafe') : undefined);
    await killedAtSending(rig, 1);
    body = 'two';
    open = true;
    await rig.wakeToEnd('w');
    body = 'one';
    await rig.resume('w');
    expect(rig.record('w').status).toBe('succeeded');
    expect(rig.sends('neighbour')).toBe(1);
  });
});

test.each<Effect>(['idempotent', 'safe'])('an interrupted %s operation is made again', async (effect) => {
  const rig = rigOf(async (r) => {
    await r.call('post', 'keyed');
    return r.call('it', effect, { answer: (_env, nth) => (nth === 1 ? NEVER : done(nth)) });
  });
  await killedAtSending(rig, 2);
  await rig.wakeToEnd('w');
  expect(rig.value('w')).toBe(2);
  expect(new Set(rig.sent.filter(({ label }) => label === 'post').map(({ key }) => key)).size).toBe(1);
});

test('an operation that throws instead of answering fails, and says that it is a fault of Holdfast', async () => {
  const rig = rigOf(async (r) =>
    r.call('it', 'unsafe', {
      answer: () => {
        throw new TypeError('oops');
      },
    }),
  );
  await rig.runToEnd('w');
  expect(rig.error('w')).toMatchObject({ code: 'E_INTERNAL', message: 'oops' });
});

test('the time of the first sending is that of the first, over any number of sendings and wakes', async () => {
  const rig = rigOf(async (r) =>
    r.call('post', 'unsafe', { answer: (env, nth) => (nth < 4 ? again(env.clock.now() + HOUR) : done(env.firstSentAt ?? 0)) }),
  );
  await rig.runToEnd('w');
  expect(rig.value('w')).toBe(rig.sent[0]?.at);
  expect(pick(rig.journal('w'), 'start').map((entry) => (entry as { n: number }).n)).toEqual([1, 2, 3, 4]);
  expect(rig.sent.map((one) => one.attempt)).toEqual([1, 2, 3, 4]);
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

describe('a worker that has lost its run', () => {
  async function lostWhileSending(verdict: () => Verdict) {
    const held = gate();
    const rig = rigOf(async (r) =>
      r.call('post', 'unsafe', {
        answer: async () => {
          await held.wait();
          return verdict();
        },
      }),
    );
    const first = rig.begin([rig.message('w')]);
    await rig.settle(() => held.reached);
    return { rig, held, first };
  }

  /** As another worker does whose clock says that the lease is over. */
  async function takenOver(rig: Rig): Promise<void> {
    const record = rig.record('w');
    const lineage = openLineage({
      record,
      exists: true,
      entries: record.journal ? decodeEntries(record.journal) : [],
      ports: rig.ports(),
      owner: 'another',
      leaseUntil: rig.clock.now() + MINUTE,
    });
    await lineage.claim(true);
  }

  test('puts the result of an unsafe effect into the inbox, and it settles the unknown', async () => {
    const { rig, held, first } = await lostWhileSending(() => done('it happened'));
    await takenOver(rig);
    held.open();
    await rig.settle(() => first.kept !== undefined);
    expect(first.kept).toEqual([]);
    expect(await rig.store.inbox(rig.idOf('w'))).toMatchObject([{ kind: 'late', data: { attempt: 1, value: '"it happened"' } }]);
    rig.clock.advance(2 * MINUTE);
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toBe('it happened');
    expect(rig.sent).toHaveLength(1);
  });

  test('puts the failure of one there, too', async () => {
    const { rig, held, first } = await lostWhileSending(() => failed('it did not'));
    await takenOver(rig);
    held.open();
    await rig.settle(() => first.kept !== undefined);
    rig.clock.advance(2 * MINUTE);
    await rig.wakeToEnd('w');
    expect(rig.error('w').message).toBe('it did not');
  });

  test('has it there before its invocation ends', async () => {
    const { rig, held, first } = await lostWhileSending(() => done('it happened'));
    await takenOver(rig);
    const slow = gate();
    rig.faults.before = (op) => (op === 'deliver' ? slow.wait() : undefined);
    held.open();
    await rig.settle(() => slow.reached);
    await rig.settle(() => false, rig.clock.now() + 1_000);
    expect(first.kept).toBeUndefined();
    slow.open();
    await rig.settle(() => first.kept !== undefined);
    expect(await rig.store.inbox(rig.idOf('w'))).toHaveLength(1);
  });

  test('keeps those that are still under way in mind until they are there', async () => {
    const [one, two] = [gate(), gate()];
    const rig = rigOf(async (r) =>
      Promise.all(
        [one, two].map((held, i) =>
          r.call(`post ${i}`, 'unsafe', {
            answer: async (env) => {
              await held.wait();
              // An effect is not called back: somebody else needs its result.
              expect(env.signal.aborted).toBe(false);
              return done(`result ${i}`);
            },
          }),
        ),
      ),
    );
    const first = rig.begin([rig.message('w')]);
    await rig.settle(() => one.reached && two.reached);
    await takenOver(rig);
    one.open();
    await rig.settle(() => rig.events.some((event) => event.type === 'run.lost'));
    await rig.settle(() => false, rig.clock.now() + 5_000);
    expect(first.kept).toBeUndefined();
    two.open();
    await rig.settle(() => first.kept !== undefined);
    expect((await rig.store.inbox(rig.idOf('w'))).map((item) => (item.data as { value: string }).value).sort()).toEqual([
      '"result 0"',
      '"result 1"',
    ]);
    rig.clock.advance(2 * MINUTE);
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toEqual(['result 0', 'result 1']);
    expect(rig.sent).toHaveLength(2);
  });

  test('loses at its very end, too, and the result is kept', async () => {
    const rig = rigOf(async (r) => r.call('post', 'unsafe'));
    let moved = false;
    rig.watch.send = () => {
      moved = true;
    };
    let taken = false;
    rig.faults.before = async (op) => {
      if (op !== 'replace' || !moved || taken) return;
      taken = true;
      await takenOver(rig);
    };
    const first = await rig.invoke([rig.message('w')]);
    expect(first.kept).toEqual([]);
    rig.clock.advance(2 * MINUTE);
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toBe('post=1');
    expect(rig.sent).toHaveLength(1);
  });

  test('sends nothing more', async () => {
    const held = gate();
    const rig = rigOf(async (r) => {
      await r.call('first', 'keyed', {
        answer: async () => {
          await held.wait();
          return done(1);
        },
      });
      await r.call('second', 'unsafe');
      await r.call('third', 'keyed');
    });
    const first = rig.begin([rig.message('w')]);
    await rig.settle(() => held.reached);
    await takenOver(rig);
    held.open();
    await rig.settle(() => first.kept !== undefined);
    expect(rig.sent.map((one) => one.label)).toEqual(['first']);
    expect(rig.record('w').lease?.owner).toBe('another');
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
