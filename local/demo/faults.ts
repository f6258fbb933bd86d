/**
 * Which requests the demo API spoils, and how. Pure: the same seed and request always get the same.
 * A request meets at most two faults, so that whoever retries gets through.
 */
import { createHash } from 'node:crypto';

/** What can be done to a request. Before the effect: the first four. After it: the others. */
export const FAULTS = [
  'burst-503',
  'throttle-seconds',
  'throttle-date',
  'reset-before-effect',
  'reset-after-effect',
  'slow-body',
  'drip-body',
] as const;
export type Fault = (typeof FAULTS)[number];

/** How many further requests to the same API a burst of 503 takes with it. */
export const BURST = 4;
/** An API that has throttled does so again after as many requests at the earliest: real ones throttle who asks too much, not one in twenty. */
export const THROTTLE_EVERY = 300;
const MOST = 2;
/** Of 256, by how often the request was seen before: about one in six at first, one in four again. */
const CHANCE = [42, 64];
/** Of 256: drips cost the client its whole timeout, so there are few. */
const WEIGHTS: Record<Fault, number> = {
  'burst-503': 36,
  'throttle-seconds': 36,
  'throttle-date': 36,
  'reset-before-effect': 44,
  'reset-after-effect': 60,
  'slow-body': 28,
  'drip-body': 16,
};

/** `seen`: how often this very request came before. */
export function planFault(seed: string, request: string, seen: number): Fault | undefined {
  const hash = createHash('sha256').update(`${seed}\n${request}\n${seen}`).digest();
  if (hash.readUInt8(0) >= (CHANCE[seen] ?? 0)) return undefined;
  let rest = hash.readUInt8(1);
  for (const fault of FAULTS) {
    if (rest < WEIGHTS[fault]) return fault;
    rest -= WEIGHTS[fault];
  }
  return undefined;
}

export type FaultPlan = { next(api: string, request: string): Fault | undefined };

/** The plan with its memory: how often each request was seen, the bursts that are going on, and when it throttled last. */
export function faultPlan(seed: string): FaultPlan {
  const seen = new Map<string, { requests: number; faults: number }>();
  const bursts = new Map<string, number>();
  const throttled = new Map<string, number>();
  const requests = new Map<string, number>();
  return {
    next(api, request) {
      const before = seen.get(request) ?? { requests: 0, faults: 0 };
      const fault = before.faults >= MOST ? undefined : choose(api, planFault(seed, request, before.requests));
      seen.set(request, { requests: before.requests + 1, faults: before.faults + (fault ? 1 : 0) });
      return fault;
    },
  };

  function choose(api: string, planned: Fault | undefined): Fault | undefined {
    const count = (requests.get(api) ?? 0) + 1;
    requests.set(api, count);
    const left = bursts.get(api) ?? 0;
    if (planned === 'burst-503') bursts.set(api, BURST);
    else if (left > 0) bursts.set(api, left - 1);
    if (left > 0) return 'burst-503';
    if (planned !== 'throttle-seconds' && planned !== 'throttle-date') return planned;
    if (count - (throttled.get(api) ?? Number.NEGATIVE_INFINITY) < THROTTLE_EVERY) return undefined;
    throttled.set(api, count);
    return planned;
  }
}

export const isThrottle = (fault: Fault | undefined): boolean => fault === 'throttle-seconds' || fault === 'throttle-date';
