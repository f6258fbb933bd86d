/** What observers read out of an attempt's record, which is JSON to the engine: whether a call was really sent, and what came of it. */
import type { Json } from '../engine/json.ts';

export type SentCall = {
  /** The class of src/http/classify.ts: `success`, `throttle`, `transient`, … */
  readonly class: string;
  readonly status?: number;
  /** Milliseconds from the asking for a socket to the last byte. */
  readonly ms?: number;
};

/** `undefined`: nothing was sent. It could not be prepared, was given up before, or a reconciler was asked. */
export function sentCall(record: Json | undefined): SentCall | undefined {
  if (typeof record !== 'object' || record === null || Array.isArray(record)) return undefined;
  const { phase, class: kind, status, ms } = record;
  if (typeof phase !== 'string' || phase === 'deferred' || typeof kind !== 'string') return undefined;
  const total = typeof ms === 'object' && ms !== null && !Array.isArray(ms) ? ms.total : undefined;
  return {
    class: kind,
    ...(typeof status === 'number' ? { status } : {}),
    ...(typeof total === 'number' ? { ms: total } : {}),
  };
}
