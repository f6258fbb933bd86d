/** Why an attempt was decided as it was: what the journal keeps for people. Never a secret, a query or a body. */
import type { Decision } from './classify.ts';
import type { Hop, Timings, WireEvent } from './exchange.ts';
import { toldHeaders } from './headers.ts';
import type { Hints } from './hints.ts';

export type AttemptRecord = {
  n: number;
  phase: string;
  row: string;
  class: string;
  status?: number;
  ms: Timings;
  /** The socket had been used before. */
  reused: boolean;
  /** Of the body, as it came. */
  bytes: number;
  why?: string;
  /** The redirects that were followed. */
  hops?: Hop[];
  headers?: Record<string, string>;
  hint?: { source: string; delay: number };
  ignored?: string[];
  /** A stale socket broke first, and it was sent again free of charge. */
  resent?: true;
  /** When the next attempt may be made, ms since the epoch. */
  next?: number;
  /** What was used up. */
  over?: string;
};

export function recordOf(decision: Decision, event: WireEvent, hints: Hints, n: number, resent: boolean): AttemptRecord {
  const { phase, timings: ms, reused, bytes } = event;
  const record: AttemptRecord =
    phase === 'answered'
      ? { n, phase, row: decision.row, class: decision.class, status: event.status, ms, reused, bytes }
      : { n, phase, row: decision.row, class: decision.class, why: event.message, ms, reused, bytes };
  if (event.hops && event.hops.length > 0) record.hops = event.hops;
  if (event.stopped !== undefined) record.why = `the redirect is not followed: ${event.stopped}`;
  if (resent) record.resent = true;
  if (hints.hint) record.hint = { source: hints.hint.source, delay: hints.hint.delay };
  if (hints.ignored.length > 0) record.ignored = hints.ignored;
  if (event.phase === 'answered' && decision.class !== 'success') record.headers = toldHeaders(event.headers);
  return record;
}
