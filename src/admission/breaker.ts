/**
 * The breaker: opens when an API fails, lets one probe through at each interval, and closes after three that went well. Never opens on
 * throttled answers or on 4xx, which say that the API is alive. Pure.
 */
import type { AdmissionChange, AdmissionCondition, AdmissionRecord } from '../engine/admission-ports.ts';
import { busiest, paceAfter } from './pace.ts';
import { numberOf, sumOf, textOf } from './record.ts';
import { asSeen, resumed, standstill } from './stops.ts';

const OPEN_MS = 5_000;
/** And not five minutes: an API that is back is noticed within fifteen seconds, for less than six requests a minute (docs/decisions/0039). */
const OPEN_MAX_MS = 11_000;
const REQUESTS = 20;
const FAILING = 0.5;
const IN_A_ROW = 10;
const GOOD = 3;
/** Calls that change something are probes only if no safe one has come by then. */
const SAFE_FIRST_MS = 2_000;

export type Breaker = 'closed' | 'open' | 'half-open';

export function breakerAt(record: AdmissionRecord, now: number): Breaker {
  if (record.breaker === undefined) return 'closed';
  // With a probe the next interval has begun: another follows it when nothing is heard of it.
  return record.probe === undefined && now < (numberOf(record, 'openUntil') ?? 0) ? 'open' : 'half-open';
}

/** At least half of twenty requests in the last minute, or ten in a row. */
export function shouldOpen(record: AdmissionRecord, now: number): boolean {
  if (record.breaker !== undefined) return false;
  if ((numberOf(record, 'row') ?? 0) >= IN_A_ROW) return true;
  const requests = sumOf(record, 'r', now);
  return requests >= REQUESTS && sumOf(record, 'f', now) >= FAILING * requests;
}

/** `perSecond`: what this process knows of how much it was sent, at the least. */
export function open(record: AdmissionRecord, now: number, perSecond = 0): AdmissionChange {
  const { set, ...rest } = standstill(record, now);
  return {
    set: {
      ...set,
      breaker: 'open',
      openUntil: now + OPEN_MS,
      opens: 1,
      good: 0,
      pace: paceAfter(Math.max(perSecond, busiest(record, now))),
    },
    ...rest,
  };
}

/** Whether a call of that kind may be the probe now: not before a gate either. */
export function mayProbe(record: AdmissionRecord, isSafe: boolean, now: number): boolean {
  const from = (numberOf(record, 'openUntil') ?? 0) + (isSafe ? 0 : SAFE_FIRST_MS);
  return record.breaker !== undefined && now >= Math.max(from, numberOf(record, 'resumeAt') ?? 0);
}

/** With the probe the next interval begins: there is one in each, also when the one who makes it dies. */
export function claimProbe(record: AdmissionRecord, owner: string, now: number): AdmissionChange {
  return {
    set: { probe: owner, probeAt: now, openUntil: now + lasts(numberOf(record, 'opens') ?? 1) },
    when: [
      { name: 'breaker', is: '=', value: 'open' },
      { name: 'openUntil', is: '<=', value: now },
      { name: 'resumeAt', is: '<=', value: now, orAbsent: true },
      { name: 'heldAt', is: 'absent' },
    ],
  };
}

/** `undefined`: the probe is another's by now. `not-sent`: another may follow at once. `neutral`: sent, and it has shown nothing: one follows at its time. */
export function probed(
  record: AdmissionRecord,
  owner: string,
  outcome: 'good' | 'bad' | 'neutral' | 'not-sent',
  now: number,
): AdmissionChange | undefined {
  if (textOf(record, 'probe') !== owner) return undefined;
  const mine: AdmissionCondition = { name: 'probe', is: '=', value: owner };
  const over = ['probe', 'probeAt'];
  if (outcome === 'not-sent') return { set: { openUntil: now }, remove: over, when: [mine] };
  if (outcome === 'neutral') return { remove: over, when: [mine] };
  if (outcome === 'bad') {
    const opens = (numberOf(record, 'opens') ?? 1) + 1;
    return { set: { openUntil: now + lasts(opens), opens, good: 0 }, remove: over, when: [mine] };
  }
  const good = (numberOf(record, 'good') ?? 0) + 1;
  if (good < GOOD) return { set: { good, openUntil: now }, remove: over, when: [mine] };
  // What failed before is forgotten with it, or it would open again at once.
  const counted = Object.keys(record).filter((name) => /^[rf]\d+$/.test(name));
  const { heldAt } = record;
  return {
    set: heldAt === undefined ? resumed(record, now) : {},
    remove: ['breaker', 'openUntil', 'opens', 'good', 'row', ...over, ...counted],
    // A gate that has risen meanwhile is not lowered by it.
    when: [mine, asSeen(record, 'heldAt'), asSeen(record, 'resumeAt')],
  };
}

/** How long it stays open: twice as long each time. */
function lasts(opens: number): number {
  return Math.min(OPEN_MAX_MS, OPEN_MS * 2 ** Math.min(20, opens - 1));
}
