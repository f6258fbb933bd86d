/** Waiting between the rounds of a request that was served in part. Time and chance come from outside. */
import type { Clock, Entropy } from '../engine/ports.ts';

export type Waiting = { clock: Clock; entropy: Entropy };

const BASE_MS = 50;
const LONGEST_MS = 2_000;

/** Full jitter: anything up to 50 ms · 2ⁿ, at most 2 s. `round` counts from 0. */
export function backoff({ clock, entropy }: Waiting, round: number): Promise<void> {
  const ms = entropy.random() * Math.min(LONGEST_MS, BASE_MS * 2 ** round);
  return new Promise((resolve) => void clock.timer(ms, resolve));
}
