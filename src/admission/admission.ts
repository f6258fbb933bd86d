/**
 * Admission as calls ask it. Owns the common case: a connection without limits that nothing stops, whose calls go at once on what was
 * read a moment ago. All others ask asking.ts, which is loaded with the first of them.
 */
import type { Admission, AdmissionKey, AdmissionStore, Answer, Ask, Outcome, Permit } from '../engine/admission-ports.ts';
import type { Clock, Entropy } from '../engine/ports.ts';
import type { Asking } from './asking.ts';
import { lateParts } from './late.ts';
import { type Ledger, openLedger } from './ledger.ts';
import { isCalm, nameOf } from './record.ts';

export type AdmissionOptions = {
  readonly store: AdmissionStore;
  readonly clock: Clock;
  readonly entropy: Entropy;
  /**
   * How many processes there may be. They share the limits while the record cannot be reached (`onAdmissionError: 'local'`), and by them
   * what one has sent is taken for what all have (pace.ts). Default 10.
   */
  readonly instances?: number;
};

export function createAdmission({ store, clock, entropy, instances = 10 }: AdmissionOptions): Admission {
  const me = entropy.id();
  const ledgers = new Map<string, Ledger>();
  const unfinished = new Set<Promise<unknown>>();
  let asking: Asking | undefined;
  let opening: Promise<Asking> | undefined;

  function ledgerOf(key: AdmissionKey): Ledger {
    const name = nameOf(key);
    let ledger = ledgers.get(name);
    if (ledger === undefined) {
      ledger = openLedger(key, { store, clock, instances });
      ledgers.set(name, ledger);
    }
    return ledger;
  }

  function background(work: Promise<unknown>): void {
    unfinished.add(work);
    const over = () => void unfinished.delete(work);
    work.then(over, over);
  }

  function open(): Promise<Asking> {
    opening ??= lateParts().then(({ openAsking }) => {
      const apart = (other: AdmissionStore) => createAdmission({ store: other, clock, entropy });
      asking = openAsking({ store, clock, entropy, instances, me, background, apart });
      return asking;
    });
    return opening;
  }

  const rest: Rest = { clock, background, permit: async (...of) => (asking ?? (await open())).permit(...of) };

  return {
    ask(ask) {
      const { connection, account } = ask.key;
      const ledger = ledgerOf(ask.key);
      const whole = account === undefined ? undefined : ledgerOf({ connection });
      if (ask.limits.length > 0 || ask.concurrency > 0 || ask.retry) return held(ask, ledger, whole);
      const isFresh = ledger.isFresh() && whole?.isFresh() !== false;
      if (isFresh) return isClear(ledger, whole, clock) ? go(ask, ledger, whole) : held(ask, ledger, whole);
      return looked(ask, ledger, whole);
    },
    async leave() {
      while (unfinished.size > 0) await Promise.allSettled([...unfinished]);
      await Promise.allSettled([asking?.leave(), ...[...ledgers.values()].map((ledger) => ledger.flush())]);
    },
  };

  function go(ask: Ask, ledger: Ledger, whole: Ledger | undefined): Answer {
    return { type: 'go', permit: new PlainPermit(ask, ledger, whole, rest) };
  }

  function held(ask: Ask, ledger: Ledger, whole: Ledger | undefined): Answer | Promise<Answer> {
    return asking ? asking.ask(ask, ledger, whole) : open().then((it) => it.ask(ask, ledger, whole));
  }

  async function looked(ask: Ask, ledger: Ledger, whole: Ledger | undefined): Promise<Answer> {
    if (ask.signal.aborted || ledger.unreachableUntil() > 0) return held(ask, ledger, whole);
    try {
      await (whole ? Promise.all([ledger.fresh(), whole.fresh()]) : ledger.fresh());
    } catch {
      return held(ask, ledger, whole);
    }
    return isClear(ledger, whole, clock) ? go(ask, ledger, whole) : held(ask, ledger, whole);
  }
}

/** As far as is known. */
function isClear(ledger: Ledger, whole: Ledger | undefined, clock: Clock): boolean {
  return isCalm(ledger.record, clock.now()) && whole?.record.heldAt === undefined;
}

type Rest = {
  readonly clock: Clock;
  background(work: Promise<unknown>): void;
  /** One that knows what to do when something is in the way. */
  permit(ask: Ask, ledger: Ledger, whole: Ledger | undefined): Promise<Permit>;
};

/** Of a call that went at once: nothing was taken that is to be given back. */
class PlainPermit implements Permit {
  readonly isProbe = false;
  readonly place = undefined;
  readonly #ask: Ask;
  readonly #ledger: Ledger;
  readonly #whole: Ledger | undefined;
  readonly #rest: Rest;
  #over = false;

  constructor(ask: Ask, ledger: Ledger, whole: Ledger | undefined, rest: Rest) {
    this.#ask = ask;
    this.#ledger = ledger;
    this.#whole = whole;
    this.#rest = rest;
  }

  confirm(): ReturnType<Permit['confirm']> {
    const isFresh = this.#ledger.isFresh() && this.#whole?.isFresh() !== false;
    if (isFresh && isClear(this.#ledger, this.#whole, this.#rest.clock)) return undefined;
    return this.#full().then((permit) => permit.confirm());
  }

  report(outcome: Outcome): void {
    if (this.#over) return;
    this.#over = true;
    if (outcome.type === 'throttled') {
      this.#rest.background(this.#full().then((permit) => permit.report(outcome)));
      return;
    }
    this.#ledger.sent();
    if (outcome.type !== 'neutral') this.#ledger.count(outcome.type === 'good');
  }

  drop(): void {
    this.#over = true;
  }

  #full(): Promise<Permit> {
    return this.#rest.permit(this.#ask, this.#ledger, this.#whole);
  }
}
