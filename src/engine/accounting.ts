/** What a run's operations are doing, counted: whether anything in this invocation will still move it, and what it waits for. */

import type { Task, TaskState } from './desk.ts';
import type { ErrorData } from './errors.ts';

export type Accounting = {
  become(task: Task, state: TaskState): void;
  /** An attempt begins or ends. */
  sending(task: Task, now: boolean): void;
  /** Something in this invocation will move on. */
  active(): boolean;
  /** Effects are being sent. */
  effectsInFlight(): boolean;
  unsafeInFlight(): boolean;
  /** Effects are on their way to being sent. */
  effectsActive(): boolean;
  /** Something waits for a time or a person. */
  waits(): boolean;
  /** Everything that waits is about to be cancelled. */
  onlyHeld(): boolean;
  /** The earliest time that something waits for; `undefined`: only for people. */
  wakeAt(): number | undefined;
  /** Why it waits for a person. */
  pause(): ErrorData;
};

export function createAccounting(): Accounting {
  const active = new Set<Task>();
  const waiting = new Set<Task>();
  let effects = 0;
  let unsafe = 0;
  return {
    become(task, state) {
      task.state = state;
      toggle(active, task, state === 'busy' || state === 'barrier');
      toggle(waiting, task, state === 'parked' || state === 'blocked' || state === 'held');
    },
    sending({ operation: { effect } }, now) {
      const by = now ? 1 : -1;
      if (effect !== 'safe') effects += by;
      if (effect === 'unsafe') unsafe += by;
    },
    active: () => active.size > 0,
    effectsInFlight: () => effects > 0,
    unsafeInFlight: () => unsafe > 0,
    effectsActive: () => [...active].some(({ state, operation }) => state === 'busy' && operation.effect !== 'safe'),
    waits: () => waiting.size > 0,
    onlyHeld: () => waiting.size > 0 && [...waiting].every(({ state }) => state === 'held'),
    wakeAt() {
      const times = [...waiting].flatMap(({ wakeAt }) => (wakeAt === undefined ? [] : [wakeAt]));
      return times.length === 0 ? undefined : times.reduce((a, b) => Math.min(a, b));
    },
    pause: () => [...waiting].find(({ pause }) => pause)?.pause ?? { code: 'E_INTERNAL', message: 'paused without a reason' },
  };
}

function toggle(set: Set<Task>, task: Task, member: boolean): void {
  if (member) set.add(task);
  else set.delete(task);
}
