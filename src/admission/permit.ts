/** The permission that a call was given: looked at once more before it is sent, and told of what came of it. */
import type { AdmissionRecord, Answer, Ask, Holdup, Outcome, Permit } from '../engine/admission-ports.ts';
import type { Json } from '../engine/json.ts';
import type { Clock } from '../engine/ports.ts';
import type { Place } from './booking.ts';
import { probed } from './breaker.ts';
import type { Ledger } from './ledger.ts';
import { limitsOf } from './pace.ts';
import { type Caller, standing } from './standing.ts';
import { heldWith, raiseGate } from './stops.ts';

/** A parked run is woken so much before its turn: a wake comes by whole seconds, and who is late has lost its place. */
const EARLY_MS = 1_200;
/** Waits up to here stay in process. */
const SHORT_MS = 2_000;

export type Later = Extract<Answer, { type: 'later' }>;

/** `until`: when it may go, ms since the epoch. */
export function later(until: number, why: Holdup, place: Place | undefined, now: number): Later {
  const at = place !== undefined && until - now > SHORT_MS ? until - EARLY_MS : until;
  return place === undefined ? { type: 'later', at, why } : { type: 'later', at, why, place: place as Json };
}

/** As it was journaled; what cannot be one is as if it were none. */
export function placeFrom(given: Json | undefined): Place | undefined {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return undefined;
  if (typeof given.line === 'number') return { line: given.line };
  return typeof given.ahead === 'number' ? { ahead: given.ahead } : undefined;
}

export const callerOf = ({ limits, effect, retry }: Ask, record: AdmissionRecord, now: number): Caller => ({
  limits: limitsOf(limits, record, now),
  isPaced: limits.length === 0,
  isSafe: effect === 'safe',
  uncounted: retry,
  place: undefined,
});

/** Read now, unless it is recent. Rejects when it cannot be had. */
export async function freshly(ledger: Ledger, whole: Ledger | undefined): Promise<AdmissionRecord> {
  if (whole === undefined) return ledger.fresh();
  const [record, all] = await Promise.all([ledger.fresh(), whole.fresh()]);
  return heldWith(record, all);
}

export type Given = {
  readonly ask: Ask;
  readonly ledger: Ledger;
  /** Of its connection, where it is an account's. */
  readonly whole: Ledger | undefined;
  readonly place: Place | undefined;
  /** What it was given on; `undefined`: that is to be looked at again. */
  readonly on: AdmissionRecord | undefined;
  /** Gives back the connection's place among those in flight. */
  readonly release?: (() => void) | undefined;
  /** By then it is another's, ms since the epoch. */
  readonly leasedUntil?: number | undefined;
  /** It is the probe of that name. */
  readonly probe?: string | undefined;
};

export type PermitPorts = {
  readonly clock: Clock;
  readonly random: () => number;
  /** A write that nobody waits for. */
  background(work: Promise<unknown>): void;
};

export class GivenPermit implements Permit {
  readonly #given: Given;
  readonly #ports: PermitPorts;
  #over = false;

  constructor(given: Given, ports: PermitPorts) {
    this.#given = given;
    this.#ports = ports;
  }

  get isProbe(): boolean {
    return this.#given.probe !== undefined;
  }

  get place(): Json | undefined {
    return this.#given.place as Json | undefined;
  }

  confirm(): Promise<Later | undefined> | undefined {
    const { ledger, whole, on, place, leasedUntil } = this.#given;
    const now = this.#ports.clock.now();
    if (leasedUntil !== undefined && now >= leasedUntil) {
      this.drop();
      return Promise.resolve(later(now, 'concurrency', place, now));
    }
    // What this process has learnt meanwhile counts, however short that was.
    const isSame = ledger.isFresh() && ledger.record === on && (!whole || (whole.isFresh() && whole.record.heldAt === undefined));
    return isSame ? undefined : this.#look();
  }

  async #look(): Promise<Later | undefined> {
    const { ask, ledger, whole, place, probe } = this.#given;
    const { clock, random } = this.#ports;
    let refusal: Later;
    try {
      const record = await freshly(ledger, whole);
      const now = clock.now();
      const caller: Caller = { ...callerOf(ask, record, now), uncounted: false, place, sending: probe === undefined ? 'call' : 'probe' };
      const what = standing(record, caller, now, random);
      if (what.do === 'go') return undefined;
      // To book or to probe it asks again, at once.
      refusal =
        what.do === 'wait' ? later(what.until, what.why, place, now) : later(now, what.do === 'book' ? 'rate' : 'breaker', place, now);
    } catch {
      // Its place is its own; what it cannot know is whether somebody has been told to wait.
      if (ask.onError === 'local') return undefined;
      refusal = later(Math.max(ledger.unreachableUntil(), clock.now() + 1), 'unreachable', place, clock.now());
    }
    this.drop();
    return refusal;
  }

  report(outcome: Outcome): void {
    if (this.#over) return;
    // What is throttled is alive.
    this.#end(outcome.type === 'throttled' ? 'good' : outcome.type);
    const { ledger } = this.#given;
    ledger.sent();
    if (outcome.type === 'throttled') {
      const { until } = outcome;
      this.#ports.background(ledger.alter((record, now) => raiseGate(record, until, now, ledger.perSecond())));
    } else if (outcome.type !== 'neutral') ledger.count(outcome.type === 'good');
  }

  drop(): void {
    if (!this.#over) this.#end('not-sent');
  }

  #end(how: 'good' | 'bad' | 'neutral' | 'not-sent'): void {
    this.#over = true;
    const { release, probe, ledger } = this.#given;
    release?.();
    if (probe !== undefined) this.#ports.background(ledger.alter((record, now) => probed(record, probe, how, now)));
  }
}
