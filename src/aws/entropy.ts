/** Real chance, from the system's generator. */
import { randomInt, randomUUID } from 'node:crypto';
import type { Entropy } from '../engine/ports.ts';

/** The most that randomInt takes in one call. */
const RANGE = 2 ** 48 - 1;

export function systemEntropy(): Entropy {
  return { id: () => randomUUID(), random: () => randomInt(RANGE) / RANGE };
}
