/** Probes, through the whole of admission: that one is sent when it may be, and never against what the API or a person has said. */
import { beforeEach, describe, expect, it } from 'vitest';
import { createAdmission } from '../../src/admission/admission.ts';
import { open, probed } from '../../src/admission/breaker.ts';
import { changed } from '../../src/admission/change.ts';
import { lateParts } from '../../src/admission/late.ts';
import { memoryAdmissionStore } from '../../src/admission/memory-store.ts';
import { raiseGate } from '../../src/admission/stops.ts';
import type { Admission, AdmissionChange, AdmissionRecord, AdmissionStore, Answer, Ask } from '../../src/engine/admission-ports.ts';
import { seededEntropy, type VirtualClock, virtualClock } from '../../src/testing/index.ts';
import { askAt, KEY, within as withinTime } from '../support/admission/asking.ts';

const LIMIT = { requests: 10, per: 1_000, burst: 1 };

let clock: VirtualClock;
let store: AdmissionStore;
let admission: Admission;
beforeEach(async () => {
  // Virtual time waits for no file.
  await lateParts();
  clock = virtualClock(1_800_000_000_000);
  store = memoryAdmissionStore();
  admission = createAdmission({ store, clock, entropy: seededEntropy(1) });
});

const ask = (more: Partial<Ask> = {}): Ask => askAt(clock, { limits: [LIMIT], tenant: 'a', ...more });

const within = <T>(ms: number, work: T | Promise<T>): Promise<T> => withinTime(clock, ms, work);

async function make(change: (record: AdmissionRecord, now: number) => AdmissionChange | undefined): Promise<AdmissionRecord> {
  const made = await store.change(KEY, change(await store.read(KEY), clock.now()) ?? {});
  expect(made.ok).toBe(true);
  return made.record;
}

function permitOf(answer: Answer) {
  if (answer.type !== 'go') throw new Error(`not sent: ${JSON.stringify(answer)}`);
  return answer.permit;
}

/** The breaker is open, and its time is over. */
async function halfOpen(): Promise<void> {
  await make(open);
  clock.advance(5_000);
}

describe('a probe', () => {
  it('is sent although its preparing took longer than what was read is recent, and its turn in the line is far away', async () => {
    await make(() => ({ set: { base: 0, tat0: clock.now() + 60_000 } }));
    await halfOpen();
    const permit = permitOf(await within(2_000, admission.ask(ask())));
    expect(permit.isProbe).toBe(true);
    clock.advance(400);
    expect(await permit.confirm()).toBeUndefined();
  });

  it('is sent as a retry, which has no place', async () => {
    await halfOpen();
    const permit = permitOf(await within(2_000, admission.ask(ask({ retry: true }))));
    expect(permit.isProbe).toBe(true);
    clock.advance(400);
    expect(await permit.confirm()).toBeUndefined();
  });

  it('is not sent before a gate that is up', async () => {
    await make((record, now) => raiseGate(record, now + 60_000, now));
    await halfOpen();
    const answer = await within(2_500, admission.ask(ask()));
    expect(answer).toMatchObject({ type: 'later' });
    expect(answer.type === 'later' && answer.at).toBeGreaterThanOrEqual(clock.now() + 50_000);
    clock.advance(55_200);
    expect(permitOf(await within(2_500, admission.ask(ask()))).isProbe).toBe(true);
  });

  it('is withdrawn if a gate has risen, or a person holds it, while it was prepared', async () => {
    await halfOpen();
    const permit = permitOf(await within(2_000, admission.ask(ask())));
    clock.advance(400);
    await make((record, now) => raiseGate(record, now + 60_000, now));
    expect(await permit.confirm()).toMatchObject({ type: 'later', why: 'gate' });
  });

  it('that was broken off by us has shown nothing: the breaker stays as it is until the next', async () => {
    await halfOpen();
    const { openUntil } = await make(() => ({}));
    for (let n = 0; n < 3; n++) {
      const permit = permitOf(await within(15_000, admission.ask(ask({ patience: 20_000 }))));
      expect(permit.isProbe).toBe(true);
      const claimed = (await store.read(KEY)).openUntil as number;
      permit.report({ type: 'neutral' });
      await within(100, admission.leave());
      const record = await store.read(KEY);
      expect(record).toMatchObject({ breaker: 'open', good: 0, openUntil: claimed });
      expect(record).not.toHaveProperty('probe');
      expect(claimed).toBeGreaterThan(openUntil as number);
    }
  });

  it('closes the breaker, and leaves a gate up that has risen at the same time', async () => {
    let record = changed({}, open({}, clock.now())) as AdmissionRecord;
    record = { ...record, good: 2, probe: 'me' };
    const close = probed(record, 'me', 'good', clock.now()) as AdmissionChange;
    const gated = changed(record, raiseGate(record, clock.now() + 60_000, clock.now()) ?? {}) as AdmissionRecord;
    expect(changed(gated, close)).toBeUndefined();
    const again = changed(gated, probed(gated, 'me', 'good', clock.now()) ?? {});
    expect(again).toMatchObject({ resumeAt: gated.resumeAt });
    expect(again).not.toHaveProperty('breaker');
  });
});
