/** Chance that is the same for the same seed. Guessable by design: never for production. */
import type { Entropy } from '../engine/ports.ts';

export function seededEntropy(seed: number): Entropy {
  let state = seed >>> 0;
  // mulberry32: small, and good enough to spread jitter and schedules.
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  return {
    id: () => Array.from({ length: 4 }, () => next().toString(16).padStart(8, '0')).join(''),
    random: () => next() / 2 ** 32,
  };
}
