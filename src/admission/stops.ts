/** What stops a connection, and what lets it run again, as changes of its record: the gate, and a person's hold. Pure. */
import type { AdmissionChange, AdmissionCondition, AdmissionRecord } from '../engine/admission-ports.ts';
import { isStopped, lineAt } from './line.ts';
import { paceAfter } from './pace.ts';
import { numberOf, SKEW_MS, toThousandths } from './record.ts';

/** One hostile header cannot freeze the fleet for longer; the call that was told waits in full. */
export const GATE_MAX_MS = 3_600_000;
/** After a breaker and a hold. */
const STEP_MS = 500;
const STEP_MIN_MS = 100;
const STEP_MAX_MS = 10_000;
const STEP_SHARE = 1 / 20;

/** What a stop was made on: whoever moved the line meanwhile has it made anew. */
export const asSeen = (record: AdmissionRecord, name: string): AdmissionCondition => {
  const value = record[name];
  return value === undefined ? { name, is: 'absent' } : { name, is: '=', value };
};

/** The line stands still where it is; nothing of that where it does so already. */
export function standstill(record: AdmissionRecord, now: number): Pick<Required<AdmissionChange>, 'set' | 'remove' | 'when'> {
  const seen = ['base', 'resumeAt', 'breaker', 'heldAt', 'pauses'].map((name) => asSeen(record, name));
  if (isStopped(record)) return { set: {}, remove: [], when: seen };
  // Who was booked ahead keeps the time that it was given; the line does not wait for it any more.
  return { set: { base: toThousandths(lineAt(record, now)) }, remove: record.pauses === undefined ? [] : ['pauses'], when: seen };
}

/**
 * Raises the gate: nothing is sent before `until`. `undefined`: it is that high already. `perSecond`: what this process knows of how
 * much the fleet has sent.
 */
export function raiseGate(record: AdmissionRecord, until: number, now: number, perSecond = 0): AdmissionChange | undefined {
  const to = Math.min(until + SKEW_MS, now + GATE_MAX_MS);
  const resumeAt = numberOf(record, 'resumeAt');
  if (to <= now || (resumeAt !== undefined && resumeAt >= to - SKEW_MS)) return undefined;
  const { set, ...rest } = standstill(record, now);
  // In a stop it was sent nothing: what is known is from before.
  const pace = isStopped(record) || (resumeAt !== undefined && resumeAt > now) ? {} : { pace: paceAfter(perSecond) };
  return { set: { ...set, ...pace, resumeAt: to, slow: stepFor(to - now) }, ...rest };
}

/** Nothing is sent until it is released. Held again, it says who did so last. */
export function hold(record: AdmissionRecord, by: { by: string; why: string }, now: number): AdmissionChange {
  const { set, ...rest } = standstill(record, now);
  return { set: { ...set, heldAt: now, heldBy: by.by, heldWhy: by.why }, ...rest };
}

/** An account's record, as its calls see it: who holds the connection holds all of its accounts. */
export function heldWith(record: AdmissionRecord, whole: AdmissionRecord): AdmissionRecord {
  const { heldAt, heldBy = '', heldWhy = '' } = whole;
  return heldAt === undefined ? record : { ...record, heldAt, heldBy, heldWhy };
}

/** `undefined`: nobody holds it. */
export function release(record: AdmissionRecord, now: number): AdmissionChange | undefined {
  if (record.heldAt === undefined) return undefined;
  return {
    set: resumed(record, now),
    remove: ['heldAt', 'heldBy', 'heldWhy'],
    when: [asSeen(record, 'heldAt'), asSeen(record, 'resumeAt'), asSeen(record, 'base')],
  };
}

/** The line runs again, from where it stood, slowly at first; not before a gate that is up. */
export function resumed(record: AdmissionRecord, now: number): { resumeAt: number; slow: number } {
  const resumeAt = numberOf(record, 'resumeAt') ?? 0;
  return resumeAt > now ? { resumeAt, slow: numberOf(record, 'slow') ?? STEP_MS } : { resumeAt: now, slow: STEP_MS };
}

function stepFor(stopped: number): number {
  return Math.min(STEP_MAX_MS, Math.max(STEP_MIN_MS, Math.round(stopped * STEP_SHARE)));
}
