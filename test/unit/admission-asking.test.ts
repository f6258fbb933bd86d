/** What a call is answered that asks: it waits no longer in process than it may, and is refused nothing that it could still have. */
import { beforeEach, describe, expect, it } from 'vitest';
import { createAdmission } from '../../src/admission/admission.ts';
import { lateParts } from '../../src/admission/late.ts';
import { memoryAdmissionStore as inMemory } from '../../src/admission/memory-store.ts';
import { hold, raiseGate } from '../../src/admission/stops.ts';
import type { Admission, AdmissionRecord, AdmissionStore, Ask } from '../../src/engine/admission-ports.ts';
import { seededEntropy, type VirtualClock, virtualClock } from '../../src/testing/index.ts';
import { askAt, KEY, within as withinTime } from '../support/admission/asking.ts';

const HOUR = 3_600_000;

let clock: VirtualClock;
let store: AdmissionStore;
let reachable: boolean;
let admission: Admission;
beforeEach(async () => {
  // Virtual time waits for no file.
  await lateParts();
  clock = virtualClock(1_800_000_000_000);
  store = inMemory();
  reachable = true;
  const refuse = () => Promise.reject(new Error('unreachable'));
  const wired: AdmissionStore = {
    ...store,
    read: (...args) => (reachable ? store.read(...args) : refuse()),
    change: (...args) => (reachable ? store.change(...args) : refuse()),
  };
  admission = createAdmission({ store: wired, clock, entropy: seededEntropy(1), instances: 10 });
});

const ask = (more: Partial<Ask> = {}): Ask => askAt(clock, { limits: [{ requests: 10, per: 1_000, burst: 1 }], tenant: 'small', ...more });

const within = <T>(ms: number, work: T | Promise<T>): Promise<T> => withinTime(clock, ms, work);

const put = (record: AdmissionRecord) => store.change(KEY, { set: record });

describe('beside the long line of another tenant', () => {
  it('is put down until there is a gap, where that is further away than it may wait in process', async () => {
    const step = HOUR + 1;
    const at = (n: number) => clock.now() + 1_000 + n * 32 * step;
    const pauses = [0, 1, 2, 3, 4, 5].map((n) => `${at(n)}+${16 * step}`).join(' ');
    await put({ tat0: clock.now() + 1_000 * HOUR, heavy: 'big', pauses });
    const limits = [{ requests: 1, per: HOUR, burst: 1 }];
    const answer = await within(2_500, admission.ask(ask({ limits, until: clock.now() + 5_000 * HOUR })));
    expect(answer).toMatchObject({ type: 'later', why: 'rate' });
    expect(answer.type === 'later' && answer.at).toBeGreaterThan(clock.now() + HOUR);
  });

  it('has its turn soon, also if the line is longer than its deadline', async () => {
    await put({ tat0: clock.now() + HOUR, heavy: 'big' });
    expect(await within(2_500, admission.ask(ask({ until: clock.now() + 60_000 })))).toMatchObject({ type: 'go' });
    const own = await within(2_500, admission.ask(ask({ until: clock.now() + 60_000, tenant: 'big' })));
    expect(own).toMatchObject({ type: 'never', why: 'rate' });
  });
});

describe('of a connection that is held', () => {
  it('waits until its deadline, and no less: a person may release it in time', async () => {
    await store.change(KEY, hold({}, { by: 'ada', why: 'asked' }, clock.now()));
    const until = clock.now() + 40_000;
    clock.advance(20_000);
    const answer = await within(2_500, admission.ask(ask({ until })));
    expect(answer).toMatchObject({ type: 'later', at: until, why: 'hold' });
    clock.advance(20_000);
    expect(await within(2_500, admission.ask(ask({ until })))).toMatchObject({ type: 'never', why: 'hold' });
  });
});

describe("with onAdmissionError: 'local'", () => {
  it('goes on alone, but not against what a person or the API was known to have said', async () => {
    const calling = ask({ limits: [], onError: 'local' });
    expect(await within(2_500, admission.ask(calling))).toMatchObject({ type: 'go' });
    reachable = false;
    clock.advance(1_000);
    expect(await within(2_500, admission.ask(calling))).toMatchObject({ type: 'go' });
    reachable = true;
    clock.advance(5_000);
    await store.change(KEY, hold({}, { by: 'ada', why: 'asked' }, clock.now()));
    expect(await within(2_500, admission.ask(calling))).toMatchObject({ type: 'later', why: 'hold' });
    reachable = false;
    clock.advance(1_000);
    expect(await within(2_500, admission.ask(calling))).toMatchObject({ type: 'later', why: 'hold' });
  });

  it('waits for the end of a gate that it knows of', async () => {
    const calling = ask({ limits: [], onError: 'local' });
    const gate = raiseGate({}, clock.now() + 60_000, clock.now()) ?? {};
    await store.change(KEY, gate);
    expect(await within(2_500, admission.ask(calling))).toMatchObject({ type: 'later', why: 'gate' });
    reachable = false;
    clock.advance(1_000);
    expect(await within(2_500, admission.ask(calling))).toMatchObject({ type: 'later', why: 'gate' });
    clock.advance(60_000);
    expect(await within(2_500, admission.ask(calling))).toMatchObject({ type: 'go' });
  });
});

describe('a place ahead of the line', () => {
  it('that a gate has overtaken is booked anew: all of those would be sent the moment it ends', async () => {
    const now = clock.now();
    await put({ base: now, resumeAt: now, slow: 500, tat0: now + 600_000, heavy: 'big' });
    await store.change(KEY, raiseGate(await store.read(KEY), now + 1_000, now) ?? {});
    const places = Array.from({ length: 40 }, (_, n) => ({ ahead: now + 300 + n * 10 }));
    clock.advance(1_100);
    const went: number[] = [];
    let over = 0;
    for (const place of places) {
      void Promise.resolve(admission.ask(ask({ place, patience: 20_000 }))).then(({ type }) => {
        over += 1;
        if (type === 'go') went.push(clock.now());
      });
    }
    for (let n = 0; n < 2_000 && over < 40; n++) {
      for (let turn = 0; turn < 30; turn++) await undefined;
      clock.advance(10);
    }
    expect(went.length).toBeGreaterThanOrEqual(16);
    const most = Math.max(...went.map((at) => went.filter((other) => other >= at && other < at + 1_000).length));
    expect(most).toBeLessThanOrEqual(11);
  });
});

describe('a place among those in flight', () => {
  it('that has ended by itself before the sending is not sent on', async () => {
    const answer = await within(2_500, admission.ask(ask({ limits: [], concurrency: 1 })));
    if (answer.type !== 'go') throw new Error(answer.type);
    clock.advance(7_500);
    expect(await answer.permit.confirm()).toMatchObject({ type: 'later', why: 'concurrency' });
    expect(await within(2_500, admission.ask(ask({ limits: [], concurrency: 1 })))).toMatchObject({ type: 'go' });
  });
});
