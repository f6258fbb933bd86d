/** Whom a wake message is for. */
import type { WakeMessage } from './ports.ts';

/** Of a run or of a start: its id, its tenant (for fair queueing), and the trace it belongs to. */
export function addressOf(run: { id: string; tenant: string; traceparent?: string }): WakeMessage & { tenant: string } {
  return { run: run.id, tenant: run.tenant, ...(run.traceparent === undefined ? {} : { traceparent: run.traceparent }) };
}
