/**
 * Pauses of the line: for as long as calls take that were booked ahead of it, it stands still. Times to come, and of those that are past
 * the ones that nobody has taken away yet. Pure.
 */
import type { AdmissionRecord } from '../engine/admission-ports.ts';
import { textOf, toThousandths } from './record.ts';

/** So much later a pause begins than it is booked: by then everybody has looked, with clocks that differ by 100 ms. */
const LEAD_MS = 220;
/** Requests in one pause. */
export const PAUSE_ROOM = 16;
/** The record has room for so many. */
const MOST = 6;

export type Pause = { readonly at: number; readonly for: number };

const endOf = (pause: Pause): number => pause.at + pause.for;

/** In their order; they do not touch. */
export function pausesOf(record: AdmissionRecord): readonly Pause[] {
  const text = textOf(record, 'pauses');
  if (text === undefined) return NONE;
  return text.split(' ').map((one) => {
    const [at, long] = one.split('+');
    return { at: Number(at), for: Number(long) };
  });
}

const NONE: readonly Pause[] = [];

export function asText(pauses: readonly Pause[]): string {
  return pauses.map((pause) => `${pause.at}+${toThousandths(pause.for)}`).join(' ');
}

/** Where the next calls may be put ahead of the line. */
export type Gap = {
  /** The first of them, ms since the epoch. */
  readonly start: number;
  /** How many requests. */
  readonly room: number;
  /** There is another by then, if this one is full. */
  readonly next: number;
  /** The pauses, when the line stands still for `ms` from `start` on; `passed`: what those have held it up that are gone from them. */
  filled(ms: number): { readonly pauses: readonly Pause[]; readonly passed: number };
};

/** `step`: ms for a request. As long as a pause was, the line runs after it: it has the other half. */
export function gapIn(record: AdmissionRecord, step: number, now: number): Gap {
  const all = pausesOf(record);
  const coming = all.filter((pause) => endOf(pause) > now);
  const passed = all.reduce((sum, pause) => (endOf(pause) > now ? sum : sum + pause.for), 0);
  const last = all.at(-1);
  const next = coming[0] === undefined ? now : endOf(coming[0]);
  if (last && endOf(last) >= now + LEAD_MS && last.for + step <= PAUSE_ROOM * step) {
    const room = Math.floor(PAUSE_ROOM - last.for / step);
    const longer = (ms: number) => ({ pauses: [...coming.slice(0, -1), { at: last.at, for: last.for + ms }], passed });
    return { start: endOf(last), room, next, filled: longer };
  }
  const start = Math.ceil(Math.max(now + LEAD_MS, last === undefined ? 0 : endOf(last) + last.for));
  return {
    start,
    room: coming.length < MOST ? PAUSE_ROOM : 0,
    next,
    filled: (ms) => ({ pauses: [...coming, { at: start, for: ms }], passed }),
  };
}
