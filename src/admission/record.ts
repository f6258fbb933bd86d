/**
 * The one record of a connection and account: what its attributes mean, and how they are read. At most 1 KB. All times are milliseconds
 * since the epoch, but those "of the line" (line.ts).
 *
 * - `tat0`, `tat1`, …: of each limit, where in the line the next place is (GCRA's theoretical arrival time).
 * - `base`, `resumeAt`, `slow`: the line: where it was when it last stopped, when it runs again, how long a step of its slow start is.
 * - `pace`: requests a second at which calls without a limit of their own go while they make up for a stop (pace.ts).
 * - `pauses`, `heavy`: when calls go that were booked ahead of the line (pauses.ts), and whose calls make up the line.
 * - `breaker`, `openUntil`, `opens`, `good`, `probe`, `probeAt`: breaker.ts.
 * - `r<w>`, `f<w>`, `t<w>`: requests, failures and retries in window `w`; `row`: failures since the last success.
 * - `heldAt`, `heldBy`, `heldWhy`: a person holds it.
 */
import type { AdmissionKey, AdmissionRecord } from '../engine/admission-ports.ts';

export const WINDOW_MS = 10_000;
/** That many are looked back on. */
export const WINDOWS = 6;
/** Nobody sends on what was read longer ago, ms. */
export const FRESH_MS = 100;
/** Clocks of two instances are at most this far apart, ms. */
export const SKEW_MS = 100;
/** A probe that goes well has done so by then, mostly. */
const PROBE_MS = 2_000;

export function numberOf(record: AdmissionRecord, name: string): number | undefined {
  const value = record[name];
  return typeof value === 'number' ? value : undefined;
}

export function textOf(record: AdmissionRecord, name: string): string | undefined {
  const value = record[name];
  return typeof value === 'string' ? value : undefined;
}

/** Every time of the line has three decimals: what is added up a thousand times, here and in the table, stays the same number. */
export const toThousandths = (ms: number): number => Math.round(ms * 1_000) / 1_000;

export const windowAt = (now: number): number => Math.floor(now / WINDOW_MS);

/** Of the last minute. */
export function sumOf(record: AdmissionRecord, counter: 'r' | 'f' | 't', now: number): number {
  let sum = 0;
  for (let w = windowAt(now) - WINDOWS + 1; w <= windowAt(now); w++) sum += numberOf(record, `${counter}${w}`) ?? 0;
  return sum;
}

/** Counters of windows that nobody looks at any more. */
export function outdated(record: AdmissionRecord, now: number): string[] {
  const oldest = windowAt(now) - WINDOWS;
  return Object.keys(record).filter((name) => {
    const window = /^[rft](\d+)$/.exec(name)?.[1];
    return window !== undefined && Number(window) < oldest;
  });
}

/** Something has failed in the minute before that time: until then everything is counted. */
export function troubledUntil(record: AdmissionRecord): number {
  if (record.breaker !== undefined || (numberOf(record, 'row') ?? 0) > 0) return Number.POSITIVE_INFINITY;
  let until = 0;
  for (const name in record) {
    if (name[0] === 'f' && /^f\d+$/.test(name) && (numberOf(record, name) ?? 0) > 0)
      until = Math.max(until, (Number(name.slice(1)) + WINDOWS) * WINDOW_MS);
  }
  return until;
}

/** Nothing stops a connection without limits, or has stopped it of late: its calls go, without a further look. */
export function isCalm(record: AdmissionRecord, now: number): boolean {
  const { heldAt, breaker, pace, resumeAt = 0 } = record;
  return heldAt === undefined && breaker === undefined && pace === undefined && Number(resumeAt) <= now;
}

/** A probe is out, and may have ended any moment now. */
export function isProbed(record: AdmissionRecord, now: number): boolean {
  return record.probe !== undefined && now < (numberOf(record, 'probeAt') ?? 0) + PROBE_MS;
}

export const nameOf = ({ connection, account }: AdmissionKey): string =>
  account === undefined ? connection : `${connection}@${encodeURIComponent(account)}`;
