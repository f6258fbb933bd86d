/** Whom a wake message is for. */
import { MAX_DELAY_MS } from './dispatch.ts';
import { DUE_MARGIN_MS } from './lineage.ts';
import type { WakeMessage } from './ports.ts';

/** Of a run or of a start: its id, its tenant (for fair queueing), and the trace it belongs to. */
export function addressOf(run: { id: string; tenant: string; traceparent?: string }): WakeMessage & { tenant: string } {
  return { run: run.id, tenant: run.tenant, ...(run.traceparent === undefined ? {} : { traceparent: run.traceparent }) };
}

/**
 * The `due` of a run that is put down until `wakeAt`. Where its worker sends the wake itself, it lies beyond the margin, which
 * tells the sweeper that there is one: two wakes at once would have two workers make the same call. If the worker dies before it
 * has sent it, its own message comes again, and brings the wake.
 */
export function parkedDue(wakeAt: number, now: number): number {
  return wakeAt + DUE_MARGIN_MS + (wakeAt - now < MAX_DELAY_MS ? 1 : 0);
}
