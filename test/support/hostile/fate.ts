/**
 * What a hostile server does to one request, as data, and what a good client owes in return. A fate is a pure function of seed,
 * call and attempt, so whoever checks can work out what must have happened. Names the rows by the words of the design, not by the code.
 */
import { seededEntropy } from '../../../src/testing/index.ts';

export type Safety = 'safe' | 'idempotent' | 'keyed' | 'unsafe';
export type Act = 'done' | 'retry' | 'wait' | 'fail' | 'unknown' | 'refresh';

export type Owed = {
  row: string;
  act: Act;
  /** Retries of such an end at most. Default: as many as the call has attempts. */
  retries?: number;
  /** Milliseconds from this answer on before which nothing may be sent. */
  hint?: number;
  /** Not a byte of an answer: on a socket that was used before it is sent again, free of charge. */
  unanswered?: true;
  /** The next attempt has a socket of its own. */
  fresh?: true;
  truncated?: true;
  /** Where the kernel decides what the client sees first: rows that are right as well, with what follows for unsafe calls. */
  or?: { row: string; unsafe: Act };
};

export type Step =
  | { send: string | Buffer }
  /** Milliseconds of the server's clock. */
  | { wait: number }
  | { pour: Buffer; times: number }
  | { drip: Buffer; every: number; times: number }
  | { close: 'fin' | 'reset' }
  /** Nothing more, and the socket stays open. */
  | { silence: true }
  /** The socket stays open for another request, and is closed on that. */
  | { door: 'fin' | 'reset' };

export type Context = {
  /** Of the client's clock, which the server knows and does not show. */
  now: number;
  /** By how much the server's own clock is wrong, ms. */
  skew: number;
  method: string;
  body: string;
};

export type Fate = {
  name: string;
  owes: (safety: Safety) => Owed;
} & (
  | { at: 'dns'; how: 'ENOTFOUND' | 'EAI_AGAIN' | 'refused' | 'private' | 'rebinding' }
  | { at: 'accept'; how: 'fin' | 'reset' }
  | { at: 'tls'; how: 'expired' | 'early' | 'stranger' | 'wrong-host' | 'reset' | 'garbage' | 'silence' }
  | {
      at: 'http';
      /** Met when the head is there; default: when all of the request is. */
      on?: 'head';
      /** What was asked for happens before the answer. */
      effect: boolean;
      /** The credential is changed before the answer. */
      rotates?: true;
      answer: (context: Context) => readonly Step[];
    }
);

/** Chance of a place: the same for the same names. */
export type Dice = {
  random(): number;
  /** A whole number from `low` to `high`, both included. */
  whole(low: number, high: number): number;
  pick<T>(list: readonly T[]): T;
};

export function diceOf(...place: ReadonlyArray<string | number>): Dice {
  let state = 0x811c9dc5;
  for (const char of place.join('|')) state = Math.imul(state ^ char.charCodeAt(0), 0x01000193);
  const { random } = seededEntropy(state);
  const whole = (low: number, high: number) => low + Math.floor(random() * (high - low + 1));
  // The first of similar seeds are similar.
  random();
  return { random, whole, pick: <T>(list: readonly T[]) => list[whole(0, list.length - 1)] as T };
}

/** What an effect class makes of a row that means "it may have happened". */
export const unlessUnsafe = (safety: Safety): Act => (safety === 'unsafe' ? 'unknown' : 'retry');
