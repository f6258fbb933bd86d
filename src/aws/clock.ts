/** The real clock: the only place of the library, with entropy.ts, where time and timers come in. */
import type { Clock } from '../engine/ports.ts';

/** setTimeout takes at most this; longer waits are parked, never held in a process. */
const LONGEST_MS = 2 ** 31 - 1;

/**
 * `keepAlive`: a waiting timer keeps the process alive, which work in progress needs that waits for nothing else.
 * Default false: caches and gathering windows must not hold a process up.
 */
export function systemClock(options: { keepAlive?: boolean } = {}): Clock {
  return {
    now: () => Date.now(),
    timer(ms, fn) {
      const timer = setTimeout(fn, Math.min(LONGEST_MS, Math.max(0, Math.ceil(ms))));
      if (!options.keepAlive) timer.unref();
      return { cancel: () => clearTimeout(timer) };
    },
  };
}
