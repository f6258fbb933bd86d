/** A reply that user code is given while it comes: stands in line like any other, and is journaled in the turn in which it ends. */
import type { Completion, Desk, Task } from './desk.ts';
import type { ErrorData } from './errors.ts';
import type { Json } from './json.ts';
import type { LiveReply, Verdict } from './operation.ts';
import { outcomeOf } from './outcomes.ts';

export type HandedOver = {
  /** Ends it for user code. False: it is still in line, or has ended there, where nobody has seen it, and is there no more. */
  cut(error: ErrorData): boolean;
  /** Resolves when it has ended. `given`: user code has it, and so has the journal, unless the context closed. */
  readonly over: Promise<{ verdict: Verdict; given: boolean }>;
};

/** `records`: takes the records since the operation's last entry, with the last one. */
export function handOver(live: LiveReply, task: Task, desk: Desk, made: { attempt: number; records: (last?: Json) => Json[] }): HandedOver {
  const completion: Completion = { task, attempt: made.attempt, attempts: [], unknowable: false, live };
  let inLine = !desk.gone();
  let unseen = false;
  desk.signal.addEventListener('abort', live.mute, { once: true });
  if (inLine) desk.complete(completion);
  const over = new Promise<{ verdict: Verdict; given: boolean }>((ended) => {
    live.onEnd((whole, instead) => {
      desk.signal.removeEventListener('abort', live.mute);
      // A run that is no longer here was given the beginning at most: whoever goes on with it is told all.
      const given = inLine && !desk.withdraw(completion) && !desk.gone();
      inLine = false;
      unseen = !given;
      if (!given) return ended({ verdict: instead, given });
      Object.assign(completion, outcomeOf(whole), { unknowable: task.operation.effect === 'unsafe', attempts: made.records(whole.record) });
      desk.ended(completion);
      ended({ verdict: whole, given });
    });
  });
  return {
    over,
    cut(error) {
      if (inLine && desk.withdraw(completion)) {
        inLine = false;
        return false;
      }
      if (unseen) return false;
      live.cut(error);
      return true;
    },
  };
}
