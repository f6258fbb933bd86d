/**
 * Tells when messages become visible: at once, after a delay, or when a visibility timeout has passed.
 * SQS has no such notice; Lambda's pollers make up for it with standing long polls, which fauxqs serves badly.
 */
const GRAIN_MS = 10;

export type Availability = { now(queue: string): void; at(queue: string, time: number): void };

/** Calls `tell` with the queues, at most once a turn and once a grain of time for each. */
export function availability(tell: (queues: string[]) => void): Availability {
  const due = new Set<string>();
  const times = new Map<string, Set<number>>();

  const now = (queue: string) => {
    if (due.size === 0) {
      setImmediate(() => {
        const queues = [...due];
        due.clear();
        tell(queues);
      });
    }
    due.add(queue);
  };

  const at = (queue: string, time: number) => {
    const slot = Math.ceil(time / GRAIN_MS) * GRAIN_MS;
    const slots = times.get(queue) ?? new Set();
    times.set(queue, slots);
    if (slots.has(slot)) return;
    slots.add(slot);
    const ring = () => {
      // A timer may fire up to a millisecond early by the wall clock, which fauxqs compares with.
      if (Date.now() < time) return void setTimeout(ring, 1).unref();
      slots.delete(slot);
      now(queue);
    };
    setTimeout(ring, Math.max(0, slot - Date.now())).unref();
  };

  return { now, at };
}

type Message = { delayUntil?: number | undefined };
type Watchable = {
  name: string;
  messages: Message[];
  delayedMessages: Message[];
  inflightMessages: Map<string, { visibilityDeadline: number }>;
  enqueue(message: Message): void;
  dequeue(...args: never[]): Array<{ ReceiptHandle: string }>;
  changeVisibility(handle: string, seconds: number): void;
};

/** Watches one queue of fauxqs through its three verbs. What it holds already needs `announce`. */
export function watchQueue<Q>(queue: Q & Watchable, { now, at }: Availability): Q {
  const { enqueue, dequeue, changeVisibility } = queue;
  const expiry = (handle: string) => {
    const held = queue.inflightMessages.get(handle);
    if (held) at(queue.name, held.visibilityDeadline);
  };
  queue.enqueue = (message) => {
    enqueue.call(queue, message);
    if (message.delayUntil) at(queue.name, message.delayUntil);
    else now(queue.name);
  };
  queue.dequeue = (...args) => {
    const received = dequeue.apply(queue, args);
    for (const message of received) expiry(message.ReceiptHandle);
    return received;
  };
  queue.changeVisibility = (handle, seconds) => {
    changeVisibility.call(queue, handle, seconds);
    if (seconds === 0) now(queue.name);
    else expiry(handle);
  };
  return queue;
}

/** A queue that was loaded from disk. */
export function announce(queue: Watchable, { now, at }: Availability): void {
  if (queue.messages.length > 0) now(queue.name);
  for (const message of queue.delayedMessages) if (message.delayUntil) at(queue.name, message.delayUntil);
}
