/** A reply that user code is given while it comes: stands in line like any other, and is journaled in the turn in which it ends. */
import type { Completion, Desk, Task } from './desk.ts';
import type { ErrorData } from './errors.ts';
import type { Json } from './json.ts';
import type { LiveReply, Verdict } from './operation.ts';
import { outcomeOf } from './outcomes.ts';

export type HandedOver = {
  /** Ends it for user code. False: it was still in line, where nobody has seen it, and is there no more. */
  cut(error: ErrorData): boolean;
  /** Resolves when it has ended. `given`: user code has it, and so has the journal, unless the context closed. */
  readonly over: Promise<{ verdict: Verdict; given: boolean }>;
};

/** `records`: takes the records since the operation's last entry, with the last one. */
export function handOver(live: LiveReply, task: Task, desk: Desk, made: { attempt: number; records: (last?: Json) => Json[] }): HandedOver {
  const completion: Completion = { task, attempt: made.attempt, attempts: [], unknowable: false, live };
  let inLine = !desk.gone();
  desk.signal.addEventListener('abort', live.mute, { once: true });
  if (inLine) desk.complete(completion);
  const over = new Promise<{ verdict: Verdict; given: boolean }>((ended) => {
    live.onEnd((whole, instead) => {
      desk.signal.removeEventListener('abort', live.mute);
      const given = inLine && !desk.withdraw(completion);
      inLine = false;
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
      live.cut(error);
      return true;
    },
  };
}
