/** What a run's journal tells of its work, as numbers. Pure. */
import type { ApiJournalItem } from './http-api.ts';

export type Measures = {
  calls: number;
  attempts: number;
  /** Attempts after a call's first. */
  retries: number;
  /** Sleeps, and calls put off to a later time. */
  waits: number;
  /** Effects that were sent without an answer, and then settled. */
  unknowns: number;
};

export const NOTHING: Measures = { calls: 0, attempts: 0, retries: 0, waits: 0, unknowns: 0 };

const CALL = /^(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) /;

export function measure(journal: readonly ApiJournalItem[]): Measures {
  const attempts = new Map<string, number>();
  let waits = 0;
  let unknowns = 0;
  for (const { type, call, label = '', attempts: records = [] } of journal) {
    if (call === undefined) continue;
    if (CALL.test(label)) attempts.set(call, (attempts.get(call) ?? 0) + records.filter(wasSent).length);
    // A sleep that was parked has a `retry` of its own before its end.
    if (label.startsWith('sleep') ? type === 'done' : type === 'retry') waits++;
    if (type === 'unknown') unknowns++;
  }
  const counts = [...attempts.values()].map((count) => Math.max(1, count));
  const all = counts.reduce((total, count) => total + count, 0);
  return { calls: counts.length, attempts: all, retries: all - counts.length, waits, unknowns };
}

/** Records of what was never sent, and of how an unknown was settled, stand beside those of attempts. */
function wasSent({ phase }: { phase?: string }): boolean {
  return phase !== undefined && phase !== 'deferred';
}

export function sum(a: Measures, b: Measures): Measures {
  return {
    calls: a.calls + b.calls,
    attempts: a.attempts + b.attempts,
    retries: a.retries + b.retries,
    waits: a.waits + b.waits,
    unknowns: a.unknowns + b.unknowns,
  };
}

/** The value below which that share of them lies; 0 of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? 0;
}
