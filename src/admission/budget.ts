/** The retry budget: retries are a tenth of what is sent, and ten more a second. Judged when a retry wakes, not when it was put off. Pure. */
import type { AdmissionRecord } from '../engine/admission-ports.ts';
import { numberOf, WINDOW_MS, windowAt } from './record.ts';

const SHARE = 0.1;
/** In a window of ten seconds. With ten in one, an API that spoils one request in four took the demo three times as long (docs/decisions/0042). */
const ALWAYS = 100;

/** How many retries the window of `now` allows in all. */
export function retriesAllowed(record: AdmissionRecord, now: number): number {
  return Math.floor(SHARE * (numberOf(record, `r${windowAt(now)}`) ?? 0)) + ALWAYS;
}

export function retriesLeft(record: AdmissionRecord, now: number): number {
  return retriesAllowed(record, now) - (numberOf(record, `t${windowAt(now)}`) ?? 0);
}

/** When a retry that was refused is judged again: within the next window, spread over half of it. */
export function nextWindow(now: number, random: () => number): number {
  return (windowAt(now) + 1) * WINDOW_MS + Math.floor(random() * (WINDOW_MS / 2));
}
