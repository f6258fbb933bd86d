/**
 * A call whose connection has limits, or may be stopped, or that is a retry: asks the record whether it may be sent, and waits with it for
 * as long as that is short. Loaded late (late.ts). The decisions are standing.ts and booking.ts; what follows is permit.ts.
 */
import type { Admission, AdmissionRecord, AdmissionStore, Answer, Ask, Holdup, Permit } from '../engine/admission-ports.ts';
import type { Clock, Entropy } from '../engine/ports.ts';
import type { Place } from './booking.ts';
import { claimProbe, mayProbe } from './breaker.ts';
import type { Ledger } from './ledger.ts';
import { memoryAdmissionStore } from './memory-store.ts';
import { callerOf, freshly, type Given, GivenPermit, later, type PermitPorts, placeFrom } from './permit.ts';
import { createPlaces } from './places.ts';
import { numberOf, textOf } from './record.ts';
import { standing } from './standing.ts';
import { heldWith } from './stops.ts';

/** Who waits for the record looks at it again at unlike times, ms. */
const SPREAD_MS = 2_000;
/** A place among those in flight is kept for so much longer than the call can take. */
const MARGIN_MS = 2_000;

export type Asking = {
  /** `whole`: of its connection, where the ledger is an account's. Never rejects. */
  ask(ask: Ask, ledger: Ledger, whole: Ledger | undefined): Answer | Promise<Answer>;
  /** Of a call that went at once, and in whose way there may be something now. */
  permit(ask: Ask, ledger: Ledger, whole: Ledger | undefined): Permit;
  leave(): Promise<void>;
};

export type AskingPorts = {
  readonly store: AdmissionStore;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly instances: number;
  /** Of this process, and no other's. */
  readonly me: string;
  /** A write that nobody waits for. */
  background(work: Promise<unknown>): void;
  /** Another admission, over a store of its own. */
  apart(store: AdmissionStore): Admission;
};

export function openAsking({ store, clock, entropy, instances, me, background, apart }: AskingPorts): Asking {
  const places = createPlaces({ store, clock, entropy, owner: me });
  const ports: PermitPorts = { clock, random: entropy.random, background };
  let probes = 0;
  let alone: Admission | undefined;

  return {
    ask(ask, ledger, whole) {
      const isPlain = ask.limits.length === 0 && ask.concurrency === 0 && !ask.retry;
      if (isPlain && isClear(ask, ledger, whole)) return go({ ask, ledger, whole, place: undefined });
      return asking(ask, ledger, whole);
    },
    permit: (ask, ledger, whole) => new GivenPermit({ ask, ledger, whole, place: undefined, on: undefined }, ports),
    async leave() {
      await Promise.allSettled([places.leave(), alone?.leave()]);
    },
  };

  function go(given: Omit<Given, 'on'>): Answer {
    return { type: 'go', permit: new GivenPermit({ ...given, on: given.ledger.record }, ports) };
  }

  /** Nothing is to be waited for, as far as was read a moment ago. */
  function isClear(ask: Ask, ledger: Ledger, whole: Ledger | undefined): boolean {
    if (!ledger.isFresh() || (whole && (!whole.isFresh() || whole.record.heldAt !== undefined))) return false;
    const now = clock.now();
    return standing(ledger.record, callerOf(ask, ledger.record, now), now, entropy.random).do === 'go';
  }

  async function asking(ask: Ask, ledger: Ledger, whole: Ledger | undefined): Promise<Answer> {
    const patient = clock.now() + ask.patience;
    let place = placeFrom(ask.place);
    let uncounted = ask.retry && place === undefined;
    let release: (() => void) | undefined;
    let leasedUntil: number | undefined;
    const leave = (answer: Answer | Promise<Answer>) => {
      release?.();
      return answer;
    };
    try {
      for (;;) {
        if (ask.signal.aborted) return leave(later(clock.now(), 'rate', place, clock.now()));
        if (ledger.unreachableUntil() > 0) return leave(unreachable(ask, ledger, whole, place));
        const record = await freshly(ledger, whole);
        const now = clock.now();
        const caller = { ...callerOf(ask, record, now), place, uncounted };
        const what = standing(record, caller, now, entropy.random);
        if (what.do === 'wait') {
          // A person may release it at any time before.
          const until = what.why === 'hold' && now < ask.until ? Math.min(what.until, ask.until) : what.until;
          if (until > ask.until || (what.why === 'hold' && now >= ask.until)) return leave({ type: 'never', at: until, why: what.why });
          if (until > patient) return leave(later(until, what.why, place, now));
          await passed(until - now, ask.signal, what.why === 'breaker' ? ledger : undefined);
          continue;
        }
        if (what.do === 'book' && what.due > ask.until && Number.isFinite(what.due) && !mayGoAhead(ask, record, what.missed))
          return leave({ type: 'never', at: Math.ceil(what.due), why: 'rate' });
        if (ask.concurrency > 0 && release === undefined) {
          const holdFor = ask.patience + ask.timeout + MARGIN_MS;
          const taken = await places.take(ask.key, ask.concurrency, holdFor, ask.signal);
          if ('later' in taken) return later(taken.later, 'concurrency', place, now);
          release = () => taken.lease.release();
          leasedUntil = clock.now() + holdFor;
          continue;
        }
        if (what.do === 'go') return go({ ask, ledger, whole, place, release, leasedUntil });
        if (what.do === 'book') {
          const { tenant, weight } = ask;
          const booked = await ledger.book({ tenant, weight, retry: uncounted, missed: what.missed }, caller.limits);
          // Without one the budget was used up meanwhile: the record that said so is known by now.
          if (booked === undefined) continue;
          if ('notBefore' in booked) {
            if (booked.notBefore > patient) return leave(later(booked.notBefore, 'rate', place, clock.now()));
            await passed(booked.notBefore - clock.now(), ask.signal, undefined);
          } else [place, uncounted] = [booked, false];
          continue;
        }
        const probe = await claim(ask, ledger);
        if (probe !== undefined) return go({ ask, ledger, whole, place, release, leasedUntil, probe });
      }
    } catch {
      return leave(unreachable(ask, ledger, whole, place));
    }
  }

  /** How long the line is does not say when its turn is. */
  function mayGoAhead({ tenant }: Ask, record: AdmissionRecord, missed: boolean): boolean {
    const heavy = textOf(record, 'heavy');
    return missed || (heavy !== undefined && heavy !== tenant);
  }

  /** Its name; `undefined`: another has claimed it, or nothing is to be probed any more. */
  async function claim({ effect }: Ask, ledger: Ledger): Promise<string | undefined> {
    probes += 1;
    const name = `${me}.${probes}`;
    let lost = false;
    const claimed = await ledger.alter((record, now) => {
      // The answer to the first try was lost.
      if (record.probe === name) lost = true;
      return lost || !mayProbe(record, effect === 'safe', now) ? undefined : claimProbe(record, name, now);
    });
    return claimed || lost ? name : undefined;
  }

  /** The connection's calls wait, or go on at this process's share. */
  function unreachable(ask: Ask, ledger: Ledger, whole: Ledger | undefined, place: Place | undefined): Answer | Promise<Answer> {
    const now = clock.now();
    const known = heldWith(ledger.record, whole?.record ?? {});
    const gate = numberOf(known, 'resumeAt') ?? 0;
    // What a person and the API were known to have said is still so.
    const why: Holdup = known.heldAt !== undefined ? 'hold' : gate > now ? 'gate' : 'unreachable';
    if (ask.onError === 'local' && why === 'unreachable') {
      alone ??= apart(memoryAdmissionStore());
      const limits = ask.limits.map(({ requests, per, burst }) => ({
        requests,
        per: per * instances,
        burst: Math.max(1, Math.floor(burst / instances)),
      }));
      return alone.ask({ ...ask, limits, concurrency: Math.ceil(ask.concurrency / instances), onError: 'wait', place: undefined });
    }
    const at = Math.max(ledger.unreachableUntil(), gate, now + 1) + Math.ceil(entropy.random() * SPREAD_MS);
    if (at > ask.until) return { type: 'never', at, why };
    return place === undefined ? { type: 'later', at, why } : { type: 'later', at, why, place };
  }

  /** In time, or when nobody waits for it any more, or what stops it has changed. */
  function passed(ms: number, signal: AbortSignal, ledger: Ledger | undefined): Promise<void> {
    return new Promise((resolve) => {
      const over = () => {
        timer.cancel();
        unwatch?.();
        signal.removeEventListener('abort', over);
        resolve();
      };
      const unwatch = ledger?.onChange(over);
      const timer = clock.timer(Math.max(1, ms), over);
      signal.addEventListener('abort', over, { once: true });
    });
  }
}
