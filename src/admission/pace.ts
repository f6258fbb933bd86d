/**
 * The pace at which a connection without limits makes up for a stop. Everybody waits for its end, and would come at once: until those
 * have gone, the connection is limited to twice what it was sent before. Pure.
 */
import type { AdmissionRecord, Limit } from '../engine/admission-ports.ts';
import { isStopped, lineAt, runsFully } from './line.ts';
import { numberOf, WINDOW_MS, windowAt } from './record.ts';

/** Twice, or those who wait would wait for ever beside those who come. */
const TIMES = 2;
const LEAST = 50;
/** As long as nothing stops it again it is twice as fast after each of these: what a process knew of the others may have been too little. */
const DOUBLES_MS = 5_000;
const MOST_DOUBLINGS = 10;
/** A line that is shorter than this is none, ms. */
const OVER_MS = 500;

/** Its own limits, or those of its pace for as long as there is something to make up for. */
export function limitsOf(own: readonly Limit[], record: AdmissionRecord, now: number): readonly Limit[] {
  if (own.length > 0) return own;
  const pace = numberOf(record, 'pace');
  if (pace === undefined) return own;
  const isOver = !isStopped(record) && runsFully(record, now) && (numberOf(record, 'tat0') ?? 0) - lineAt(record, now) < OVER_MS;
  if (isOver) return own;
  const runs = isStopped(record) ? 0 : Math.max(0, now - (numberOf(record, 'resumeAt') ?? now));
  return [{ requests: pace * 2 ** Math.min(MOST_DOUBLINGS, Math.floor(runs / DOUBLES_MS)), per: 1_000, burst: 1 }];
}

/** `perSecond`: as far as anybody knows what it was sent before it was stopped. */
export function paceAfter(perSecond: number): number {
  return Math.max(LEAST, Math.ceil(TIMES * perSecond));
}

/** The busiest window that the record knows of. */
export function busiest(record: AdmissionRecord, now: number): number {
  const counts = [...Array(3).keys()].map((ago) => numberOf(record, `r${windowAt(now) - ago}`) ?? 0);
  return (Math.max(...counts) * 1_000) / WINDOW_MS;
}
