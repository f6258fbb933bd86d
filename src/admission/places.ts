/**
 * Exact small limits of calls in flight: every place is a lease of its own, so that there is no counter to be wrong, and what a dead
 * process had ends by itself. Owns who of this process waits for a place, and for how long. Knows nothing of rates.
 */
import type { AdmissionKey, AdmissionStore } from '../engine/admission-ports.ts';
import type { Clock, Entropy, Timer } from '../engine/ports.ts';
import { type Held, type LeasePorts, placeLeases } from './place-leases.ts';
import { nameOf } from './record.ts';

/** `later`: when to ask again, ms since the epoch. */
export type Taken = { readonly lease: { release(): void } } | { readonly later: number };

export type Places = {
  /**
   * One of `count` places (1–50), within about two seconds; first come, first served among the calls of this process. It is the caller's
   * for `holdFor` ms from when it has it, or until it is released; within a second after that it is free whatever happens.
   * Aborted: it waits no longer. Rejects when the store cannot be asked.
   */
  take(key: AdmissionKey, count: number, holdFor: number, signal?: AbortSignal): Promise<Taken>;
  /** Resolves when all that was released is given back: a process that is frozen before keeps its places. Never rejects. */
  leave(): Promise<void>;
};

/** `owner`: of this process, and no other's. */
export type PlacesPorts = { store: AdmissionStore; clock: Clock; entropy: Entropy; owner: string };

type Line = (count: number, holdFor: number, signal?: AbortSignal) => Promise<Taken>;
type Waiter = {
  readonly order: number;
  readonly count: number;
  readonly holdFor: number;
  readonly waits: boolean;
  take(held: Held): void;
  fail(error: unknown): void;
};

const WAIT_MS = 2_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 2_000;
const SOONEST_MS = 1_000;
const LATEST_MS = 5_000;
/** So long a place goes from call to call of one process at most: others wait as well. */
const TURN_MS = 10_000;

export function createPlaces({ owner, ...ports }: PlacesPorts): Places {
  const lines = new Map<string, Line>();
  const writes = new Set<Promise<unknown>>();
  let leases = 0;
  const leasePorts: LeasePorts = {
    ...ports,
    newOwner: () => `${owner}.${++leases}`,
    track(write) {
      writes.add(write);
      void write.finally(() => writes.delete(write));
    },
  };
  return {
    async take(key, ...rest) {
      const name = nameOf(key);
      const line: Line = lines.get(name) ?? lineFor(key, leasePorts, () => void (lines.get(name) === line && lines.delete(name)));
      lines.set(name, line);
      return line(...rest);
    },
    async leave() {
      while (writes.size > 0) await Promise.all(writes);
    },
  };
}

/** `idle`: nobody waits, and nothing is held. */
function lineFor(key: AdmissionKey, ports: LeasePorts, idle: () => void): Line {
  const { clock, entropy, track } = ports;
  const leases = placeLeases(key, { ...ports, track: (write) => track(write.then(checkIdle)) });
  const waiters: Waiter[] = [];
  let arrived = 0;
  let asking = 0;
  let pause = FIRST_PAUSE_MS;
  let next: Timer | undefined;
  let looking = false;

  function checkIdle(): void {
    if (asking === 0 && leases.isIdle()) idle();
  }

  function leaseOf(held: Held): Taken {
    let released = false;
    const release = () => {
      if (!released) pass(held);
      released = true;
    };
    return { lease: { release } };
  }

  /** To who has waited longest, or back. */
  function pass(held: Held): void {
    const [head] = waiters;
    const now = clock.now();
    if (!head || held.place >= head.count || held.until <= now || now - held.since > TURN_MS) {
      leases.giveBack(held);
      return;
    }
    waiters.shift();
    const handed = leases.handOver(held, head.holdFor).catch(() => undefined);
    track(handed.then((given) => (given ? head.take(given) : join(head))));
  }

  function join(waiter: Waiter): void {
    if (!waiter.waits) return;
    const at = waiters.findIndex(({ order }) => order > waiter.order);
    waiters.splice(at < 0 ? waiters.length : at, 0, waiter);
    lookSoon();
  }

  /** One looks for all: the first. */
  function lookSoon(): void {
    if (looking || next || waiters.length === 0) return;
    next = clock.timer(pause * (0.5 + entropy.random() / 2), () => {
      next = undefined;
      looking = true;
      void look().finally(() => {
        looking = false;
        lookSoon();
      });
    });
  }

  async function look(): Promise<void> {
    try {
      for (let [head] = waiters; head; [head] = waiters) {
        const held = await leases.takeOne(head.count, head.holdFor, { blind: false });
        pause = held ? FIRST_PAUSE_MS : Math.min(2 * pause, LONGEST_PAUSE_MS);
        if (!held) return;
        head.take(held);
      }
    } catch (error) {
      for (const waiter of [...waiters]) waiter.fail(error);
    }
  }

  function wait(order: number, count: number, holdFor: number, signal?: AbortSignal): Promise<Taken> {
    return new Promise((resolve, reject) => {
      let waits = true;
      const end = () => {
        waits = false;
        timer.cancel();
        signal?.removeEventListener('abort', giveUp);
        if (waiters.includes(waiter)) waiters.splice(waiters.indexOf(waiter), 1);
        if (waiters.length > 0) return;
        next?.cancel();
        next = undefined;
        pause = FIRST_PAUSE_MS;
      };
      const giveUp = () => {
        end();
        resolve({ later: later() });
      };
      const waiter: Waiter = {
        order,
        count,
        holdFor,
        get waits() {
          return waits;
        },
        take(held) {
          if (!waits) return pass(held);
          end();
          resolve(leaseOf(held));
        },
        fail(error) {
          end();
          reject(error);
        },
      };
      const timer = clock.timer(WAIT_MS, giveUp);
      signal?.addEventListener('abort', giveUp, { once: true });
      join(waiter);
    });
  }

  /** Not all at once, and not before a lease has ended that ends as soon as that. */
  function later(): number {
    const [soonest, latest] = [clock.now() + SOONEST_MS, clock.now() + LATEST_MS];
    const end = leases.soonestEnd() ?? 0;
    const from = end < latest ? Math.max(end, soonest) : soonest;
    return Math.round(from + entropy.random() * Math.max(latest - from, SOONEST_MS));
  }

  return async (count, holdFor, signal) => {
    const order = ++arrived;
    asking += 1;
    try {
      const held = waiters.length > 0 || signal?.aborted ? undefined : await leases.takeOne(count, holdFor, { blind: true });
      if (held && !signal?.aborted) return leaseOf(held);
      if (held) pass(held);
      return signal?.aborted ? { later: later() } : await wait(order, count, holdFor, signal);
    } finally {
      asking -= 1;
      checkIdle();
    }
  };
}
