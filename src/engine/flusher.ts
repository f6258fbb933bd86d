/**
 * Writes the journal's buffer: one flush of a run at a time, each a prefix, as few as the rules allow. Operations issued in
 * the same turn share a write; results of unsafe operations wait a moment for those of their wave.
 */
import type { Entry } from './journal.ts';
import { roughSize } from './journal.ts';
import type { Lineage } from './lineage.ts';
import type { Clock, Timer } from './ports.ts';

/** How long the first unsafe result of a wave waits for the others, when some are still in flight. */
export const WAVE_MS = 10;

export type Flusher = {
  readonly length: number;
  /** Everything appended since the durable part. */
  buffered(): readonly Entry[];
  readonly bufferedBytes: number;
  readonly totalBytes: number;
  readonly busy: boolean;
  /** Why nothing more can be written. */
  readonly failure: unknown;
  append(entry: Entry): void;
  /** Resolves when everything appended so far is durable and the lease is ours; when that can no longer be, with the context closed. */
  durable(): Promise<void>;
  /** Like `durable`, without waiting: as soon as nothing of the wave is in flight, or after WAVE_MS. */
  soon(): void;
  /** Resolves when no flush is under way; none begins afterwards. */
  stop(): Promise<void>;
};

export function createFlusher(options: {
  journal: readonly Entry[];
  lineage: Lineage;
  clock: Clock;
  /** Results of the same wave are still to come. */
  waveInFlight: () => boolean;
  onFailure: (error: unknown) => void;
  onIdle: () => void;
}): Flusher {
  const { lineage, clock } = options;
  let length = options.journal.length;
  let totalBytes = options.journal.reduce((sum, entry) => sum + roughSize(entry), 0);
  let buffer: Entry[] = [];
  let bufferedBytes = 0;
  let waiters: Array<{ upTo: number; done: () => void }> = [];
  let scheduled = false;
  let running: Promise<void> | undefined;
  let stopped = false;
  let failure: unknown;
  let wave: Timer | undefined;

  function schedule(): void {
    if (scheduled || stopped) return;
    scheduled = true;
    // At the end of the turn: what the same turn still issues shares the write.
    setImmediate(() => {
      scheduled = false;
      if (!running && !stopped) running = run();
    });
  }

  /** Whoever waits learns from the closed context that it was in vain, and gives back what it holds. */
  function release(): void {
    const left = waiters;
    waiters = [];
    for (const waiter of left) waiter.done();
  }

  async function run(): Promise<void> {
    wave?.cancel();
    wave = undefined;
    const batch = buffer;
    buffer = [];
    bufferedBytes = 0;
    try {
      await lineage.flush(batch);
    } catch (error) {
      stopped = true;
      failure = error;
      running = undefined;
      options.onFailure(error);
      release();
      return;
    }
    running = undefined;
    const ready = waiters.filter((waiter) => waiter.upTo <= lineage.durable);
    waiters = waiters.filter((waiter) => waiter.upTo > lineage.durable);
    for (const waiter of ready) waiter.done();
    if (waiters.length > 0) schedule();
    else options.onIdle();
  }

  return {
    get length() {
      return length;
    },
    buffered: () => buffer,
    get bufferedBytes() {
      return bufferedBytes;
    },
    get totalBytes() {
      return totalBytes;
    },
    get busy() {
      return running !== undefined || scheduled || waiters.length > 0 || wave !== undefined;
    },
    get failure() {
      return failure;
    },
    append(entry) {
      const size = roughSize(entry);
      buffer.push(entry);
      length += 1;
      bufferedBytes += size;
      totalBytes += size;
    },
    durable() {
      if (stopped || (lineage.durable >= length && lineage.leasedUntil > 0 && !running)) return Promise.resolve();
      return new Promise((done) => {
        waiters.push({ upTo: length, done });
        schedule();
      });
    },
    soon() {
      if (stopped) return;
      const flush = () => {
        wave = undefined;
        if (buffer.length === 0) options.onIdle();
        else {
          waiters.push({ upTo: length, done: () => {} });
          schedule();
        }
      };
      if (options.waveInFlight()) wave ??= clock.timer(WAVE_MS, flush);
      else {
        wave?.cancel();
        flush();
      }
    },
    async stop() {
      stopped = true;
      wave?.cancel();
      wave = undefined;
      release();
      await running;
    },
  };
}
