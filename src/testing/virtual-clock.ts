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

/** `fn` is gone once it is cancelled; its entry leaves the heap when its time comes. */
type Entry = { at: number; order: number; fn: (() => void) | undefined };

/** `start`: milliseconds since the epoch, default 2026-01-01T00:00:00Z. */
export function virtualClock(start: number = Date.UTC(2026, 0, 1)): VirtualClock {
  let now = start;
  let made = 0;
  let waiting = 0;
  /** A binary heap: simulations have a hundred thousand timers. */
  const heap: Entry[] = [];

  const isBefore = (a: Entry, b: Entry) => a.at < b.at || (a.at === b.at && a.order < b.order);
  const swap = (i: number, j: number) => {
    [heap[i], heap[j]] = [heap[j] as Entry, heap[i] as Entry];
  };
  const push = (entry: Entry) => {
    heap.push(entry);
    for (let i = heap.length - 1; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (!isBefore(heap[i] as Entry, heap[parent] as Entry)) return;
      swap(i, parent);
      i = parent;
    }
  };
  const pop = () => {
    swap(0, heap.length - 1);
    heap.pop();
    for (let i = 0; ; ) {
      let least = i;
      for (const child of [2 * i + 1, 2 * i + 2]) {
        if (child < heap.length && isBefore(heap[child] as Entry, heap[least] as Entry)) least = child;
      }
      if (least === i) return;
      swap(i, least);
      i = least;
    }
  };
  const first = (): Entry | undefined => {
    while (heap[0] && heap[0].fn === undefined) pop();
    return heap[0];
  };
  const fire = (entry: Entry) => {
    pop();
    waiting -= 1;
    now = Math.max(now, entry.at);
    entry.fn?.();
  };

  return {
    now: () => now,
    timer(ms, fn): Timer {
      const entry: Entry = { at: now + Math.max(0, ms), order: made++, fn };
      waiting += 1;
      push(entry);
      let fired = false;
      entry.fn = () => {
        fired = true;
        fn();
      };
      return {
        cancel() {
          if (!fired && entry.fn !== undefined) waiting -= 1;
          entry.fn = undefined;
        },
      };
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
    pending: () => waiting,
  };
}
