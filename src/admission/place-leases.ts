/**
 * The places of one connection and account that this process has: each is taken, handed on and given back by one write. Every lease has
 * an owner of its own, so that what ended long ago cannot give back what another call has now. Knows nobody who waits.
 */
import type { AdmissionKey, AdmissionStore, PlaceLease } from '../engine/admission-ports.ts';
import type { Clock, Entropy } from '../engine/ports.ts';
import { SKEW_MS } from './record.ts';

/** `since`: when this process took it, whichever of its calls has it now. */
export type Held = PlaceLease & { readonly since: number };

export type LeasePorts = {
  readonly store: AdmissionStore;
  readonly clock: Clock;
  readonly entropy: Entropy;
  /** A new one for every lease. */
  newOwner(): string;
  /** Told of every write that nobody waits for. */
  track(write: Promise<unknown>): void;
};

/** A lease outlasts what it is for by this: the answer may be that late, and another's clock that far ahead. */
const SLACK_MS = 1_000;
const LATEST_ANSWER_MS = SLACK_MS - SKEW_MS;

export function placeLeases(key: AdmissionKey, { store, clock, entropy, newOwner, track }: LeasePorts) {
  const mine = new Map<number, Held>();
  /** Being given back: who was the owner. */
  const leaving = new Map<number, string>();
  /** As they were when it was last looked. */
  let seen: readonly PlaceLease[] = [];

  const lives = (lease: PlaceLease | undefined): lease is PlaceLease => lease !== undefined && lease.until > clock.now();

  async function put(place: number, holdFor: number, from?: Held): Promise<Held | undefined> {
    const asked = clock.now();
    const lease = { place, owner: newOwner(), until: asked + holdFor + SLACK_MS };
    const held = { ...lease, since: from?.since ?? asked };
    // Before the answer: no other call of this process is to want the same.
    mine.set(place, held);
    try {
      if (!(await store.take(key, lease, asked, from?.owner ?? leaving.get(place)))) {
        forget(held);
        return undefined;
      }
    } catch (error) {
      // It may have been taken all the same, or be the other's still.
      giveBack(held);
      if (from) giveBack(from);
      throw error;
    }
    if (clock.now() - asked <= LATEST_ANSWER_MS) return held;
    giveBack(held);
    return undefined;
  }

  function forget(held: Held): void {
    if (mine.get(held.place) === held) mine.delete(held.place);
  }

  /** Failing is harmless: then it ends by itself. */
  function giveBack(held: Held): void {
    const { place, owner } = held;
    forget(held);
    leaving.set(place, owner);
    const gone = () => void (leaving.get(place) === owner && leaving.delete(place));
    track(store.give(key, place, owner).then(gone, gone));
  }

  return {
    giveBack,

    /** By one write, for another call of this process. `undefined`: it had ended, and is another's. */
    handOver: (held: Held, holdFor: number): Promise<Held | undefined> => put(held.place, holdFor, held),

    /** One of the first `count`. `blind`: a random one first, without a look; where few are taken that is one request. */
    async takeOne(count: number, holdFor: number, { blind }: { blind: boolean }): Promise<Held | undefined> {
      const open = () => Array.from({ length: count }, (_, place) => place).filter((place) => !lives(mine.get(place)));
      const some = open();
      if (some.length === 0) return undefined;
      const first = blind ? await put(some[Math.floor(entropy.random() * some.length)] as number, holdFor) : undefined;
      if (first) return first;
      seen = await store.places(key);
      const taken = new Set(seen.filter((one) => lives(one) && one.owner !== leaving.get(one.place)).map(({ place }) => place));
      const free = open().filter((place) => !taken.has(place));
      while (free.length > 0) {
        const [place] = free.splice(Math.floor(entropy.random() * free.length), 1) as [number];
        const held = lives(mine.get(place)) ? undefined : await put(place, holdFor);
        if (held) return held;
      }
      return undefined;
    },

    /** When the first of those that are known to be taken ends, ms since the epoch. */
    soonestEnd(): number | undefined {
      const ends = [...mine.values(), ...seen].filter(lives).map(({ until }) => until);
      return ends.length === 0 ? undefined : Math.min(...ends);
    },

    isIdle: (): boolean => leaving.size === 0 && ![...mine.values()].some(lives),
  };
}
