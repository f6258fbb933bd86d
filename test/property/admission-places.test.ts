/** Three processes, whose clocks differ, share places, die at any moment, and are answered late or never: never more at once, and nothing is lost. */
import { expect, test } from 'vitest';
import { memoryAdmissionStore } from '../../src/admission/memory-store.ts';
import { createPlaces, type Places } from '../../src/admission/places.ts';
import { SKEW_MS } from '../../src/admission/record.ts';
import { seededEntropy, virtualClock } from '../../src/testing/index.ts';
import { memoryAdmissionStore as brittle } from '../../src/testing/memory-admission-store.ts';

const KEY = { connection: 'crm' };
const PROCESSES = 3;
const LONGEST_HOLD = 2_500;

async function run(seed: number, crashes: number) {
  const chance = seededEntropy(seed);
  const clock = virtualClock();
  const store = memoryAdmissionStore();
  const count = 1 + Math.floor(chance.random() * 7);
  const users = new Set<object>();
  const seen = { most: 0, served: 0, crashed: 0, refused: 0, failed: 0 };
  const settled = () => new Promise(setImmediate);
  const delay = (ms: number) => new Promise<void>((done) => void clock.timer(ms, done));

  /** Some requests are slow, some are lost, of some the answer: a little, a lot, or longer than anybody bears. */
  async function hitch({ alive }: { alive: boolean }, what: string): Promise<void> {
    // The dead ask nothing more; what they have asked is done.
    if (!alive) return new Promise(() => {});
    const die = chance.random();
    if (die < 0.3) await delay(chance.random() * 40);
    else if (die < 0.32) await delay(chance.random() * 1_500);
    else if (die < 0.34) throw new Error(what);
  }

  type Process = { alive: boolean; places: Places; using: Set<object> };
  function start(): Process {
    const skew = (chance.random() - 0.5) * SKEW_MS;
    const process: Process = {
      alive: true,
      using: new Set(),
      places: createPlaces({
        clock: { now: () => clock.now() + skew, timer: clock.timer },
        entropy: seededEntropy(Math.floor(chance.random() * 2 ** 32)),
        owner: chance.id(),
        store: brittle({ before: () => hitch(process, 'lost request'), after: () => hitch(process, 'lost answer') }, store),
      }),
    };
    for (let caller = 0; caller < 4; caller++) void call(process);
    return process;
  }

  async function call(process: Process): Promise<void> {
    while (process.alive) {
      const holdFor = 200 + Math.floor(chance.random() * (LONGEST_HOLD - 200));
      const leaves = new AbortController();
      if (chance.random() < 0.1) clock.timer(chance.random() * 2_000, () => leaves.abort());
      const taken = await process.places.take(KEY, count, holdFor, leaves.signal).catch(() => undefined);
      if (!process.alive) return;
      if (taken === undefined || 'later' in taken) {
        if (taken) seen.refused += 1;
        else seen.failed += 1;
        await delay(taken ? Math.max(0, taken.later - clock.now()) : 500);
        continue;
      }
      const use = {};
      users.add(use);
      process.using.add(use);
      seen.most = Math.max(seen.most, users.size);
      seen.served += 1;
      // Some use all the time that they have, and some never say that they have ended.
      await delay(chance.random() < 0.1 ? holdFor : chance.random() * Math.min(holdFor, 600));
      users.delete(use);
      if (process.alive && chance.random() < 0.98) taken.lease.release();
    }
  }

  const processes = Array.from({ length: PROCESSES }, start);
  while (seen.crashed < crashes) {
    const until = clock.now() + chance.random() * 1_200;
    while ((clock.nextTimer() ?? Number.POSITIVE_INFINITY) <= until) {
      clock.runNext();
      await settled();
    }
    const at = Math.floor(chance.random() * PROCESSES);
    const dead = processes[at] as Process;
    dead.alive = false;
    for (const use of dead.using) users.delete(use);
    seen.crashed += 1;
    processes[at] = start();
    await settled();
  }
  for (const process of processes) process.alive = false;
  const end = clock.now() + 2 * LONGEST_HOLD;
  while ((clock.nextTimer() ?? Number.POSITIVE_INFINITY) <= end) {
    clock.runNext();
    await settled();
  }
  clock.advance(end - clock.now());

  const fresh = createPlaces({ clock, entropy: chance, owner: 'last', store });
  const asked = Promise.all(Array.from({ length: count }, () => fresh.take(KEY, count, 1_000)));
  while (clock.runNext()) await settled();
  return { ...seen, count, all: await asked, leases: await store.places(KEY) };
}

test.each(Array.from({ length: 20 }, (_, seed) => seed))('five hundred crashes, seed %i', async (seed) => {
  const { most, count, all, leases, served, refused, failed } = await run(seed, 500);
  expect(most).toBe(count);
  expect(all.every((taken) => 'lease' in taken)).toBe(true);
  expect(leases.filter(({ owner }) => owner.startsWith('last.'))).toHaveLength(count);
  for (const times of [served, refused, failed]) expect(times).toBeGreaterThan(30);
});
