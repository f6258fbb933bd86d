/** Durations: a number of milliseconds, or a text such as '250ms' '30s' '5m' '2h' '3 days'. */
import { HoldfastError } from './errors.ts';

export type Duration = number | string;

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const NAMES: Record<string, string> = {
  millisecond: 'ms',
  milliseconds: 'ms',
  sec: 's',
  secs: 's',
  second: 's',
  seconds: 's',
  min: 'm',
  mins: 'm',
  minute: 'm',
  minutes: 'm',
  hr: 'h',
  hrs: 'h',
  hour: 'h',
  hours: 'h',
  day: 'd',
  days: 'd',
  week: 'w',
  weeks: 'w',
};
/** Ten years: anything longer is a mistake of units. */
const LONGEST = 10 * 365 * 86_400_000;

/**
 * Milliseconds of a duration. `field` names it in the error.
 * Throws `E_BAD_DURATION` for anything but a finite number ≥ 0 or a text of the documented form, and for more than ten years.
 */
export function milliseconds(value: Duration, field: string): number {
  const ms = typeof value === 'number' ? value : parse(value);
  if (!Number.isFinite(ms) || ms < 0 || ms > LONGEST) {
    throw new HoldfastError(
      'E_BAD_DURATION',
      `${field}: ${shown(value)} is not a duration. Use milliseconds ≥ 0 or a text such as '250ms', '30s', '5m', '2h', '3 days' (at most ten years).`,
      { detail: { field } },
    );
  }
  return ms;
}

function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  return typeof value === 'number' || value === null || value === undefined ? String(value) : `a ${typeof value}`;
}

function parse(text: unknown): number {
  if (typeof text !== 'string') return Number.NaN;
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*$/.exec(text);
  if (!match?.[1] || !match[2]) return Number.NaN;
  const factor = UNITS[match[2]] ?? UNITS[NAMES[match[2]] ?? ''];
  return factor === undefined ? Number.NaN : Number(match[1]) * factor;
}
