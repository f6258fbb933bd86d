/**
 * Delivers what is known to user code, one completion a turn: first the journal, then what comes in. Owns whether the run
 * replays, what stands in line, and the time that the run has observed; how it ends is execution.ts.
 */
import { mark, replay } from './delivery.ts';
import type { Completion } from './desk.ts';
import type { Flusher } from './flusher.ts';
import type { History } from './history.ts';
import type { IssuedList } from './issued.ts';
import type { Delivered } from './journal.ts';
import type { LiveReply } from './operation.ts';
import type { Clock } from './ports.ts';
import { turn } from './turn.ts';

/** A buffer above this stops the delivery until it is flushed. */
const BUFFER_BYTES = 1024 * 1024;

export type Pump = {
  readonly replaying: boolean;
  /** Nothing stands in line, and user code is not at what it was just given. */
  readonly idle: boolean;
  /** Deliveries of what was not in the journal. */
  readonly live: number;
  /** Milliseconds since the epoch: of the last delivery, never going back. */
  readonly observedAt: number;
  /** Received and not delivered. */
  readonly undelivered: readonly Completion[];
  /** Resolves when the journal is consumed. */
  replayed(): Promise<void>;
  /** User code is at a reply that is still coming. */
  readonly streaming: boolean;
  /** That is a read, which can be made again. */
  readonly reading: boolean;
  complete(completion: Completion): void;
  /** What was still coming has ended: if user code is at it, it is journaled in this turn. */
  ended(completion: Completion): void;
  /** Takes back what was not delivered yet. */
  withdraw(completion: Completion): boolean;
  /** Nobody reads on: a read that is still coming is given up. */
  abandon(): void;
  /** Until the context is closed. Throws `Divergence`, and what loading a value throws. */
  run(): Promise<void>;
};

export function createPump(options: {
  history: History;
  issued: IssuedList;
  flusher: Flusher;
  clock: Clock;
  /** The journal has entries. */
  replaying: boolean;
  observedAt: number;
  closed: () => boolean;
  /** It has nothing more to deliver now. */
  onIdle: () => void;
  /** About to be journaled at this place. */
  onLive: (completion: Completion, place: number) => void;
  /** User code has had its turn with it. */
  onDelivered: (completion: Completion) => void;
}): Pump {
  const { history, issued, flusher, clock, closed } = options;
  const ready: Completion[] = [];
  let { replaying, observedAt } = options;
  let delivering = true;
  let live = 0;
  let wake = () => {};
  /** The reply that user code is at while it comes, and how to go on when it has ended. */
  let open: { completion: Completion; end: () => void } | undefined;
  let replayDone = () => {};
  const replayed = new Promise<void>((done) => {
    replayDone = done;
  });

  async function deliverLive(): Promise<void> {
    while (!closed()) {
      const completion = ready[0];
      if (!completion) {
        delivering = false;
        options.onIdle();
        await new Promise<void>((more) => {
          wake = more;
        });
        delivering = true;
        continue;
      }
      if (flusher.bufferedBytes > BUFFER_BYTES) await flusher.durable();
      const loading = issued.receiver(completion.task.id)?.load?.(completion.value);
      if (loading !== undefined) await loading;
      if (closed()) return;
      if (ready[0] !== completion) continue;
      // Only now: until it is delivered it stands in line, for whoever must keep it when it cannot be.
      ready.shift();
      observedAt = Math.max(clock.now(), observedAt);
      const entry = toEntry(completion, observedAt, mark(issued));
      live += 1;
      if (completion.live) await deliverComing(completion, completion.live, entry);
      else {
        options.onLive(completion, flusher.length);
        flusher.append(entry);
        issued.receiver(entry.op)?.deliver(entry);
      }
      if (completion.unknowable) flusher.soon();
      await turn();
      options.onDelivered(completion);
    }
  }

  /**
   * One delivery that takes as long as the reply does. Nothing else is delivered meanwhile: what user code issues until its end is then
   * the same on a replay, which gives it all at once, here.
   */
  function deliverComing(completion: Completion, reply: LiveReply, at: Delivered): Promise<void> {
    return new Promise((over) => {
      const end = () => {
        open = undefined;
        if (closed()) return;
        options.onLive(completion, flusher.length);
        flusher.append(toEntry(completion, at.at, { issued: at.issued, hash: at.hash }));
        // Only now: what is issued at its end must not leave before it is durable.
        reply.release();
        over();
      };
      open = { completion, end };
      issued.receiver(at.op)?.deliver({ ...at, value: { text: reply.head } });
      if (issued.settled()) abandon();
    });
  }

  function abandon(): void {
    if (pump.reading) open?.completion.live?.cut();
  }

  const pump: Pump = {
    get streaming() {
      return open !== undefined;
    },
    get reading() {
      return open?.completion.task.operation.effect === 'safe';
    },
    get replaying() {
      return replaying;
    },
    get idle() {
      return !replaying && !delivering && ready.length === 0;
    },
    get live() {
      return live;
    },
    get observedAt() {
      return observedAt;
    },
    get undelivered() {
      return ready;
    },
    replayed: () => replayed,
    complete(completion) {
      ready.push(completion);
      wake();
    },
    ended(completion) {
      if (open?.completion === completion) open.end();
    },
    withdraw(completion) {
      const at = ready.indexOf(completion);
      if (at !== -1) ready.splice(at, 1);
      return at !== -1;
    },
    abandon,
    async run() {
      await turn();
      await replay({
        deliveries: history.deliveries,
        begun: begunIn(history),
        issued,
        clock,
        closed,
        onDelivered(entry) {
          observedAt = Math.max(observedAt, entry.at);
        },
      });
      if (closed()) return;
      replaying = false;
      replayDone();
      await deliverLive();
    },
  };
  return pump;
}

/** What the code must issue again: all that had begun, but for what failed and was redriven. */
function begunIn({ deliveries, progress, again }: History): Array<{ op: string; label: string }> {
  const over = new Set(deliveries.map(({ op }) => op));
  return [...progress]
    .filter(([op, { unknown }]) => !over.has(op) && (unknown !== undefined || !again.has(op)))
    .map(([op, { label }]) => ({ op, label: label ?? op }));
}

function toEntry(completion: Completion, at: number, where: ReturnType<typeof mark>): Delivered {
  const { task, attempts, value, error } = completion;
  const { issued, hash } = where;
  const entry: Partial<Delivered> = { k: error ? 'fail' : 'done', op: task.id, at, label: task.operation.label, issued, hash };
  if (attempts.length > 0) entry.attempts = attempts;
  if (value !== undefined) entry.value = { text: value };
  return (error ? { ...entry, error } : entry) as Delivered;
}
