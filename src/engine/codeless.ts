/** How a run is put down or ended where its code is not called, or can be told nothing. */
import { cancelError } from './cancel.ts';
import type { Ending } from './ending.ts';
import type { ErrorData } from './errors.ts';
import { PAUSED_DUE_MS } from './execution.ts';
import type { Entry } from './journal.ts';
import type { Finish, Lineage } from './lineage.ts';
import { resolve } from './payloads.ts';
import type { Clock, Observer, PayloadStore } from './ports.ts';

export type Codeless = {
  pause(lineage: Lineage, reason: ErrorData): Promise<Ending>;
  /** `reason`: why it would have been paused otherwise. */
  cancel(lineage: Lineage, request: { by?: string; why?: string }, reason?: ErrorData): Promise<Ending>;
  /** Its worker died too often. */
  crash(lineage: Lineage): Promise<void>;
  /** The end may be journaled, and the worker have died before it wrote the run's own item. False: it is not. */
  finishJournaled(lineage: Lineage, entries: readonly Entry[]): Promise<boolean>;
};

export function createCodeless({ clock, observe, payloads }: { clock: Clock; observe: Observer; payloads: PayloadStore }): Codeless {
  async function end(lineage: Lineage, how: Finish): Promise<'finished' | 'inbox'> {
    const ended = await lineage.finish([], how);
    const { id: run, workflow, createdAt } = lineage.record;
    const { status, outcome } = how;
    const error = 'error' in outcome ? { error: outcome.error } : {};
    if (ended === 'finished') observe({ type: 'run.ended', run, workflow, status, ...error, ms: clock.now() - createdAt });
    return ended;
  }

  return {
    async pause(lineage, reason) {
      const result = await lineage.park([], { status: 'paused', due: clock.now() + PAUSED_DUE_MS, reason, idleWakes: 0 });
      if (result === 'inbox') return { type: 'again' };
      observe({ type: 'run.paused', run: lineage.record.id, workflow: lineage.record.workflow, reason });
      return { type: 'parked' };
    },

    async cancel(lineage, request, reason) {
      const error = { ...cancelError(request), ...(reason ? { detail: { paused: reason.message } } : {}) };
      return (await end(lineage, { status: 'cancelled', outcome: { error } })) === 'inbox' ? { type: 'again' } : { type: 'finished' };
    },

    async crash(lineage) {
      const { crashes, workflow } = lineage.record;
      // If something came into the inbox meanwhile, the run's due time brings somebody back.
      const error: ErrorData = {
        code: 'E_CRASHED',
        name: 'HoldfastError',
        message: `the worker died ${crashes} times in a row while working on this run: look for memory use, endless loops or process.exit in workflow "${workflow}"`,
        detail: { crashes },
      };
      await end(lineage, { status: 'failed', outcome: { error } });
    },

    async finishJournaled(lineage, entries) {
      const last = entries.at(-1);
      if (last?.k !== 'end') return false;
      const outcome = 'error' in last.outcome ? last.outcome : { value: await resolve(last.outcome.value, payloads) };
      await end(lineage, { status: last.status, outcome });
      return true;
    },
  };
}
