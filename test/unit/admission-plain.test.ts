/** Calls of connections without limits: they go at once, and yet stop when something is in their way. */
import { beforeEach, describe, expect, it } from 'vitest';
import { createAdmission } from '../../src/admission/admission.ts';
import { memoryAdmissionStore } from '../../src/admission/memory-store.ts';
import { windowAt } from '../../src/admission/record.ts';
import { hold, raiseGate } from '../../src/admission/stops.ts';
import type { Admission, AdmissionChange, AdmissionStore, Answer, Ask, Permit } from '../../src/engine/admission-ports.ts';
import { seededEntropy, type VirtualClock, virtualClock } from '../../src/testing/index.ts';
import { askAt, KEY } from '../support/admission/asking.ts';

const ACCOUNT = { connection: 'crm', account: 'acme' };

let clock: VirtualClock;
let store: AdmissionStore;
let reads: number;
let admission: Admission;

beforeEach(() => {
  clock = virtualClock(1_800_000_000_000);
  const inner = memoryAdmissionStore();
  reads = 0;
  store = {
    ...inner,
    read(key) {
      reads += 1;
      return inner.read(key);
    },
  };
  admission = createAdmission({ store, clock, entropy: seededEntropy(1) });
});

const askOf = (more: Partial<Ask> = {}): Ask => askAt(clock, { patience: 0, ...more });

/** However long it waits for it. */
async function answered(ask: Ask): Promise<Answer> {
  let answer: Answer | undefined;
  void Promise.resolve(admission.ask(ask)).then((given) => {
    answer = given;
  });
  while (answer === undefined) {
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(1);
  }
  return answer;
}

async function permitted(ask: Ask): Promise<Permit> {
  const answer = await answered(ask);
  if (answer.type !== 'go') throw new Error(`it was put off: ${answer.why}`);
  return answer.permit;
}

/** Asked for and answered in one turn of the process. */
function atOnce(ask: Ask): boolean {
  const answer = admission.ask(ask);
  return !(answer instanceof Promise) && answer.type === 'go';
}

async function change(make: (record: Awaited<ReturnType<AdmissionStore['read']>>) => AdmissionChange | undefined, key = KEY) {
  const { record } = await store.change(key, {});
  expect((await store.change(key, make(record) as AdmissionChange)).ok).toBe(true);
}
const gate = (ms: number) => change((record) => raiseGate(record, clock.now() + ms, clock.now()));
const held = () => change((record) => hold(record, { by: 'ops', why: 'a fire' }, clock.now()));

describe('a call without limits', () => {
  it('reads the record first, then goes at once for as long as that is fresh', async () => {
    await permitted(askOf());
    expect([atOnce(askOf()), atOnce(askOf()), reads]).toEqual([true, true, 1]);
    clock.advance(1_000);
    expect(atOnce(askOf())).toBe(false);
    expect(reads).toBe(2);
  });

  it('writes nothing while all goes well', async () => {
    for (let n = 0; n < 20; n++) (await permitted(askOf())).report({ type: 'good' });
    clock.advance(1_000);
    await admission.leave();
    expect(await store.read(KEY)).toEqual({});
  });

  it('waits for a gate, and for who holds the connection, its accounts too', async () => {
    await gate(60_000);
    expect(await answered(askOf())).toMatchObject({ type: 'later', why: 'gate' });
    await held();
    clock.advance(1_000);
    expect(await answered(askOf())).toMatchObject({ type: 'later', why: 'hold' });
    expect(await answered(askOf({ key: ACCOUNT }))).toMatchObject({ type: 'later', why: 'hold' });
  });

  it('is not sent when a gate has risen since, read anew or learnt from another call a moment ago', async () => {
    const [early, late, other] = [await permitted(askOf()), await permitted(askOf()), await permitted(askOf())];
    expect(early.confirm()).toBeUndefined();
    other.report({ type: 'throttled', until: clock.now() + 60_000 });
    await admission.leave();
    for (const permit of [late, early]) {
      expect(await permit.confirm()).toMatchObject({ type: 'later', at: clock.now() });
      clock.advance(1_000);
      expect(await answered(askOf())).toMatchObject({ type: 'later', why: 'gate' });
    }
  });

  it('raises the gate before its process leaves', async () => {
    (await permitted(askOf())).report({ type: 'throttled', until: clock.now() + 60_000 });
    await admission.leave();
    expect((await store.read(KEY)).resumeAt).toBeGreaterThan(clock.now() + 59_000);
  });

  it('tells failures before its process leaves, and nothing of windows that nobody looks at any more', async () => {
    (await permitted(askOf())).report({ type: 'good' });
    clock.advance(200_000);
    (await permitted(askOf())).report({ type: 'bad' });
    await admission.leave();
    const window = windowAt(clock.now());
    expect(await store.read(KEY)).toEqual({ [`r${window}`]: 1, [`f${window}`]: 1, row: 1 });
  });

  it('waits while the record cannot be read', async () => {
    store.read = () => Promise.reject(new Error('out of reach'));
    expect(await answered(askOf())).toMatchObject({ type: 'later', why: 'unreachable' });
  });
});
