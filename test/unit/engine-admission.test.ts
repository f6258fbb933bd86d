/** What an operation's `admit` says is heeded before anything is spent: no place, no START, no attempt. */
import { describe, expect, test } from 'vitest';
import type { HoldfastError } from '../../src/engine/errors.ts';
import type { Json } from '../../src/engine/json.ts';
import type { Admitted, AttemptEnv, Effect, Verdict } from '../../src/engine/operation.ts';
import { operatorOf } from '../support/engine/operator.ts';
import { again, done, gate, HOUR, MINUTE, type Rig } from '../support/engine/rig.ts';
import { abandon, pick, rigOf, rigOfAll } from '../support/engine/scenario.ts';

const EFFECTS: readonly Effect[] = ['safe', 'idempotent', 'keyed', 'unsafe'];

/** Answers one after the other, the last one for ever; counts what was asked and given back. */
function gatekeeper(...answers: Array<(env: AttemptEnv, keeper: { go(): Admitted }) => Admitted | Promise<Admitted>>) {
  const asked: Array<{ at: number; attempt: number; place: Json | undefined }> = [];
  const keeper = {
    asked,
    dropped: 0,
    go: (): Admitted => ({
      type: 'go',
      drop: () => {
        keeper.dropped += 1;
      },
    }),
    admit(env: AttemptEnv): Admitted | Promise<Admitted> {
      asked.push({ at: env.clock.now(), attempt: env.attempt, place: env.place });
      const answer = answers[Math.min(asked.length, answers.length) - 1];
      return answer ? answer(env, keeper) : keeper.go();
    },
  };
  return keeper;
}

const go = (_env: AttemptEnv, keeper: { go(): Admitted }) => keeper.go();
const later =
  (ms: number, place?: Json) =>
  ({ clock }: AttemptEnv): Admitted => ({ type: 'later', at: clock.now() + ms, why: 'rate', ...(place === undefined ? {} : { place }) });

/** Held up when it was about to be sent. */
const heldUp = (env: AttemptEnv, ms: number): Verdict => ({
  ...(again(env.clock.now() + ms, 'nothing') as Extract<Verdict, { type: 'again' }>),
  why: 'gate',
  place: { at: 7 },
  record: { phase: 'deferred' },
});

describe('a call that is put off for long', () => {
  test.each(EFFECTS)('parks without a START, and goes on with its place in another process: %s', async (effect) => {
    const keeper = gatekeeper(later(HOUR, { slot: 12 }), go);
    const rig = rigOf(async (r) => r.call('post', effect, { admit: keeper.admit }));
    await rig.invoke([rig.message('w')]);
    expect(rig.sent).toEqual([]);
    const parked = rig.record('w');
    expect(parked.status).toBe('waiting');
    expect(rig.written()).toEqual(['park']);
    const [retry, ...more] = rig.journal('w').filter(({ k }) => k !== 'park');
    expect(more).toEqual([]);
    expect(retry).toMatchObject({ k: 'retry', why: 'rate', place: { slot: 12 }, attempt: 1, throttles: 0, next: parked.wakeAt });
    rig.forget();
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toBe('post=1');
    expect(keeper.asked.map(({ place }) => place)).toEqual([undefined, { slot: 12 }]);
    expect(rig.sent).toMatchObject([{ attempt: 1 }]);
    expect(pick(rig.journal('w'), 'unknown')).toEqual([]);
    expect(keeper.dropped).toBe(0);
  });

  test('is told of, with what holds it up', async () => {
    const rig = rigOf(async (r) => r.call('get', 'safe', { target: 'crm', admit: gatekeeper(later(HOUR)).admit }));
    await rig.invoke([rig.message('w')]);
    expect(rig.events.filter(({ type }) => type === 'call.deferred')).toMatchObject([
      { workflow: 'w', operation: 'safe get', target: 'crm', why: 'rate', until: rig.record('w').wakeAt },
    ]);
  });

  test('is cancelled like any that waits', async () => {
    const rig = rigOf(async (r) => r.call('post', 'unsafe', { admit: gatekeeper(later(HOUR)).admit }));
    await rig.invoke([rig.message('w')]);
    await operatorOf(rig).cancel();
    expect((await rig.wakeToEnd('w')).status).toBe('cancelled');
    expect(rig.sent).toEqual([]);
  });

  test('is cancelled also if a worker had died over it, and may have happened', async () => {
    const held = { now: false };
    const keeper = gatekeeper((env, k) => (held.now ? later(HOUR)(env) : k.go()));
    const rig = rigOf(async (r) => r.call('put', 'keyed', { admit: keeper.admit }));
    await rig.invoke([rig.message('w')], { until: () => rig.sent.length === 1 });
    abandon(rig);
    held.now = true;
    await operatorOf(rig).cancel();
    const record = await rig.wakeToEnd('w');
    expect(record.status).toBe('cancelled');
    expect(rig.sends('put')).toBe(1);
  });
});

describe('a call that is put off for a moment', () => {
  test('waits in process, and nothing of it is written', async () => {
    const keeper = gatekeeper(later(700, 'p'), later(300, 'q'), go);
    const rig = rigOf(async (r) => r.call('get', 'safe', { admit: keeper.admit }));
    await rig.invoke([rig.message('w')]);
    expect(rig.value('w')).toBe('get=1');
    expect(keeper.asked.map(({ place }) => place)).toEqual([undefined, 'p', 'q']);
    expect(rig.sent[0]?.at).toBe((keeper.asked[0]?.at ?? 0) + 1_000);
    expect(rig.journal('w').map(({ k }) => k)).toEqual(['done']);
    expect(rig.events.filter(({ type }) => type === 'call.deferred')).toEqual([]);
  });

  test('is not asked twice in one millisecond by an answer that lies in the past', async () => {
    const keeper = gatekeeper(later(-500), later(-500), go);
    const rig = rigOf(async (r) => r.call('get', 'safe', { admit: keeper.admit }));
    await rig.invoke([rig.message('w')]);
    const times = keeper.asked.map(({ at }) => at);
    expect(new Set(times).size).toBe(3);
  });

  test('uses up no attempt, no throttle and no quick retry', async () => {
    const seen: AttemptEnv[] = [];
    const keeper = gatekeeper(later(500), go, later(500), go);
    const rig = rigOf(async (r) =>
      r.call('get', 'safe', {
        admit: keeper.admit,
        answer: (env, nth) => {
          seen.push(env);
          return nth === 1 ? again(env.clock.now() + 100) : done('got');
        },
      }),
    );
    await rig.invoke([rig.message('w')]);
    expect(rig.value('w')).toBe('got');
    expect(seen).toMatchObject([
      { attempt: 1, throttles: 0, quickRetries: 0 },
      { attempt: 2, throttles: 0, quickRetries: 1 },
    ]);
    // What it was given for the first sending says nothing of the second.
    expect(keeper.asked.map(({ attempt, place }) => [attempt, place])).toEqual([
      [1, undefined],
      [1, undefined],
      [2, undefined],
      [2, undefined],
    ]);
  });
});

describe('a call that may never be sent', () => {
  test('fails with what it was told, and nothing was begun', async () => {
    const refusal: Admitted = { type: 'fail', error: { code: 'E_DEADLINE', message: 'no place' } };
    const rig = rigOf(async (r) => r.call('post', 'unsafe', { admit: () => refusal }));
    await rig.runToEnd('w');
    expect(rig.error('w')).toMatchObject({ code: 'E_DEADLINE', message: 'no place' });
    expect(rig.sent).toEqual([]);
    expect(pick(rig.journal('w'), 'start')).toEqual([]);
  });

  test.each([
    [
      'throws',
      () => {
        throw new Error('broken');
      },
    ],
    ['rejects', () => Promise.reject(new Error('broken'))],
  ])('because asking %s: a fault, and said so', async (_how, admit) => {
    const rig = rigOf(async (r) => r.call('get', 'safe', { admit }));
    await rig.runToEnd('w');
    expect(rig.error('w')).toMatchObject({ code: 'E_INTERNAL' });
  });
});

describe('a permission that is not used', () => {
  test('is given back if the invocation has no time left, and the call is asked for again without its place', async () => {
    // Waiting for the answer takes the time that sending would need.
    const keeper = gatekeeper(later(HOUR, 'old'), (env, k) => new Promise((answer) => env.clock.timer(4_000, () => answer(k.go()))), go);
    const rig = rigOf(async (r) => r.call('post', 'unsafe', { admit: keeper.admit }));
    await rig.invoke([rig.message('w')]);
    rig.clock.advance(HOUR);
    await rig.invoke([rig.wakeMessage(rig.idOf('w'))], { ms: 10_000 });
    expect(keeper.dropped).toBe(1);
    expect(rig.sent).toEqual([]);
    expect(pick(rig.journal('w'), 'start')).toEqual([]);
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toBe('post=1');
    expect(keeper.asked.map(({ place }) => place)).toEqual([undefined, 'old', undefined]);
  });

  test('is given back if user code gave the call up while it was asked for', async () => {
    const stop = new AbortController();
    const asking = gate();
    const signals: AbortSignal[] = [];
    const keeper = gatekeeper(async (env, k) => {
      signals.push(env.signal);
      await asking.wait();
      return k.go();
    });
    const rig = rigOf(async (r) =>
      r.call('post', 'unsafe', { admit: keeper.admit, signal: stop.signal }).catch((e: HoldfastError) => e.code),
    );
    const invocation = rig.begin([rig.message('w')]);
    await rig.settle(() => asking.reached);
    stop.abort();
    expect(signals[0]?.aborted).toBe(true);
    asking.open();
    await rig.settle(() => invocation.kept !== undefined);
    expect(rig.value('w')).toBe('E_ABORTED');
    expect(keeper.dropped).toBe(1);
    expect(rig.sent).toEqual([]);
    expect(pick(rig.journal('w'), 'start')).toEqual([]);
  });

  test('is given back if the run ended while it was asked for', async () => {
    const asking = gate();
    let closed: AbortSignal | undefined;
    const keeper = gatekeeper(async (env, k) => {
      closed = env.signal;
      await asking.wait();
      return k.go();
    });
    const rig = rigOf(async (r) => Promise.race([r.call('post', 'unsafe', { admit: keeper.admit }), r.call('get')]));
    await rig.invoke([rig.message('w')]);
    expect(rig.value('w')).toBe('get=1');
    expect(closed?.aborted).toBe(true);
    asking.open();
    await rig.settle(() => keeper.dropped === 1);
    expect(keeper.dropped).toBe(1);
    expect(rig.sends('post')).toBe(0);
  });

  test('is given back if START could not be made durable in time', async () => {
    const keeper = gatekeeper(go);
    const rig = rigOf(async (r) => r.call('post', 'unsafe', { admit: keeper.admit }));
    // The write takes what was left of the invocation.
    rig.faults.before = async (op) => {
      if (op === 'create' && rig.sent.length === 0 && keeper.asked.length === 1) await rig.delay(4_000);
    };
    await rig.invoke([rig.message('w')], { ms: 10_000 });
    expect(keeper.dropped).toBe(1);
    expect(rig.sent).toEqual([]);
    rig.faults.before = () => undefined as never;
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toBe('post=1');
    expect(pick(rig.journal('w'), 'unknown')).toEqual([]);
  });
});

describe('whoever waits for a place among the calls in flight', () => {
  const crowd = (keeper: ReturnType<typeof gatekeeper>, ms: number): Rig =>
    rigOfAll(
      {
        slow: async (r) => r.call('slow', 'safe', { ms }),
        w: async (r) => r.call('get', 'safe', { admit: keeper.admit }),
      },
      { maxInFlight: 1 },
    );

  test('is asked again once it has one, if that took long', async () => {
    const keeper = gatekeeper(go);
    const rig = crowd(keeper, 300);
    await rig.invoke([rig.message('slow'), rig.message('w')]);
    expect(keeper.asked).toHaveLength(2);
    expect(keeper.dropped).toBe(1);
    expect(rig.sends('get')).toBe(1);
  });

  test('is not if it was short', async () => {
    const keeper = gatekeeper(go);
    const rig = crowd(keeper, 200);
    await rig.invoke([rig.message('slow'), rig.message('w')]);
    expect(keeper.asked).toHaveLength(1);
    expect(keeper.dropped).toBe(0);
  });

  test('does not keep its place if it is then put off', async () => {
    const keeper = gatekeeper(go, later(HOUR), go);
    const rig = crowd(keeper, 300);
    await rig.invoke([rig.message('slow'), rig.message('w')]);
    expect(rig.record('w').status).toBe('waiting');
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toBe('get=1');
  });
});

describe('a call that is held up at the very last moment', () => {
  test.each(EFFECTS)('was not sent, and is not unknown to whoever goes on: %s', async (effect) => {
    const keeper = gatekeeper(go);
    const rig = rigOf(async (r) =>
      r.call('post', effect, { admit: keeper.admit, answer: (env, nth) => (nth === 1 ? heldUp(env, HOUR) : done('sent')) }),
    );
    await rig.invoke([rig.message('w')]);
    expect(rig.journal('w').findLast(({ k }) => k === 'retry')).toMatchObject({ why: 'gate', place: { at: 7 }, attempt: 1, throttles: 0 });
    rig.forget();
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toBe('sent');
    expect(keeper.asked).toMatchObject([{ attempt: 1 }, { attempt: 1, place: { at: 7 } }]);
    expect(pick(rig.journal('w'), 'unknown')).toEqual([]);
  });

  test('is no older under its key for having waited', async () => {
    const rig = rigOf(async (r) =>
      r.call('post', 'keyed', { keyTtl: HOUR, answer: (env, nth) => (nth === 1 ? heldUp(env, 2 * HOUR) : done(env.firstSentAt)) }),
    );
    await rig.runToEnd('w');
    expect(rig.value('w')).toBeGreaterThanOrEqual(2 * HOUR);
    expect(pick(rig.journal('w'), 'unknown')).toEqual([]);
  });

  test('waits in process if it is short', async () => {
    const rig = rigOf(async (r) => r.call('post', 'unsafe', { answer: (env, nth) => (nth === 1 ? heldUp(env, 500) : done('sent')) }));
    await rig.invoke([rig.message('w')]);
    expect(rig.value('w')).toBe('sent');
  });
});

test('what a dead worker may have done is still known after it was put off', async () => {
  const interrupted: Array<boolean | undefined> = [];
  const keeper = gatekeeper(go, later(HOUR), go);
  const rig = rigOf(async (r) =>
    r.call('delete', 'idempotent', {
      admit: keeper.admit,
      answer: (env) => {
        interrupted.push(env.interrupted);
        return done('gone');
      },
    }),
  );
  await rig.invoke([rig.message('w')], { until: () => rig.sent.length === 1 });
  abandon(rig);
  await rig.wakeToEnd('w');
  expect(rig.value('w')).toBe('gone');
  expect(rig.sends('delete')).toBe(2);
  expect(interrupted).toEqual([undefined, true]);
});

test('a run that was put off replays to the same end at every await', async () => {
  const keepers = new Map<string, ReturnType<typeof gatekeeper>>();
  const rig = rigOf(
    async (r) => {
      const one = (name: string, effect: Effect) => {
        const keeper = keepers.get(name) ?? gatekeeper(later(MINUTE, name), go);
        keepers.set(name, keeper);
        return r.call(name, effect, { admit: keeper.admit });
      };
      const first = await Promise.all([one('a', 'safe'), one('b', 'unsafe')]);
      return [...first, await one('c', 'keyed')];
    },
    { maxDeliveries: 1 },
  );
  await rig.runToEnd('w');
  expect(rig.value('w')).toEqual(['a=1', 'b=1', 'c=1']);
  expect([...keepers].map(([name, { asked }]) => [name, asked.at(-1)?.place])).toEqual([
    ['a', 'a'],
    ['b', 'b'],
    ['c', 'c'],
  ]);
});

describe('calls that look again and again', () => {
  // A hundred and fifty calls that look a hundred times are more entries than a run may have: it would fail for waiting.
  test('add nothing to the journal as long as nothing is new', async () => {
    const waits = Array.from({ length: 10 }, () => later(MINUTE, { line: 5 }));
    const keepers = Array.from({ length: 20 }, () => gatekeeper(...waits, later(MINUTE, { line: 9 }), go));
    const rig = rigOf(async (r) => (await Promise.all(keepers.map(({ admit }, n) => r.call(`${n}`, 'safe', { admit })))).length);
    await rig.runToEnd('w');
    expect(rig.value('w')).toBe(20);
    expect(keepers.every(({ asked }) => asked.length >= 12)).toBe(true);
    expect(keepers[0]?.asked.slice(0, 11).map(({ place }) => place)).toEqual([
      undefined,
      ...Array.from({ length: 10 }, () => ({ line: 5 })),
    ]);
    expect(pick(rig.journal('w'), 'retry')).toHaveLength(40);
  });
});
