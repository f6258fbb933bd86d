/** Times and durations as people read them. Pure. */

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const;

/** `340 ms`, `3.2 s`, `4 min 10 s`, `2 d 3 h`: the two units that matter. */
export function duration(ms: number): string {
  const whole = Math.max(0, Math.round(ms));
  if (whole < 1_000) return `${whole} ms`;
  if (whole < 60_000) return `${(whole / 1_000).toFixed(whole < 10_000 ? 1 : 0).replace(/\.0$/, '')} s`;
  const first = UNITS.findIndex(([, size]) => whole >= size);
  const [name, size] = UNITS[first] as (typeof UNITS)[number];
  const [below, belowSize] = UNITS[first + 1] as (typeof UNITS)[number];
  const rest = Math.floor((whole % size) / belowSize);
  return `${Math.floor(whole / size)} ${name}${rest === 0 ? '' : ` ${rest} ${below}`}`;
}

export const between = (from: string, to: string): number => Date.parse(to) - Date.parse(from);

/** UTC, to the second; `since` leaves out the day where it is the same. */
export function clock(at: string, since?: string): string {
  const [day, time] = [at.slice(0, 10), at.slice(11, 19)];
  return since?.slice(0, 10) === day ? time : `${day} ${time}`;
}
