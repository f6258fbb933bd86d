/** How an execution ends durably: parked, finished, or not at all because the run is another's. Writes last, and says what came of it. */
import { type ErrorData, toErrorData } from './errors.ts';
import type { Flusher } from './flusher.ts';
import type { Entry } from './journal.ts';
import { encodeJson } from './json.ts';
import { type Lineage, LostLineage, type Park } from './lineage.ts';
import type { Clock, Observer, RunRecord, Stub } from './ports.ts';
import type { Stray } from './strays.ts';
import { turn } from './turn.ts';

export type Ending =
  | { type: 'finished' }
  /** `wakeAt` absent: it waits for a person. */
  | { type: 'parked'; wakeAt?: number }
  /** Something came into the inbox while it was being put down: load it again. */
  | { type: 'again' }
  | { type: 'lost'; found: RunRecord | Stub | undefined }
  /** Nothing could be written: the message must stay. */
  | { type: 'handback'; error: ErrorData };

/** How the workflow function settled. `calls`: the operations whose failure the error came from. */
export type Settled = { value: unknown } | { error: unknown; cancelled: boolean; calls: readonly string[] };

const SHOWN_CALLS = 20;

export type Endings = {
  park(how: Park, entries: readonly Entry[]): Promise<Ending>;
  finish(settled: Settled): Promise<Ending>;
  fail(error: ErrorData): Promise<Ending>;
  /** Of a run that could not be told. */
  cancel(error: ErrorData): Promise<Ending>;
};

export function createEndings(options: {
  lineage: Lineage;
  flusher: Flusher;
  clock: Clock;
  observe: Observer;
  strays: Stray | undefined;
  /** The last write found another owner. */
  onLost: (error: LostLineage) => void;
}): Endings {
  const { lineage, flusher, observe } = options;
  const { id: run, workflow, createdAt } = lineage.record;

  async function written(write: () => Promise<Ending>): Promise<Ending> {
    await flusher.stop();
    try {
      if (flusher.failure !== undefined) throw flusher.failure;
      return await write();
    } catch (error) {
      if (!(error instanceof LostLineage)) return { type: 'handback', error: toErrorData(error, 'E_INTERNAL') };
      options.onLost(error);
      return { type: 'lost', found: error.found };
    }
  }

  async function end(
    outcome: { value: string } | { error: ErrorData },
    status: 'succeeded' | 'failed' | 'cancelled' = 'value' in outcome ? 'succeeded' : 'failed',
  ): Promise<Ending> {
    return written(async () => {
      if ((await lineage.finish(flusher.buffered(), { status, outcome })) === 'inbox') return { type: 'again' };
      const ms = options.clock.now() - createdAt;
      observe({ type: 'run.ended', run, workflow, status, ms, ...('error' in outcome ? { error: outcome.error } : {}) });
      return { type: 'finished' };
    });
  }

  return {
    async park(how, entries) {
      return written(async () => {
        if ((await lineage.park(entries, how)) === 'inbox') return { type: 'again' };
        const wakeAt = how.wakeAt === undefined ? {} : { wakeAt: how.wakeAt };
        if (how.reason) observe({ type: 'run.paused', run, workflow, reason: how.reason });
        else observe({ type: 'run.parked', run, workflow, ...wakeAt });
        return { type: 'parked', ...wakeAt };
      });
    },

    async finish(settled) {
      // A turn, so that a rejection of this very turn has been seen.
      await turn();
      if ('error' in settled) {
        const { calls } = settled;
        const error = toErrorData(settled.error);
        if (calls.length > 0) error.detail = { ...error.detail, calls: calls.slice(0, SHOWN_CALLS) };
        return end({ error }, settled.cancelled ? 'cancelled' : 'failed');
      }
      if (options.strays?.any()) {
        const stray = toErrorData(options.strays.first());
        return end({ error: { ...stray, message: `a rejected promise was never handled: ${stray.message}` } });
      }
      let value: string;
      try {
        value = encodeJson(settled.value, `the result of workflow ${workflow}`) ?? 'null';
      } catch (error) {
        return end({ error: toErrorData(error) });
      }
      return end({ value });
    },

    fail: (error) => end({ error }),

    cancel: (error) => end({ error }, 'cancelled'),
  };
}
