/** Places of calls in flight, over records in memory and a clock that stands still. */
import { describe, expect, test } from 'vitest';
import { memoryAdmissionStore as plainStore } from '../../src/admission/memory-store.ts';
import { createPlaces, type Places, type Taken } from '../../src/admission/places.ts';
import { seededEntropy, virtualClock } from '../../src/testing/index.ts';
import { memoryAdmissionStore } from '../../src/testing/memory-admission-store.ts';

const KEY = { connection: 'crm', account: 'acme' };
const HOLD = 30_000;
/** What a lease may outlast its time. */
const SLACK = 1_000;

function world() {
  const clock = virtualClock();
  const plain = plainStore();
  const ops: string[] = [];
  const on: { before?: (op: string) => void | Promise<void>; after?: (op: string) => void | Promise<void> } = {};
  const store = memoryAdmissionStore(
    {
      async before(op) {
        ops.push(op);
        await on.before?.(op);
      },
      after: (op) => on.after?.(op),
    },
    plain,
  );
  let processes = 0;
  const settled = () => new Promise(setImmediate);
  return {
    clock,
    store: plain,
    ops,
    on,
    settled,
    process: () => createPlaces({ store, clock, entropy: seededEntropy(++processes), owner: `p${processes}` }),
    async advance(ms: number) {
      const until = clock.now() + ms;
      await settled();
      while ((clock.nextTimer() ?? Number.POSITIVE_INFINITY) <= until) {
        clock.runNext();
        await settled();
      }
      clock.advance(until - clock.now());
      await settled();
    },
    delay: (ms: number) => new Promise<void>((done) => void clock.timer(ms, done)),
  };
}

const had = (taken: Taken) => {
  if ('later' in taken) throw new Error('no place');
  return taken.lease;
};
const takeAll = async (places: Places, count: number) =>
  (await Promise.all(Array.from({ length: count }, () => places.take(KEY, count, HOLD)))).map(had);
/** A promise that can be looked at. */
function watched(promise: Promise<Taken>) {
  const state: { taken?: Taken; error?: unknown } = {};
  promise.then(
    (taken) => {
      state.taken = taken;
    },
    (error: unknown) => {
      state.error = error;
    },
  );
  return state;
}

describe('places', () => {
  test('are as many as there may be calls, over all processes', async () => {
    const { process, store, advance } = world();
    const [a, b] = [process(), process()];
    await takeAll(a, 3);
    const more = watched(b.take(KEY, 5, HOLD));
    const another = watched(b.take(KEY, 5, HOLD));
    await advance(0);
    expect([more.taken, another.taken]).toEqual([{ lease: expect.anything() }, { lease: expect.anything() }]);
    expect((await store.places(KEY)).map(({ place }) => place)).toEqual([0, 1, 2, 3, 4]);
    const sixth = watched(a.take(KEY, 5, HOLD));
    await advance(2_000);
    expect(sixth.taken).toEqual({ later: expect.any(Number) });
  });

  test('of other accounts are others', async () => {
    const { process } = world();
    const places = process();
    had(await places.take(KEY, 1, HOLD));
    had(await places.take({ connection: 'crm' }, 1, HOLD));
    had(await places.take({ connection: 'crm', account: 'b' }, 1, HOLD));
  });

  test('are one write where there is room', async () => {
    const { process, ops } = world();
    had(await process().take(KEY, 50, HOLD));
    expect(ops).toEqual(['take']);
  });

  test('are found, where few are free, by one look', async () => {
    const { process, ops, store, clock } = world();
    for (let place = 0; place < 50; place++) {
      if (place !== 17) await store.take(KEY, { place, owner: 'x', until: clock.now() + HOLD }, clock.now());
    }
    had(await process().take(KEY, 50, HOLD));
    expect(ops).toEqual(['take', 'places', 'take']);
  });

  test('are given back when nobody here waits, and then anybody’s', async () => {
    const { process, store, ops } = world();
    const [a, b] = [process(), process()];
    const lease = had(await a.take(KEY, 1, HOLD));
    lease.release();
    lease.release();
    await a.leave();
    expect(ops).toEqual(['take', 'give']);
    expect(await store.places(KEY)).toEqual([]);
    had(await b.take(KEY, 1, HOLD));
  });

  test('that are just being given back can be taken here at once', async () => {
    const { process, on, clock, delay, advance, store } = world();
    const places = process();
    const lease = had(await places.take(KEY, 1, HOLD));
    on.before = (op) => (op === 'give' ? delay(500) : undefined);
    lease.release();
    had(await places.take(KEY, 1, HOLD));
    await advance(500);
    expect(await store.places(KEY)).toEqual([{ place: 0, owner: expect.any(String), until: clock.now() - 500 + HOLD + SLACK }]);
  });
});

describe('a place that is released', () => {
  test('goes to who has waited longest here, by one write', async () => {
    const { process, ops, advance } = world();
    const places = process();
    const first = had(await places.take(KEY, 1, HOLD));
    const waiting = Array.from({ length: 3 }, () => watched(places.take(KEY, 1, HOLD)));
    await advance(10);
    expect(ops).toEqual(['take']);
    first.release();
    await advance(0);
    expect(waiting.map(({ taken }) => taken !== undefined)).toEqual([true, false, false]);
    had(waiting[0]?.taken as Taken).release();
    await advance(0);
    expect(waiting.map(({ taken }) => taken !== undefined)).toEqual([true, true, false]);
    expect(ops).toEqual(['take', 'take', 'take']);
  });

  test('goes on to the next when who it was for has stopped waiting', async () => {
    const { process, on, advance, delay, ops } = world();
    const places = process();
    const lease = had(await places.take(KEY, 1, HOLD));
    const leaves = new AbortController();
    const gone = watched(places.take(KEY, 1, HOLD, leaves.signal));
    const next = watched(places.take(KEY, 1, HOLD));
    await advance(0);
    on.before = () => delay(50);
    lease.release();
    await advance(10);
    leaves.abort();
    await advance(100);
    expect(gone.taken).toEqual({ later: expect.any(Number) });
    expect(had(next.taken as Taken)).toBeDefined();
    expect(ops).toEqual(['take', 'take', 'take']);
  });

  test('goes round here for ten seconds at most, so that other processes get it as well', async () => {
    const { process, advance, store } = world();
    const [busy, other] = [process(), process()];
    let lease = had(await busy.take(KEY, 1, HOLD));
    const elsewhere = watched(
      (async () => {
        for (;;) {
          const taken = await other.take(KEY, 1, HOLD);
          if ('lease' in taken) return taken;
        }
      })(),
    );
    for (let round = 0; round < 200 && elsewhere.taken === undefined; round++) {
      const next = watched(busy.take(KEY, 1, HOLD));
      await advance(500);
      lease.release();
      await advance(0);
      if (next.taken === undefined) await advance(2_000);
      if (next.taken && 'lease' in next.taken) lease = next.taken.lease;
    }
    expect(elsewhere.taken).toBeDefined();
    expect(await store.places(KEY)).toMatchObject([{ owner: expect.stringContaining('p2.') }]);
  });

  test('may fail to be: then it ends by itself', async () => {
    const { process, on, advance } = world();
    const [a, b] = [process(), process()];
    on.before = (op) => {
      if (op === 'give') throw new Error('unreachable');
    };
    had(await a.take(KEY, 1, HOLD)).release();
    await a.leave();
    const early = watched(b.take(KEY, 1, HOLD));
    await advance(HOLD + SLACK);
    expect(early.taken).toHaveProperty('later');
    had(await b.take(KEY, 1, HOLD));
  });

  test('after its end takes nothing from who has it then', async () => {
    const { process, advance, store } = world();
    const [a, b] = [process(), process()];
    const old = had(await a.take(KEY, 1, HOLD));
    await advance(HOLD + SLACK);
    had(await b.take(KEY, 1, HOLD));
    const before = await store.places(KEY);
    old.release();
    await a.leave();
    expect(await store.places(KEY)).toEqual(before);
  });

  test('keeps the process from being frozen until it is given back', async () => {
    const { process, on, advance, delay } = world();
    const places = process();
    const lease = had(await places.take(KEY, 1, HOLD));
    on.before = () => delay(20);
    lease.release();
    let left = false;
    const leaving = places.leave().then(() => {
      left = true;
    });
    await advance(19);
    expect(left).toBe(false);
    await advance(1);
    await leaving;
  });
});

describe('who finds no place', () => {
  test('looks again and again for two seconds, and takes what is free', async () => {
    const { process, advance, ops } = world();
    const [a, b] = [process(), process()];
    const lease = had(await a.take(KEY, 1, HOLD));
    const waiting = watched(b.take(KEY, 1, HOLD));
    await advance(400);
    lease.release();
    await advance(700);
    expect(had(waiting.taken as Taken)).toBeDefined();
    expect(ops.filter((op) => op === 'places').length).toBeLessThanOrEqual(4);
  });

  test('is told to come later, in one to five seconds, not all at once', async () => {
    const { process, advance, clock } = world();
    const [a, b] = [process(), process()];
    await takeAll(a, 2);
    const waiting = Array.from({ length: 50 }, () => watched(b.take(KEY, 2, HOLD)));
    await advance(2_000);
    const times = waiting.map(({ taken }) => (taken && 'later' in taken ? taken.later - clock.now() : Number.NaN));
    for (const ms of times) {
      expect(ms).toBeGreaterThanOrEqual(1_000);
      expect(ms).toBeLessThanOrEqual(5_000);
    }
    expect(new Set(times).size).toBeGreaterThan(40);
    expect(clock.pending()).toBe(0);
  });

  test('is not told to come before a lease ends that ends soon', async () => {
    const { process, advance, clock } = world();
    const [a, b] = [process(), process()];
    had(await a.take(KEY, 1, 4_000));
    const end = clock.now() + 4_000 + SLACK;
    const waiting = Array.from({ length: 50 }, () => watched(b.take(KEY, 1, HOLD)));
    await advance(2_000);
    const times = waiting.map(({ taken }) => (taken && 'later' in taken ? taken.later : Number.NaN));
    expect(Math.min(...times)).toBeGreaterThanOrEqual(end);
    expect(Math.max(...times)).toBeLessThanOrEqual(clock.now() + 5_000);
  });

  test('waits no longer when nobody wants it any more', async () => {
    const { process, advance, ops } = world();
    const places = process();
    had(await places.take(KEY, 1, HOLD));
    const waiting = watched(places.take(KEY, 1, HOLD, AbortSignal.timeout(0)));
    while (waiting.taken === undefined) await advance(0);
    expect(waiting.taken).toEqual({ later: expect.any(Number) });
    expect(await places.take(KEY, 1, HOLD, AbortSignal.abort())).toEqual({ later: expect.any(Number) });
    expect(ops).toEqual(['take']);
  });
});

describe('when the store cannot be asked', () => {
  const unreachable = () => {
    throw new Error('unreachable');
  };

  test('asking for a place rejects', async () => {
    const { process, on } = world();
    on.before = unreachable;
    await expect(process().take(KEY, 1, HOLD)).rejects.toThrow('unreachable');
  });

  test('those that wait are told so', async () => {
    const { process, on, advance } = world();
    const [a, b] = [process(), process()];
    had(await a.take(KEY, 1, HOLD));
    const waiting = [watched(b.take(KEY, 1, HOLD)), watched(b.take(KEY, 1, HOLD))];
    await advance(0);
    on.before = unreachable;
    await advance(300);
    expect(waiting.map(({ error }) => error)).toEqual([new Error('unreachable'), new Error('unreachable')]);
  });

  test('a place that was taken with a lost answer is given back', async () => {
    const { process, on, store } = world();
    const places = process();
    on.after = (op) => {
      if (op === 'take') unreachable();
    };
    await expect(places.take(KEY, 1, HOLD)).rejects.toThrow('unreachable');
    await places.leave();
    expect(await store.places(KEY)).toEqual([]);
  });

  test('a place that was handed over with a lost answer is given back, and who it was for goes on waiting', async () => {
    const { process, on, advance } = world();
    const places = process();
    const lease = had(await places.take(KEY, 1, HOLD));
    const waiting = watched(places.take(KEY, 1, HOLD));
    await advance(0);
    on.after = (op) => {
      if (op === 'take') unreachable();
    };
    lease.release();
    await advance(0);
    on.after = () => {};
    await advance(300);
    expect(had(waiting.taken as Taken)).toBeDefined();
  });

  test('a place whose answer came too late for its whole time is not used', async () => {
    const { process, on, advance, delay, store, ops, clock } = world();
    const places = process();
    on.after = (op) => (op === 'take' && ops.length === 1 ? delay(901) : undefined);
    const late = watched(places.take(KEY, 1, HOLD));
    await advance(901);
    expect(had(late.taken as Taken)).toBeDefined();
    expect(ops).toEqual(['take', 'give', 'places', 'take']);
    expect(await store.places(KEY)).toMatchObject([{ until: clock.now() + HOLD + SLACK }]);
  });
});
