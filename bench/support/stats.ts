/** Medians and their like. Pure. */

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** Nearest rank, linearly interpolated. */
export function percentile(values: readonly number[], percent: number): number {
  if (values.length === 0) throw new Error('no values were measured');
  const sorted = [...values].sort((a, b) => a - b);
  const place = ((sorted.length - 1) * percent) / 100;
  const below = sorted[Math.floor(place)] as number;
  const above = sorted[Math.ceil(place)] as number;
  return below + (above - below) * (place - Math.floor(place));
}

export const fixed = (value: number, digits = 2): string => value.toFixed(digits);

/** `median (least–most)`, so that a reader sees how steady it is. */
export function spread(values: readonly number[], digits = 2): string {
  return `${fixed(median(values), digits)} (${fixed(Math.min(...values), digits)}–${fixed(Math.max(...values), digits)})`;
}
