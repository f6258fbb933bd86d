/**
 * One record as this process knows it: reads it when it must be recent, and counts what came of calls. What is written of it is
 * writing.ts, which most processes never need. Decides nothing about a call.
 */
import type { AdmissionChange, AdmissionKey, AdmissionRecord, AdmissionStore, Limit } from '../engine/admission-ports.ts';
import type { Clock, Timer } from '../engine/ports.ts';
import type { Claim, Counts, Place } from './booking.ts';
import { lateParts } from './late.ts';
import { FRESH_MS, troubledUntil, WINDOWS, windowAt } from './record.ts';
import type { Writing } from './writing.ts';

/** Failures are told to the fleet within so many ms. */
const TELL_MS = 100;
const BACKOFF_MS = 1_000;
const BACKOFF_MAX_MS = 30_000;

export type Ledger = {
  /** As it was read last, or as this process left it. */
  readonly record: AdmissionRecord;
  /** It was read so recently that a call may be sent on it. */
  isFresh(): boolean;
  /** Read now, unless it is recent. Rejects when it cannot be had. */
  fresh(): Promise<AdmissionRecord>;
  /** `undefined`: the retry budget of this window is used up. `notBefore`: it is to be asked for again then. Rejects when the record cannot be had. */
  book(claim: Claim, limits: readonly Limit[]): Promise<Place | { notBefore: number } | undefined>;
  /** How much all processes may have sent of late, if each has sent as much as this one: requests a second. */
  perSecond(): number;
  /** One was sent. */
  sent(): void;
  /** What it came to, for the breaker. */
  count(isGood: boolean): void;
  /** Makes the change that `make` makes of what is there, until it holds or there is nothing to change. False: it was not made. */
  alter(make: (record: AdmissionRecord, now: number) => AdmissionChange | undefined): Promise<boolean>;
  /** Calls back once, when the record has changed what stops it. */
  onChange(fn: () => void): () => void;
  /** Not before then is it worth trying again; 0: it can be reached. */
  unreachableUntil(): number;
  flush(): Promise<void>;
};

/** What writing.ts does to it. */
export type Page = Pick<Ledger, 'record' | 'perSecond'> & {
  /** It has been read. */
  readonly isKnown: boolean;
  read(): Promise<AdmissionRecord>;
  /** The next request's: what was asked for later is newer, whenever it is answered. */
  order(): number;
  /** As it was found by a change that was asked for at `at`. */
  learn(found: AdmissionRecord, at: number, order: number): void;
  /** Throws what the store threw, and knows from then on that it is not worth asking for a while. */
  reached<T>(request: () => Promise<T>): Promise<T>;
  /** What was counted and not written. */
  take(): Counts;
  /** It was not written: it goes with the next. */
  giveBack(counts: Counts): void;
};

export type LedgerPorts = { store: AdmissionStore; clock: Clock; instances: number };

export function openLedger(key: AdmissionKey, { store, clock, instances }: LedgerPorts): Ledger {
  let record: AdmissionRecord = {};
  /** When what is known was asked for. */
  let asOf = Number.NEGATIVE_INFINITY;
  /** Requests so far; and which of them was the last change whose answer is known. */
  let orders = 0;
  let newest = 0;
  /** Until then successes are told too. */
  let troubled = 0;
  let reading: Promise<AdmissionRecord> | undefined;
  let writing: Writing | undefined;
  let opening: Promise<Writing> | undefined;
  let windows = new Map<number, { r: number; f: number }>();
  let row = 0;
  let succeeded = false;
  let telling: Timer | undefined;
  /** Sent in the second that began at `since`, and in the one before. */
  let sent = 0;
  let before = 0;
  let since = Number.NEGATIVE_INFINITY;
  let failures = 0;
  let retryAt = 0;
  const listeners = new Set<() => void>();

  const page: Page = {
    get record() {
      return record;
    },
    get isKnown() {
      return asOf !== Number.NEGATIVE_INFINITY;
    },
    perSecond,
    read,
    order: () => ++orders,
    learn: learnAnswer,
    reached,
    take() {
      forget();
      const counts: Counts = { windows, row, succeeded };
      windows = new Map();
      row = 0;
      succeeded = false;
      telling?.cancel();
      telling = undefined;
      return counts;
    },
    giveBack(counts) {
      for (const [window, { r, f }] of counts.windows) {
        const more = windows.get(window) ?? { r: 0, f: 0 };
        windows.set(window, { r: more.r + r, f: more.f + f });
      }
      if (!succeeded) row += counts.row;
      succeeded ||= counts.succeeded;
    },
  };

  return {
    get record() {
      return record;
    },
    isFresh,
    async fresh() {
      return isFresh() ? record : read();
    },
    book: (claim, limits) => (writing ? writing.book(claim, limits) : open().then((it) => it.book(claim, limits))),
    perSecond,
    sent: noteSent,
    count,
    alter: (make) => (writing ? writing.alter(make) : open().then((it) => it.alter(make))),
    onChange(fn) {
      listeners.add(fn);
      return () => void listeners.delete(fn);
    },
    unreachableUntil: () => (failures > 0 && clock.now() < retryAt ? retryAt : 0),
    async flush() {
      if (telling) tell();
      await (await opening)?.over();
    },
  };

  function open(): Promise<Writing> {
    opening ??= lateParts().then(({ openWriting }) => {
      writing = openWriting(key, page, { store, clock });
      return writing;
    });
    return opening;
  }

  function tell(): void {
    telling?.cancel();
    telling = undefined;
    if (writing) writing.tell();
    else void open().then((it) => it.tell());
  }

  function noteSent(): void {
    const now = clock.now();
    if (now - since >= 1_000) {
      before = now - since < 2_000 ? sent : 0;
      since = now;
      sent = 0;
    }
    sent += 1;
  }

  function count(isGood: boolean): void {
    const now = clock.now();
    const window = windowAt(now);
    let counted = windows.get(window);
    if (counted === undefined) {
      forget();
      counted = { r: 0, f: 0 };
      windows.set(window, counted);
    }
    counted.r += 1;
    if (isGood) {
      row = 0;
      succeeded = true;
    } else {
      counted.f += 1;
      row += 1;
    }
    // What goes well is told with the next booking, or once somebody has failed.
    if (!isGood || now < troubled) telling ??= clock.timer(TELL_MS, tell);
  }

  /** What nobody looks at any more. A process may have been frozen with it for hours, or have told nobody because all went well. */
  function forget(): void {
    const oldest = windowAt(clock.now()) - WINDOWS;
    for (const window of windows.keys()) if (window <= oldest) windows.delete(window);
    if (windows.size === 0) row = 0;
  }

  function perSecond(): number {
    const over = clock.now() - since;
    return instances * Math.max(over < 2_000 ? before : 0, over < 1_000 ? sent : (sent * 1_000) / over);
  }

  function isFresh(): boolean {
    const age = clock.now() - asOf;
    // Less than nothing: the clock was put back.
    return age >= 0 && age <= FRESH_MS;
  }

  function read(): Promise<AdmissionRecord> {
    const asked = clock.now();
    const order = ++orders;
    reading ??= reached(() => store.read(key))
      .then((found) => {
        // What was written meanwhile is newer than what was read.
        if (order > newest) learn(found, asked);
        return record;
      })
      .finally(() => {
        reading = undefined;
      });
    return reading;
  }

  /** Of a change; those that were asked for later, and answered sooner, are newer. */
  function learnAnswer(found: AdmissionRecord, at: number, order: number): void {
    if (order < newest) return;
    newest = order;
    learn(found, at);
  }

  function learn(found: AdmissionRecord, at: number): void {
    const old = record;
    record = found;
    asOf = at;
    troubled = troubledUntil(found);
    const moved = ['breaker', 'good', 'probe', 'heldAt', 'openUntil'].some((name) => old[name] !== found[name]);
    if (moved) for (const listener of [...listeners]) listener();
  }

  async function reached<T>(request: () => Promise<T>): Promise<T> {
    try {
      const result = await request();
      failures = 0;
      return result;
    } catch (error) {
      // Those that were under way together have failed of one and the same.
      if (clock.now() < retryAt) throw error;
      failures += 1;
      retryAt = clock.now() + Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** Math.min(10, failures - 1));
      throw error;
    }
  }
}
