/** The record as one process knows it: what it counts and has not written, and what it believes when writes, reads and clocks go wrong. */
import { beforeEach, describe, expect, it } from 'vitest';
import { lateParts } from '../../src/admission/late.ts';
import { type Ledger, openLedger } from '../../src/admission/ledger.ts';
import { memoryAdmissionStore as inMemory } from '../../src/admission/memory-store.ts';
import { windowAt } from '../../src/admission/record.ts';
import { raiseGate } from '../../src/admission/stops.ts';
import type { AdmissionChange, AdmissionRecord, AdmissionStore } from '../../src/engine/admission-ports.ts';
import type { Clock } from '../../src/engine/ports.ts';
import { type VirtualClock, virtualClock } from '../../src/testing/index.ts';

const KEY = { connection: 'crm' };
const HOUR = 3_600_000;

let clock: VirtualClock;
let jump: number;
let store: AdmissionStore;
let changes: AdmissionChange[];
/** What the next change waits for before it is made, and before its answer comes. */
let before: (() => Promise<void>) | undefined;
let after: (() => Promise<void>) | undefined;
let ledger: Ledger;

beforeEach(async () => {
  // Virtual time waits for no file.
  await lateParts();
  clock = virtualClock(1_800_000_000_000);
  jump = 0;
  changes = [];
  before = after = undefined;
  const inner = inMemory();
  store = {
    ...inner,
    async change(key, change) {
      const [first, last] = [before, after];
      before = after = undefined;
      await first?.();
      changes.push(change);
      const result = await inner.change(key, change);
      await last?.();
      return result;
    },
  };
  const own: Clock = { now: () => clock.now() + jump, timer: clock.timer };
  ledger = openLedger(KEY, { store, clock: own, instances: 10 });
});

async function pass(ms: number): Promise<void> {
  for (let left = ms; left >= 0; left -= 10) {
    for (let n = 0; n < 20; n++) await undefined;
    if (left > 0) clock.advance(Math.min(10, left));
  }
}

function gate(): { wait: () => Promise<void>; open: () => void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { wait: () => opened, open };
}

const stored = (): Promise<AdmissionRecord> => store.read(KEY);

describe('what is counted', () => {
  it('is forgotten with its window, also where calls are rare: a day of them is no record of many KB', async () => {
    for (let n = 0; n < 600; n++) {
      ledger.count(true);
      clock.advance(140_000);
    }
    ledger.count(false);
    await pass(200);
    const counters = Object.keys(await stored()).filter((name) => /^[rf]\d+$/.test(name));
    expect(counters).toEqual([`r${windowAt(clock.now())}`, `f${windowAt(clock.now())}`]);
  });

  it('is not written hours later, by a process that was frozen with it', async () => {
    ledger.count(false);
    clock.advance(50);
    jump = 2 * HOUR;
    await pass(200);
    expect(await stored()).toEqual({});
  });

  it('is told within a moment also if another write is under way when its time comes', async () => {
    const slow = gate();
    before = slow.wait;
    ledger.count(false);
    await pass(150);
    ledger.count(false);
    await pass(150);
    slow.open();
    await pass(10);
    expect(await stored()).toMatchObject({ row: 2 });
  });
});

describe('what is known', () => {
  it('is not replaced by what was asked for earlier, and answered later', async () => {
    const slow = gate();
    after = slow.wait;
    ledger.count(false);
    await pass(110);
    await ledger.alter((record, now) => raiseGate(record, now + 60_000, now));
    expect(ledger.record).toHaveProperty('resumeAt');
    slow.open();
    await pass(0);
    expect(ledger.record).toHaveProperty('resumeAt');
  });

  it('is looked at again after the clock was put back', async () => {
    await ledger.fresh();
    jump = -HOUR;
    expect(ledger.isFresh()).toBe(false);
    await store.change(KEY, { set: { heldAt: 1 } });
    expect(await ledger.fresh()).toEqual({ heldAt: 1 });
    expect(ledger.isFresh()).toBe(true);
  });
});

describe('a table that cannot be reached', () => {
  it('is one failure, however many ask at once', async () => {
    const broken: AdmissionStore = { ...store, change: () => Promise.reject(new Error('unreachable')) };
    const other = openLedger(KEY, { store: broken, clock, instances: 10 });
    await Promise.allSettled(Array.from({ length: 20 }, () => other.alter(() => ({ add: { row: 1 } }))));
    expect(other.unreachableUntil() - clock.now()).toBe(1_000);
    await pass(1_000);
    await Promise.allSettled([other.alter(() => ({ add: { row: 1 } }))]);
    expect(other.unreachableUntil() - clock.now()).toBe(2_000);
  });
});

describe('claims of one batch', () => {
  const claim = { tenant: 'a', weight: 1, retry: false, missed: false };

  it('are given places by the limits that they were booked by, whatever is asked for meanwhile', async () => {
    const slow = gate();
    after = slow.wait;
    const first = ledger.book(claim, [{ requests: 1, per: 1_000, burst: 1 }]);
    await pass(20);
    const second = ledger.book({ ...claim, retry: true }, []);
    slow.open();
    await pass(20);
    expect(await first).toEqual({ line: clock.now() - 40 + 10 });
    expect(await second).toBeDefined();
  });

  it('exceed the retry budget by none, also when they come together', async () => {
    const booked = Array.from({ length: 125 }, () => ledger.book({ ...claim, retry: true }, []));
    await pass(50);
    const given = await Promise.all(booked);
    expect(given.filter((place) => place !== undefined)).toHaveLength(100);
    expect(await stored()).toMatchObject({ [`t${windowAt(clock.now())}`]: 100 });
  });
});
