/**
 * What one process writes of a record: gathers bookings and what came of calls into few updates, and makes anew what a condition has
 * refused. Loaded late (late.ts). Decides nothing about a call.
 */
import type { AdmissionChange, AdmissionKey, AdmissionRecord, AdmissionStore, Limit } from '../engine/admission-ports.ts';
import type { Clock } from '../engine/ports.ts';
import { book, type Claim, type Place } from './booking.ts';
import { open, shouldOpen } from './breaker.ts';
import { retriesLeft } from './budget.ts';
import type { Ledger, Page } from './ledger.ts';

/** Calls that are issued together are booked together, ms. */
const GATHER_MS = 2;
/** How often a change is made anew whose condition did not hold. */
const TRIES = 12;
const MOST_CLAIMS = 500;

export type Writing = Pick<Ledger, 'book' | 'alter'> & {
  /** Writes what was counted. */
  tell(): void;
  /** Resolves when nothing is being written. Never rejects. */
  over(): Promise<void>;
};

type Waiting = {
  claim: Claim;
  limits: readonly Limit[];
  done(place: Place | { notBefore: number } | undefined): void;
  fail(error: unknown): void;
};

export function openWriting(key: AdmissionKey, page: Page, { store, clock }: { store: AdmissionStore; clock: Clock }): Writing {
  let waiting: Waiting[] = [];
  /** What was counted is to be told, maybe while another write is under way. */
  let due = false;
  let writing: Promise<void> | undefined;

  return {
    book(claim, limits) {
      return new Promise((done, fail) => {
        waiting.push({ claim, limits, done, fail });
        writing ??= gather();
      });
    },
    alter,
    tell() {
      due = true;
      writing ??= write();
    },
    async over() {
      await writing;
    },
  };

  async function alter(make: (record: AdmissionRecord, now: number) => AdmissionChange | undefined): Promise<boolean> {
    for (let tries = 0; tries < TRIES; tries++) {
      const asked = clock.now();
      const change = make(page.record, asked);
      if (change === undefined) return false;
      const order = page.order();
      const { ok, record: found } = await page.reached(() => store.change(key, change));
      page.learn(found, asked, order);
      if (ok) return true;
    }
    return false;
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
    due = false;
    const limits = waiting[0]?.limits ?? [];
    // Those that found other limits, because a pace has come or gone, go with the next one.
    let batch = waiting.filter((one) => areSame(one.limits, limits)).slice(0, MOST_CLAIMS);
    const taken = new Set(batch);
    waiting = waiting.filter((one) => !taken.has(one));
    const counts = page.take();
    try {
      if (batch.length > 0 && !page.isKnown) await page.read();
      for (let tries = 0; ; tries++) {
        const now = clock.now();
        const { record } = page;
        let left = retriesLeft(record, now);
        batch = batch.filter(({ claim, done }) => {
          if (!claim.retry || left-- > 0) return true;
          done(undefined);
          return false;
        });
        if (batch.length === 0 && counts.windows.size === 0 && counts.row === 0) return;
        const claims = batch.map(({ claim }) => claim);
        const booking = book(claims, limits, record, counts, now);
        const order = page.order();
        const { ok, record: found } = await page.reached(() => store.change(key, booking.change));
        page.learn(found, now, order);
        if (ok) {
          const places = limits.length === 0 ? [] : booking.placesIn(found);
          for (const [index, { done }] of batch.entries()) done(places[index] ?? { line: 0 });
          break;
        }
        if (tries >= TRIES) throw new Error('the record changed under every try');
      }
    } catch (error) {
      page.giveBack(counts);
      for (const { fail } of batch) fail(error);
      return;
    }
    if (shouldOpen(page.record, clock.now())) {
      await alter((there, now) => (shouldOpen(there, now) ? open(there, now, page.perSecond()) : undefined)).catch(() => {});
    }
  }
}

const areSame = (some: readonly Limit[], others: readonly Limit[]): boolean =>
  some === others ||
  (some.length === others.length &&
    some.every(({ requests, per, burst }, i) => {
      const other = others[i];
      return requests === other?.requests && per === other.per && burst === other.burst;
    }));
