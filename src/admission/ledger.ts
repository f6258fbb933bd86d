/**
 * One record as this process knows it: reads it when it must be recent, gathers what is to be written into few updates, and makes anew
 * what a condition has refused. Decides nothing about a call.
 */
import type { AdmissionChange, AdmissionKey, AdmissionRecord, AdmissionStore, Limit } from '../engine/admission-ports.ts';
import type { Clock, Timer } from '../engine/ports.ts';
import { book, type Claim, type Counts, type Place } from './booking.ts';
import { open, shouldOpen } from './breaker.ts';
import { retriesAllowed, retriesLeft } from './budget.ts';
import { FRESH_MS } from './pauses.ts';
import { isTroubled, WINDOWS, windowAt } from './record.ts';

/** Calls that are issued together are booked together, ms. */
const GATHER_MS = 2;
/** Failures are told to the fleet within so many ms. */
const TELL_MS = 100;
/** How often a change is made anew whose condition did not hold. */
const TRIES = 12;
const MOST_CLAIMS = 500;
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

type Waiting = {
  claim: Claim;
  limits: readonly Limit[];
  done(place: Place | { notBefore: number } | undefined): void;
  fail(error: unknown): void;
};

export type LedgerPorts = { store: AdmissionStore; clock: Clock; instances: number };

export function openLedger(key: AdmissionKey, { store, clock, instances }: LedgerPorts): Ledger {
  let record: AdmissionRecord = {};
  /** When what is known was asked for. */
  let asOf = Number.NEGATIVE_INFINITY;
  /** Requests so far; and which of them was the last change whose answer is known. */
  let orders = 0;
  let newest = 0;
  let reading: Promise<AdmissionRecord> | undefined;
  let waiting: Waiting[] = [];
  let writing: Promise<void> | undefined;
  let windows = new Map<number, { r: number; f: number }>();
  let row = 0;
  let succeeded = false;
  let telling: Timer | undefined;
  /** Its time has come, maybe while another write was under way. */
  let due = false;
  /** Sent in the second that began at `since`, and in the one before. */
  let sent = 0;
  let before = 0;
  let since = Number.NEGATIVE_INFINITY;
  let failures = 0;
  let retryAt = 0;
  const listeners = new Set<() => void>();

  return {
    get record() {
      return record;
    },
    isFresh,
    async fresh() {
      return isFresh() ? record : read();
    },
    book(claim, limits) {
      return new Promise((done, fail) => {
        waiting.push({ claim, limits, done, fail });
        writing ??= gather();
      });
    },
    perSecond,
    sent() {
      const now = clock.now();
      if (now - since >= 1_000) {
        before = now - since < 2_000 ? sent : 0;
        since = now;
        sent = 0;
      }
      sent += 1;
    },
    count(isGood) {
      const window = windowAt(clock.now());
      const counted = windows.get(window) ?? { r: 0, f: 0 };
      windows.set(window, { r: counted.r + 1, f: counted.f + (isGood ? 0 : 1) });
      forget();
      if (isGood) {
        row = 0;
        succeeded = true;
      } else row += 1;
      // What goes well is told with the next booking, or once somebody has failed.
      if (!isGood || isTroubled(record, clock.now())) telling ??= clock.timer(TELL_MS, tell);
    },
    alter,
    onChange(fn) {
      listeners.add(fn);
      return () => void listeners.delete(fn);
    },
    unreachableUntil: () => (failures > 0 && clock.now() < retryAt ? retryAt : 0),
    async flush() {
      if (telling) tell();
      await writing;
    },
  };

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
    const before = record;
    record = found;
    asOf = at;
    const moved = ['breaker', 'good', 'probe', 'heldAt', 'openUntil'].some((name) => before[name] !== found[name]);
    if (moved) for (const listener of [...listeners]) listener();
  }

  /** Throws what the store threw, and knows from then on that it is not worth asking for a while. */
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

  async function alter(make: (record: AdmissionRecord, now: number) => AdmissionChange | undefined): Promise<boolean> {
    for (let tries = 0; tries < TRIES; tries++) {
      const asked = clock.now();
      const change = make(record, asked);
      if (change === undefined) return false;
      const order = ++orders;
      const { ok, record: found } = await reached(() => store.change(key, change));
      learnAnswer(found, asked, order);
      if (ok) return true;
    }
    return false;
  }

  function tell(): void {
    telling?.cancel();
    telling = undefined;
    due = true;
    writing ??= write();
  }

  async function gather(): Promise<void> {
    await new Promise<void>((over) => clock.timer(GATHER_MS, over));
    return write();
  }

  /** One update after the other: what comes meanwhile goes with the next one. */
  async function write(): Promise<void> {
    try {
      do await writeOnce();
      while (waiting.length > 0 || due);
    } finally {
      writing = undefined;
      if (waiting.length > 0) writing = gather();
    }
  }

  async function writeOnce(): Promise<void> {
    forget();
    due = false;
    const limits = waiting[0]?.limits ?? [];
    // Those that found other limits, because a pace has come or gone, go with the next one.
    let batch = waiting.filter((one) => areSame(one.limits, limits)).slice(0, MOST_CLAIMS);
    waiting = waiting.filter((one) => !batch.includes(one));
    const counts: Counts = { windows, row, succeeded };
    windows = new Map();
    row = 0;
    succeeded = false;
    telling?.cancel();
    telling = undefined;
    try {
      if (batch.length > 0 && asOf === Number.NEGATIVE_INFINITY) await read();
      for (let tries = 0; ; tries++) {
        const now = clock.now();
        let left = retriesLeft(record, now);
        batch = batch.filter(({ claim, done }) => {
          if (!claim.retry || left-- > 0) return true;
          done(undefined);
          return false;
        });
        if (batch.length === 0 && counts.windows.size === 0 && counts.row === 0) return;
        const claims = batch.map(({ claim }) => claim);
        const booking = book(claims, limits, record, counts, { allowed: retriesAllowed(record, now) }, now);
        const order = ++orders;
        const { ok, record: found } = await reached(() => store.change(key, booking.change));
        learnAnswer(found, now, order);
        if (ok) {
          const places = limits.length === 0 ? [] : booking.placesIn(found);
          for (const [index, { done }] of batch.entries()) done(places[index] ?? { line: 0 });
          break;
        }
        if (tries >= TRIES) throw new Error('the record changed under every try');
      }
    } catch (error) {
      keep(counts);
      for (const { fail } of batch) fail(error);
      return;
    }
    if (shouldOpen(record, clock.now())) {
      await alter((there, now) => (shouldOpen(there, now) ? open(there, now, perSecond()) : undefined)).catch(() => {});
    }
  }

  /** What nobody looks at any more. A process may have been frozen with it for hours, or have told nobody because all went well. */
  function forget(): void {
    const oldest = windowAt(clock.now()) - WINDOWS;
    for (const window of windows.keys()) if (window <= oldest) windows.delete(window);
    if (windows.size === 0) row = 0;
  }

  /** Not written: it goes with the next. */
  function keep(counts: Counts): void {
    for (const [window, { r, f }] of counts.windows) {
      const since = windows.get(window) ?? { r: 0, f: 0 };
      windows.set(window, { r: since.r + r, f: since.f + f });
    }
    if (!succeeded) row += counts.row;
    succeeded ||= counts.succeeded;
  }
}

const areSame = (some: readonly Limit[], others: readonly Limit[]): boolean =>
  some === others ||
  (some.length === others.length &&
    some.every(({ requests, per, burst }, i) => {
      const other = others[i];
      return requests === other?.requests && per === other.per && burst === other.burst;
    }));
