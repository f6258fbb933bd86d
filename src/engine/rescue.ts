/**
 * Results of unsafe effects that this worker received and can no longer write, because the run has another owner or its context
 * is closed: they go to the run's inbox, where they settle what would otherwise stay unknown.
 */

import type { Completion, Task } from './desk.ts';
import { LATE_RESULT, type Late } from './history.ts';
import type { Json } from './json.ts';
import type { InboxItem } from './ports.ts';

export type Rescue = {
  /** A result stands at this place of the journal, which is not durable yet. */
  keep(place: number, completion: Completion): void;
  late(task: Task, result: Omit<Late, 'incarnation'>): void;
  /** Sends what was received and is neither durable nor will be. */
  salvage(durable: number, undelivered: readonly Completion[]): void;
};

export function createRescue(incarnation: number, deliver: (item: Omit<InboxItem, 'at'>) => void): Rescue {
  const kept: Array<{ place: number; completion: Completion }> = [];

  function late(task: Task, result: Omit<Late, 'incarnation'>): void {
    const key = `${LATE_RESULT}:${incarnation}:${task.id}:${result.attempt}`;
    deliver({ key, kind: LATE_RESULT, data: { op: task.id, incarnation, ...result } as unknown as Json });
  }

  return {
    keep: (place, completion) => void kept.push({ place, completion }),
    late,
    salvage(durable, undelivered) {
      const undurable = kept.filter(({ place }) => place >= durable).map(({ completion }) => completion);
      for (const { task, value, error, attempt, attempts } of [
        ...undurable,
        ...undelivered.filter(({ unknowable, inboxed }) => unknowable && !inboxed),
      ]) {
        const record = attempts.at(-1);
        late(task, {
          attempt,
          ...(value === undefined ? {} : { value }),
          ...(error === undefined ? {} : { error }),
          ...(record === undefined ? {} : { record }),
        });
      }
    },
  };
}
