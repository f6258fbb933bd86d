/** A queue of wake messages in an array; with a clock, delays are kept as SQS keeps them. */
import { HoldfastError } from '../engine/errors.ts';
import type { Clock, WakeMessage, WakeQueue } from '../engine/ports.ts';
import { type Faults, withFaults } from './faults.ts';

export type QueuedWake = WakeMessage & { tenant: string; delayMs: number; visibleAt: number };

export type MemoryWakeQueue = WakeQueue & {
  /** Everything ever sent, in order. */
  readonly sent: readonly QueuedWake[];
  /** Takes out what is visible at `now` (default: the clock's now; without a clock, everything). */
  take(now?: number): QueuedWake[];
  /** When the next waiting message becomes visible. */
  nextAt(): number | undefined;
};

/** SQS delays a message by whole seconds, at most this long. */
const MAX_DELAY_MS = 900_000;

export function memoryWakeQueue(options: Faults & { clock?: Clock } = {}): MemoryWakeQueue {
  const sent: QueuedWake[] = [];
  let waiting: QueuedWake[] = [];
  return {
    sent,
    wake: (messages) =>
      withFaults(options, 'wake', messages[0]?.run ?? '', () => {
        for (const { delayMs = 0, ...message } of messages) {
          if (!(delayMs >= 0 && delayMs <= MAX_DELAY_MS)) {
            throw new HoldfastError('E_INTERNAL', `a wake of ${message.run} is delayed by ${delayMs} ms: SQS takes 0 to ${MAX_DELAY_MS}`);
          }
          const delay = Math.ceil(delayMs / 1_000) * 1_000;
          const queued = { ...message, delayMs: delay, visibleAt: (options.clock?.now() ?? 0) + delay };
          sent.push(queued);
          waiting.push(queued);
        }
      }),
    take(now = options.clock?.now() ?? Number.POSITIVE_INFINITY) {
      const visible = waiting.filter((message) => message.visibleAt <= now);
      waiting = waiting.filter((message) => message.visibleAt > now);
      return visible;
    },
    nextAt: () => (waiting.length === 0 ? undefined : Math.min(...waiting.map((message) => message.visibleAt))),
  };
}
