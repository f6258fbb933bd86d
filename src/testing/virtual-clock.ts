/** Time that moves only when a test moves it. Timers fire in order of their time, then of their making. */
import type { Clock, Timer } from '../engine/ports.ts';

export type VirtualClock = Clock & {
  /** Moves on by `ms`, firing on the way every timer that falls due, those that fired timers set included. */
  advance(ms: number): void;
  /** When the next timer fires, milliseconds since the epoch. */
  nextTimer(): number | undefined;
  /** Jumps to the next timer and fires it alone. False: there is none. */
  runNext(): boolean;
  /** How many timers are waiting. */
  pending(): number;
};

type Entry = { at: number; order: number; fn: () => void };

/** `start`: milliseconds since the epoch, default 2026-01-01T00:00:00Z. */
export function virtualClock(start: number = Date.UTC(2026, 0, 1)): VirtualClock {
  let now = start;
  let made = 0;
  const timers = new Set<Entry>();

  const first = (): Entry | undefined => {
    let best: Entry | undefined;
    for (const entry of timers) {
      if (!best || entry.at < best.at || (entry.at === best.at && entry.order < best.order)) best = entry;
    }
    return best;
  };
  const fire = (entry: Entry) => {
    timers.delete(entry);
    now = Math.max(now, entry.at);
    entry.fn();
  };

  return {
    now: () => now,
    timer(ms, fn): Timer {
      const entry = { at: now + Math.max(0, ms), order: made++, fn };
      timers.add(entry);
      return { cancel: () => void timers.delete(entry) };
    },
    advance(ms) {
      const until = now + ms;
      for (let entry = first(); entry && entry.at <= until; entry = first()) fire(entry);
      now = Math.max(now, until);
    },
    nextTimer: () => first()?.at,
    runNext() {
      const entry = first();
      if (entry) fire(entry);
      return entry !== undefined;
    },
    pending: () => timers.size,
  };
}
