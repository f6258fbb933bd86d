/** The journal as a replay needs it: what is delivered in which order, and how far each operation had come. Pure. */
import type { ErrorData } from './errors.ts';
import { type Delivered, type Entry, isDelivered } from './journal.ts';
import type { Json } from './json.ts';
import type { InboxItem } from './ports.ts';

/** How far an operation without a result had come. */
export type Progress = {
  /** Sendings so far, and when the first was; `body` is the hash of what was sent. */
  sent: number;
  firstSentAt?: number;
  body?: string;
  /** Hash of what the idempotency key was made of. */
  key?: string;
  /** A sending is recorded after which nothing was: the worker died, or is still at it. */
  open: boolean;
  /** Nobody knows whether the last sending happened. */
  unknown?: ErrorData;
  issuedAt?: number;
  next?: number;
  attempt: number;
  throttles: number;
  label?: string;
};

export type History = {
  readonly deliveries: readonly Delivered[];
  readonly progress: ReadonlyMap<string, Progress>;
  /** Settlements that came by the inbox: results received too late, verdicts of people. */
  readonly late: ReadonlyMap<string, Late>;
};

export type Late = { attempt: number; value?: string; error?: ErrorData; record?: Json };

/** Inbox kind of a result that a worker received after it had lost the run. */
export const LATE_RESULT = 'late';

export function readHistory(entries: readonly Entry[], inbox: readonly InboxItem[]): History {
  const deliveries: Delivered[] = [];
  const progress = new Map<string, Progress>();
  const of = (op: string): Progress => {
    let known = progress.get(op);
    if (!known) {
      known = { sent: 0, open: false, attempt: 1, throttles: 0 };
      progress.set(op, known);
    }
    return known;
  };
  for (const entry of entries) {
    if (isDelivered(entry)) {
      deliveries.push(entry);
      continue;
    }
    if (entry.k === 'park' || entry.k === 'end') continue;
    const known = of(entry.op);
    known.label = entry.label;
    switch (entry.k) {
      case 'start':
        known.sent = entry.n;
        known.firstSentAt ??= entry.at;
        if (entry.body !== undefined) known.body ??= entry.body;
        if (entry.key !== undefined) known.key ??= entry.key;
        known.open = true;
        delete known.unknown;
        break;
      case 'retry':
        known.open = false;
        known.next = entry.next;
        known.issuedAt = entry.issuedAt;
        known.attempt = entry.attempt;
        known.throttles = entry.throttles;
        break;
      case 'unknown':
        known.open = false;
        known.unknown = entry.error;
        break;
      case 'unsent':
        known.open = false;
        if (entry.attempt !== undefined) known.attempt = entry.attempt;
        delete known.unknown;
        delete known.firstSentAt;
        delete known.body;
        delete known.key;
        break;
    }
  }
  const late = new Map<string, Late>();
  for (const item of inbox) {
    if (item.kind !== LATE_RESULT) continue;
    const data = item.data as { op: string; attempt: number; value?: string; error?: ErrorData; record?: Json };
    late.set(data.op, data);
  }
  return { deliveries, progress, late };
}
