/**
 * The line: the time that a connection's limits are counted in. It runs as the clock does, stands still while a gate, a breaker or a
 * hold stops the connection, and runs slowly right after that. Who has a place in it keeps it through all of this: nobody books anew
 * when a gate rises, and nobody has to be told. Pure.
 */
import type { AdmissionRecord } from '../engine/admission-ports.ts';
import { pausesOf } from './pauses.ts';
import { isProbed, numberOf } from './record.ts';

/** How fast it runs in the first, second and third step after a stop; then at 1. */
const SPEEDS = [1 / 8, 1 / 4, 1 / 2] as const;

/** Of a stop that somebody's word or a failing API made, whose end nobody knows. */
export function isStopped(record: AdmissionRecord): boolean {
  return record.breaker !== undefined || record.heldAt !== undefined;
}

/** Where the line is at `now`. */
export function lineAt(record: AdmissionRecord, now: number): number {
  const base = numberOf(record, 'base') ?? 0;
  if (isStopped(record)) return base;
  const resumeAt = numberOf(record, 'resumeAt');
  let ran = now;
  for (const pause of pausesOf(record)) ran -= Math.min(pause.for, Math.max(0, now - pause.at));
  return base + (resumeAt === undefined ? ran : gone(ran - resumeAt, numberOf(record, 'slow') ?? 0));
}

/**
 * When the line reaches `place`, if nothing new stops it; of one that is past, when it was reached. While the breaker is open, as if it
 * closed when its time is over. Infinity: a person holds it.
 */
export function timeOf(record: AdmissionRecord, place: number, now: number): number {
  const base = numberOf(record, 'base') ?? 0;
  const resumeAt = numberOf(record, 'resumeAt');
  if (record.heldAt !== undefined) return Number.POSITIVE_INFINITY;
  if (record.breaker !== undefined) {
    const from = Math.max(now, isProbed(record, now) ? 0 : (numberOf(record, 'openUntil') ?? 0), resumeAt ?? 0);
    return from + taken(place - base, numberOf(record, 'slow') ?? 0);
  }
  let time = resumeAt === undefined ? place - base : resumeAt + taken(place - base, numberOf(record, 'slow') ?? 0);
  for (const pause of pausesOf(record)) if (time >= pause.at) time += pause.for;
  return time;
}

/** It runs, and at its full speed. */
export function runsFully(record: AdmissionRecord, now: number): boolean {
  return !isStopped(record) && now >= fullFrom(record);
}

/** When it runs at its full speed, if nothing stops it. */
export function fullFrom(record: AdmissionRecord): number {
  return (numberOf(record, 'resumeAt') ?? 0) + SPEEDS.length * (numberOf(record, 'slow') ?? 0);
}

/** How far it gets in `ms`, in steps of `step` ms. */
function gone(ms: number, step: number): number {
  if (ms <= 0) return 0;
  let far = 0;
  let left = ms;
  for (const speed of SPEEDS) {
    const here = Math.min(left, step);
    far += here * speed;
    left -= here;
  }
  return far + left;
}

/** How long it takes for `far`. */
function taken(far: number, step: number): number {
  if (far <= 0) return 0;
  let ms = 0;
  let left = far;
  for (const speed of SPEEDS) {
    if (left <= step * speed) return ms + left / speed;
    ms += step;
    left -= step * speed;
  }
  return ms + left;
}
