/**
 * Admission: the permission to send a call now, and what the whole fleet knows about one API. Two ports: `Admission` is what calls ask,
 * `AdmissionStore` is where the one record of a connection and account is kept. The decisions between them are src/admission.
 */
import type { Json } from './json.ts';
import type { Effect } from './operation.ts';
import type { Page } from './ports.ts';

/** Without an account: the connection's own. */
export type AdmissionKey = { readonly connection: string; readonly account?: string };

/** `requests` in each `per` ms, evenly; after a quiet time `burst` at once, which come on top of them. */
export type Limit = { readonly requests: number; readonly per: number; readonly burst: number };

/** What holds a call up. `unreachable`: the record cannot be read, and the connection's calls wait for it. */
export type Holdup = 'hold' | 'breaker' | 'concurrency' | 'gate' | 'budget' | 'rate' | 'unreachable';

export type Ask = {
  readonly key: AdmissionKey;
  readonly limits: readonly Limit[];
  /** Calls in flight at once over the whole fleet; 0: any number. */
  readonly concurrency: number;
  readonly onError: 'wait' | 'local';
  readonly tenant: string;
  readonly effect: Effect;
  /** How many requests it counts as. */
  readonly weight: number;
  /** Not the first attempt: the retry budget judges it. */
  readonly retry: boolean;
  /** The longest one attempt can take, ms. */
  readonly timeout: number;
  /** It may wait so many ms in process. */
  readonly patience: number;
  /** No place after this is any use, ms since the epoch. */
  readonly until: number;
  /** What an earlier asking gave, maybe in another process. */
  readonly place?: Json | undefined;
  /** Aborted: nobody waits for it any more. */
  readonly signal: AbortSignal;
};

export type Answer =
  | { readonly type: 'go'; readonly permit: Permit }
  /** Not before `at` (ms since the epoch); then it asks again, with `place`. */
  | { readonly type: 'later'; readonly at: number; readonly why: Holdup; readonly place?: Json }
  /** There is no place before `until`. */
  | { readonly type: 'never'; readonly at: number; readonly why: Holdup };

/** `throttled`: the API says not before `until`. Neither that nor a `neutral` outcome counts for the breaker. */
export type Outcome = { readonly type: 'good' | 'bad' | 'neutral' } | { readonly type: 'throttled'; readonly until: number };

export type Permit = {
  /** It is sent to see whether the API is back: failing uses up no attempt, and it asks again with its `place`. */
  readonly isProbe: boolean;
  readonly place: Json | undefined;
  /**
   * Right before sending: `undefined` while what it was given on is recent. Otherwise the record is read again, and the
   * promise resolves with `undefined` (send it) or with when to ask again. What was taken is then given back.
   */
  confirm(): Promise<Extract<Answer, { type: 'later' }> | undefined> | undefined;
  /** What it came to. Once. */
  report(outcome: Outcome): void;
  /** It was not sent: what was taken is given back. */
  drop(): void;
};

export type Admission = {
  /** At once where nothing is to be waited for. Never rejects. */
  ask(ask: Ask): Answer | Promise<Answer>;
  /** Writes down what was reported and not written yet. Never rejects. */
  leave(): Promise<void>;
};

/** Flat, so that one update can count in it: numbers, and short texts. */
export type AdmissionRecord = Readonly<Record<string, number | string>>;

/** Of one attribute. `orAbsent`: it also holds where there is none. */
export type AdmissionCondition =
  | { readonly name: string; readonly is: 'absent' }
  | {
      readonly name: string;
      readonly is: '=' | '<' | '<=' | '>=';
      readonly value: number | string;
      readonly orAbsent?: boolean;
    };

/** One conditional update: all of it, or nothing. No attribute is in two of `set`, `add` and `remove`. */
export type AdmissionChange = {
  readonly set?: Readonly<Record<string, number | string>>;
  /** To what is there, or to 0. */
  readonly add?: Readonly<Record<string, number>>;
  readonly remove?: readonly string[];
  /** All of them. */
  readonly when?: readonly AdmissionCondition[];
};

/** One of a connection's places: who has it, and until when at most. */
export type PlaceLease = { readonly place: number; readonly owner: string; readonly until: number };

export type AdmissionStore = {
  /** May be some milliseconds old. Empty: there is none. */
  read(key: AdmissionKey): Promise<AdmissionRecord>;
  /** The record after the change; if it was not made, what is there instead, read consistently. */
  change(key: AdmissionKey, change: AdmissionChange): Promise<{ readonly ok: boolean; readonly record: AdmissionRecord }>;
  /** Takes a place that is free, or whose lease ended before `now`, or that is `from`'s. False: it is another's. */
  take(key: AdmissionKey, lease: PlaceLease, now: number, from?: string): Promise<boolean>;
  /** Gives it back, if it is still the owner's. */
  give(key: AdmissionKey, place: number, owner: string): Promise<void>;
  /** Those that are taken, read consistently; leases that have ended may be among them. */
  places(key: AdmissionKey): Promise<PlaceLease[]>;
  /** The accounts of a connection that have a record, by `accountOrder`; '' is the connection's own. `after`: the last of the page before. */
  list(connection: string, options: { limit: number; after?: string }): Promise<Page<{ account: string; record: AdmissionRecord }>>;
};

/** What of a connection is deployed code, and not its record. */
export type DeployedConnection = {
  readonly name: string;
  readonly limits: readonly Limit[];
  /** 0: any number. */
  readonly concurrency: number;
  /** Its calls are all made through `.for(account)`, so that its own record stops none of them. */
  readonly perAccount: boolean;
};

/** Whether its calls go: `open`; `slow-start`, slowly; `half-open`, one that tries it out; not, because of what the word says. */
export type StateWord = 'open' | 'slow-start' | 'half-open' | 'gated' | 'broken' | 'held';

/** What a record says to people. Times are ms since the epoch. */
export type ConnectionState = {
  readonly state: StateWord;
  /** The API said: not before. */
  readonly gate?: { readonly until: number };
  readonly hold?: { readonly by: string; readonly why: string; readonly since: number };
  readonly slowStart?: { readonly until: number };
  readonly breaker: {
    readonly state: 'closed' | 'open' | 'half-open';
    /** Of one that is open. */
    readonly until?: number;
    /** How often in a row it has opened. */
    readonly opens: number;
    /** Of one that is half-open: successes so far. */
    readonly good?: number;
    /** Of the last minute. */
    readonly requests: number;
    readonly failures: number;
  };
  /** Of the present window. */
  readonly budget: { readonly retries: number; readonly allowed: number; readonly windowEnds: number };
  readonly rate: readonly RateState[];
};

/** `waiting`: places that are booked and whose time has not come. `nextAt`: of the next one; absent while nobody knows. */
export type RateState = Limit & { readonly waiting: number; readonly nextAt?: number };

export type ShownConnection = ConnectionState & {
  readonly connection: string;
  readonly account?: string;
  readonly perAccount: boolean;
  /** Calls in flight: how many are allowed, and, where it is shown by itself, how many there are. Absent: any number. */
  readonly concurrency?: { readonly allowed: number; readonly inUse?: number };
};

/** What people see of connections, and do to them. Keys are of connections that are deployed: see `names`. */
export type ConnectionDesk = {
  /** Those that are deployed, sorted. */
  readonly names: readonly string[];
  /** Each by its own record. `after`: the last of the page before. */
  list(options: { limit: number; after?: string }): Promise<Page<ShownConnection>>;
  show(key: AdmissionKey): Promise<ShownConnection>;
  /** The accounts that have a record. */
  accounts(connection: string, options: { limit: number; after?: string }): Promise<Page<ShownConnection>>;
  /** Nothing is sent until it is released. Held again: the newest word counts. */
  hold(key: AdmissionKey, word: { by: string; why: string }): Promise<ShownConnection>;
  /** `released` false: nobody held it. */
  release(key: AdmissionKey): Promise<{ released: boolean; connection: ShownConnection }>;
};
