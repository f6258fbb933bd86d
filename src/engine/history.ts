/** The journal as a replay needs it: what is delivered in which order, and how far each operation had come. Pure. */
import { attemptsIn } from './attempt-log.ts';
import { cancelError } from './cancel.ts';
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
  /** Hash of what the idempotency key was made of, its epoch left out. */
  key?: string;
  /** Of the key that `firstSentAt` is about. */
  epoch?: number;
  /** It was sent under the key of an earlier epoch, and may have happened. */
  sentBefore?: true;
  /** A sending is recorded after which nothing was: the worker died, or is still at it. */
  open: boolean;
  /** One before the last entry had been broken off, and may have happened. */
  interrupted?: true;
  /** Nobody knows whether the last sending happened. */
  unknown?: ErrorData;
  issuedAt?: number;
  next?: number;
  /** Given to it while it waits to be sent. */
  place?: Json;
  /** What held it up when it was last put down. */
  why?: string;
  attempt: number;
  throttles: number;
  /** Attempts of which the journal tells. */
  told: number;
  label?: string;
};

export type History = {
  readonly deliveries: readonly Delivered[];
  readonly progress: ReadonlyMap<string, Progress>;
  /** What came by the inbox: results received too late, verdicts of people; the latest of each operation. */
  readonly late: ReadonlyMap<string, Late>;
  /** Outcomes whose delivery a redrive has taken back. */
  readonly settled: ReadonlyMap<string, { value?: string; attempts: Json[] }>;
  /** Why these operations reject: they were cancelled. */
  readonly cancelled: ReadonlyMap<string, ErrorData>;
  /** Failed, and made again by a redrive: changed code need not issue them any more. */
  readonly again: ReadonlySet<string>;
  /** Beyond 0: the epochs of idempotency keys, by the hash of what they are made of. */
  readonly epochs: Readonly<Record<string, number>>;
};

/** About the sending with number `attempt` in that incarnation, and none after it. */
export type Late = {
  incarnation: number;
  attempt: number;
  value?: string;
  error?: ErrorData;
  record?: Json;
  /** A person says that it did not happen: it is sent again. */
  resend?: true;
  /** A person says that it happened, and with which outcome. */
  given?: Json;
};

/** Inbox kind of a result that a worker received after it had lost the run. */
export const LATE_RESULT = 'late';
/** Inbox kind of what a person says of an unknown outcome. */
export const VERDICT = 'verdict';

export function readHistory(entries: readonly Entry[], inbox: readonly InboxItem[]): History {
  const deliveries: Delivered[] = [];
  const progress = new Map<string, Progress>();
  const of = (op: string): Progress => {
    let known = progress.get(op);
    if (!known) {
      known = { sent: 0, open: false, attempt: 1, throttles: 0, told: 0 };
      progress.set(op, known);
    }
    return known;
  };
  const settled = new Map<string, { value?: string; attempts: Json[] }>();
  const cancelled = new Map<string, ErrorData>();
  const again = new Set<string>();
  let epochs: Readonly<Record<string, number>> = {};
  /** From which incarnation on an operation's sendings are counted anew. */
  const anew = new Map<string, number>();
  /** From which incarnation on a person is listened to. */
  const askedAnew = new Map<string, number>();
  for (const entry of entries) {
    if (isDelivered(entry)) {
      deliveries.push(entry);
      continue;
    }
    if (entry.k === 'park' || entry.k === 'end') continue;
    if (entry.k === 'cancel') {
      for (const op of entry.ops) cancelled.set(op, cancelError(entry));
      continue;
    }
    if (entry.k === 'redrive') {
      // A request to cancel was for the incarnation before.
      cancelled.clear();
      epochs = entry.epochs ?? epochs;
      for (const op of entry.again) {
        again.add(op);
        askedAnew.set(op, entry.incarnation);
        const known = of(op);
        if (startAnew(known, entry.at)) anew.set(op, entry.incarnation);
        if (known.key !== undefined) raiseEpoch(known, epochs[known.key]);
      }
      continue;
    }
    if (entry.k === 'settled') {
      const { value, attempts = [] } = entry;
      settled.set(entry.op, { ...(value && 'text' in value ? { value: value.text } : {}), attempts });
      continue;
    }
    const known = of(entry.op);
    known.label = entry.label;
    if ('attempts' in entry) known.told += attemptsIn(entry.attempts);
    // Begun again: from here on it may not be left out.
    again.delete(entry.op);
    switch (entry.k) {
      case 'start':
        raiseEpoch(known, entry.epoch);
        known.sent = entry.n;
        known.firstSentAt ??= entry.at;
        if (entry.body !== undefined) known.body ??= entry.body;
        if (entry.key !== undefined) known.key ??= entry.key;
        known.open = true;
        delete known.unknown;
        delete known.place;
        delete known.why;
        break;
      case 'retry':
        known.open = false;
        known.next = entry.next;
        known.issuedAt = entry.issuedAt;
        known.attempt = entry.attempt;
        known.throttles = entry.throttles;
        if (entry.interrupted) known.interrupted = true;
        if (entry.place === undefined) delete known.place;
        else known.place = entry.place;
        if (entry.why === undefined) delete known.why;
        else known.why = entry.why;
        break;
      case 'unknown':
        known.open = false;
        known.unknown = entry.error;
        break;
      case 'unsent':
        known.open = false;
        if (entry.attempt !== undefined) {
          known.attempt = entry.attempt;
          delete known.sentBefore;
        }
        delete known.unknown;
        delete known.interrupted;
        delete known.firstSentAt;
        delete known.body;
        delete known.key;
        break;
    }
  }
  const late = new Map<string, Late>();
  const received = new Map<string, number>();
  for (const item of inbox) {
    if (item.kind !== LATE_RESULT && item.kind !== VERDICT) continue;
    const data = item.data as unknown as Omit<Late, 'incarnation'> & { op: string; incarnation?: number };
    const from = item.kind === VERDICT ? askedAnew : anew;
    // What was said of a sending before a redrive must not settle one after it that has the same number.
    if ((data.incarnation ?? 0) < (from.get(data.op) ?? 0)) continue;
    // What a worker received is known; a person may be mistaken.
    const known = received.get(data.op);
    if (item.kind === VERDICT && known !== undefined && known >= data.attempt) continue;
    if (item.kind === LATE_RESULT) received.set(data.op, data.attempt);
    late.set(data.op, { incarnation: 0, ...data });
  }
  return { deliveries, progress, late, settled, cancelled, again, epochs };
}

/** What failed finally has a new budget. False: it is unknown, and stays so. */
function startAnew(known: Progress, at: number): boolean {
  known.open = false;
  known.throttles = 0;
  known.told = 0;
  delete known.next;
  delete known.place;
  delete known.why;
  known.issuedAt = at;
  if (known.unknown) return false;
  known.attempt = 1;
  return true;
}

/** Under another key nothing was sent yet: its age is counted from its own first sending, and a body is compared with its own. */
function raiseEpoch(known: Progress, epoch = 0): void {
  if (epoch <= (known.epoch ?? 0)) return;
  known.epoch = epoch;
  if (known.firstSentAt !== undefined) known.sentBefore = true;
  delete known.firstSentAt;
  delete known.body;
}
