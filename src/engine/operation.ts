/**
 * What an operation is to the engine: a thing with an identity and an effect class that can be attempted.
 * Calls, steps and sleeps are operations; a new kind is a new maker of these objects and nothing else.
 */
import type { ErrorData } from './errors.ts';
import type { Entry } from './journal.ts';
import type { Json } from './json.ts';
import type { Clock, Entropy, PayloadStore } from './ports.ts';

/**
 * What it may change outside (RFC 9110, section 9.2).
 * `safe`: made again freely. `idempotent`, `keyed`: START durable first, made again after a crash.
 * `unsafe`: START durable first, never made again by itself once it may have been sent.
 */
export type Effect = 'safe' | 'idempotent' | 'keyed' | 'unsafe';

export type Operation = {
  /** `call`, `step`, `sleep`: shown to people, part of no decision. */
  readonly kind: string;
  /** Everything that makes it this operation, arguments included; the engine adds the scope and the ordinal among equals. */
  readonly identity: string;
  /** What an idempotency key is derived from: the identity without query and body. Default: `identity`. */
  readonly keyIdentity?: string;
  /** For people: `GET crm /companies/acme`. */
  readonly label: string;
  /** What it goes to, for metrics: a connection's name. */
  readonly target?: string;
  readonly effect: Effect;
  /** Hash of the body, kept in START of keyed operations: another one on a later attempt is a divergence. */
  readonly bodyHash?: string;
  /** Keyed: a START older than this many milliseconds is not sent again but is unknown. */
  readonly keyTtl?: number;
  /** The longest one attempt can take, ms: none starts unless the invocation has that much time left and a reserve. */
  readonly timeout: number;
  /** User code's own. An abort is the operation's outcome, delivered like any other: nothing reaches user code out of band. */
  readonly signal?: AbortSignal;
  /**
   * Whether it may be sent now: asked before every attempt, before anything is spent on it or written down. May take some seconds;
   * ends early when `env.signal` aborts. Absent: it always may.
   */
  admit?(env: AttemptEnv): Admitted | Promise<Admitted>;
  /** One try. Must not reject: what it throws is a fault of its own and fails the operation. */
  attempt(env: AttemptEnv): Promise<Verdict | Live>;
  /** Asked when an unsafe operation may have happened; absent: `pause`. */
  unknown?(env: AttemptEnv): Promise<Verdict>;
  /**
   * Fetches what a result needs that is kept elsewhere, or opens what is sealed. Asked right before the result's delivery, now and on
   * every replay, so that user code finds it without waiting; `undefined` where there is nothing to do. Rejects with `E_PAYLOAD_MISSING`,
   * `E_SEALED` or `E_SECRET_MISSING` when a person must act (the run pauses), with anything else when it cannot be had now (the run is
   * handed back and tried again).
   */
  load?(value: string, env: LoadEnv): Promise<void> | undefined;
  /** The journal's text of an outcome that a person tells, which was checked where it was told. Default: its JSON. */
  adopt?(given: Json): string;
  /** The error that user code sees, from its data. Default: a HoldfastError. */
  revive?(error: ErrorData, value: string | undefined): Error;
};

export type Admitted =
  /** It may. `drop`: it is not sent after all. Called at most once, and never once an attempt has begun. */
  | { readonly type: 'go'; drop(): void }
  /** Not before `at` (ms since the epoch); then it is asked again, maybe in another process, with `place`. Uses up nothing. `why`: for people, one word. */
  | { readonly type: 'later'; readonly at: number; readonly why: string; readonly place?: Json }
  /** Never. */
  | { readonly type: 'fail'; readonly error: ErrorData };

/** What an attempt may know. The same shape serves calls made outside a run, where `run` is absent. */
export type AttemptEnv = {
  readonly run?: { readonly id: string; readonly tenant: string; readonly workflow: string; readonly traceparent?: string };
  /** The operation's id within the run: short, stable over replays; the journal's `op`. */
  readonly op: string;
  /** Material of the idempotency key: run, key identity, scope, ordinal among equals, and epoch. Stable over attempts, crashes and redrives, but for those "as new". */
  readonly keyMaterial: string;
  /** 1 for the first; counts only attempts that consumed one. */
  readonly attempt: number;
  /** Another worker began to send it, and nobody knows how that ended. */
  readonly interrupted?: boolean;
  /** Throttled answers so far. */
  readonly throttles: number;
  /** When it was issued first; retry deadlines count from here. Milliseconds since the epoch. */
  readonly issuedAt: number;
  /** When its first START was written, if there is one. */
  readonly firstSentAt?: number;
  /** What it was given when it was last asked whether it may be sent, if it was put off then. Forgotten once it was sent. */
  readonly place?: Json;
  /** Retries made within this delivery so far: at most 2 are made in process. */
  readonly quickRetries: number;
  /** Milliseconds left in this invocation for waiting and working; Infinity outside Lambda. */
  readonly remaining: number;
  /** Where what is too large for the journal goes: the run's own, under `runs/<id>/`. Absent where `run` is. */
  readonly payloads?: PayloadStore;
  /** Aborted when the run's context closes, or user code gives it up; never for what must not be broken off. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly entropy: Entropy;
  /** What the composition root gave for the makers of operations, by name (`http`). */
  readonly services: Readonly<Record<string, unknown>>;
};

/**
 * It is answered, and the answer is still coming. User code is given what there is of it; the journal gets all of it as one result
 * when it has ended. Until then nothing else is delivered, and no effect may be issued (docs/decisions/0033-streams.md).
 */
export type Live = { readonly type: 'live'; readonly reply: LiveReply };

export type LiveReply = {
  /** What `issue` resolves with now; on a replay it resolves with all of it. */
  readonly head: string;
  /**
   * Calls back in the very turn in which nothing more comes; at once, if it is over. `whole`: what user code was given of it.
   * `instead`: what it comes to if user code was given nothing yet.
   */
  onEnd(fn: (whole: Extract<Verdict, { type: 'done' }>, instead: Verdict) => void): void;
  /** Its end is journaled: user code may see it. */
  release(): void;
  /** No more of it is wanted. With an error, that is how it ends. */
  cut(error?: ErrorData): void;
  /** The context is closed: nothing more is given to user code. */
  mute(): void;
};

/** What making a journaled value ready may know. */
export type LoadEnv = Pick<AttemptEnv, 'run' | 'op' | 'services' | 'payloads'>;

/** What a service may have in common with others. */
export type Service = {
  /** Before a run goes on from this journal: fetches what its values need to be made ready. Must not reject. */
  ready?(journal: readonly Entry[]): Promise<void>;
};

/** What one attempt led to. `record` goes into the journal as it is. */
export type Verdict =
  /** `value`: the JSON text that the journal keeps and `issue` resolves with, now and on every replay. */
  | { type: 'done'; value: string | undefined; record?: Json }
  /** Final. */
  | { type: 'fail'; error: ErrorData; value?: string; record?: Json }
  /** Not before `at` (ms since the epoch). The attempt is known to have had no effect, or the operation is not `unsafe`. */
  | {
      type: 'again';
      at: number;
      counts: 'attempt' | 'throttle' | 'nothing';
      error: ErrorData;
      record?: Json;
      /** It was held up at the last moment, by this, and nothing was sent: as when `admit` answers `later`. */
      why?: string;
      place?: Json;
    }
  /** Sent, and nobody knows. Only for `unsafe`, or `keyed` past its `keyTtl`. */
  | { type: 'unknown'; error: ErrorData; record?: Json }
  /** From `unknown()` alone: it did not happen; send it as new, not before `at` (ms since the epoch). Uses up an attempt. */
  | { type: 'resend'; at?: number; record?: Json }
  /** A person must act (a secret is missing, an unknown must be settled); tried again when the run is resumed. */
  | { type: 'pause'; error: ErrorData; record?: Json };
