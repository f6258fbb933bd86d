/**
 * What the engine needs of the outside world, and nothing else: stores, queues, time, chance, observation.
 * Each port has an in-memory implementation (src/testing) held to the same contract suite as the real one (src/aws).
 */
import type { ErrorData } from './errors.ts';
import type { Json } from './json.ts';
import type { Effect } from './operation.ts';

/** Final: succeeded, failed, cancelled. `paused` waits for a person, `waiting` for a time or the inbox. */
export type RunStatus = 'queued' | 'running' | 'waiting' | 'paused' | 'succeeded' | 'failed' | 'cancelled';

/** A JSON text, in place or by reference to the payload store. */
export type Payload = { text: string } | { ref: string; bytes: number };

export type Outcome = { value: Payload } | { error: ErrorData };

/** The `RUN` item. Optional fields are absent, never null. All times are milliseconds since the epoch. */
export type RunRecord = {
  id: string;
  tenant: string;
  workflow: string;
  version: number;
  /** Version of the engine's own behaviour this run began with. */
  engine: number;
  key: string;
  status: RunStatus;
  /** Raised by a redrive alone. */
  incarnation: number;
  /** New with every write of this item: what makes one lineage. */
  nonce: string;
  createdAt: number;
  /** First worked on. */
  startedAt?: number;
  endedAt?: number;
  lease?: { owner: string; until: number };
  /** Crashes in a row. */
  crashes: number;
  /** Wake-ups in a row that made no progress. */
  idleWakes?: number;
  /** Raised by everybody who put something into the inbox. */
  inbox: number;
  /** `inbox` as it was when the run was parked. */
  inboxSeen?: number;
  wakeAt?: number;
  /** When the sweeper looks at it: present in every unfinished run. */
  due?: number;
  input: Payload;
  /** Of workflow and input: a second start with the same key and another fingerprint is refused. */
  fingerprint: string;
  /** From then on the journal's further entries are segments. */
  spilled: boolean;
  /** How many journal entries are in `journal`; segments go on from there. */
  journalLength: number;
  /** The inline part of the journal, encoded by journal.ts. */
  journal?: Uint8Array;
  outcome?: Outcome;
  /** Why it is paused. */
  reason?: ErrorData;
  traceparent?: string;
  /** A tombstone: the run was deleted, and its key still binds. Nothing but identity, status and times is left. */
  deletedAt?: number;
};

/** Someone wrote to the inbox of a run that does not exist yet. */
export type Stub = { id: string; stub: true; inbox: number };

/** `life`: `createdAt` of its run; what an earlier run with the same key left behind is of another life. */
export type Segment = { incarnation: number; life: number; first: number; count: number; nonce: string; data: Uint8Array };

export type InboxItem = { key: string; at: number; kind: string; data: Json };

/** A write that did not happen: what is there instead (`undefined`: nothing), read consistently. */
export type Written = { ok: true } | { ok: false; found: RunRecord | Stub | undefined };

export type RunSummary = Pick<RunRecord, 'id' | 'tenant' | 'workflow' | 'version' | 'status' | 'createdAt'> &
  Partial<Pick<RunRecord, 'startedAt' | 'endedAt' | 'wakeAt' | 'reason'>>;

export type RunFilter = { workflow?: string; status?: RunStatus; tenant?: string };

/** `code`: of the reason. */
export type DeadLetterFilter = { code?: string; workflow?: string; tenant?: string };

export type Page<T> = { items: T[]; next?: string };

export type DeadLetter = {
  id: string;
  body: string;
  reason: ErrorData;
  firstSeen: number;
  tenant?: string;
  workflow?: string;
};

export type RunStore = {
  /** Consistent reads, with what the service left unprocessed retried. Unknown ids are absent from the answer. */
  load(ids: readonly string[]): Promise<Map<string, RunRecord | Stub>>;
  /** All segments of a run's incarnation in order of `first`, read consistently; none of another life. */
  segments(run: Pick<RunRecord, 'id' | 'incarnation' | 'createdAt'>): Promise<Segment[]>;
  inbox(id: string): Promise<InboxItem[]>;
  /**
   * Puts a run that does not exist (a stub counts as that), if the inbox counter is still `record.inbox`.
   * `found` tells a conflict; the same nonce there means that a lost answer had succeeded.
   */
  create(record: RunRecord): Promise<Written>;
  /**
   * Replaces the whole item if its nonce is still `expect` and, unless `anyInbox`, its inbox counter still `record.inbox`;
   * with `anyInbox` the stored counter is kept.
   */
  replace(record: RunRecord, expect: string, options?: { anyInbox?: boolean }): Promise<Written>;
  /** Puts a segment where there is none of the same life. `found` is the one that is there. */
  append(id: string, segment: Segment): Promise<{ ok: true } | { ok: false; found: Segment }>;
  /** Puts the item (idempotent by key), then raises the counter, with `due = now` if the run is unfinished; makes a stub if there is no run. */
  deliver(id: string, item: InboxItem, now: number): Promise<RunRecord | Stub>;
  /** Unfinished runs whose `due` lies before `until`: hints, eventually consistent, at most `limit` a shard. */
  due(until: number, limit: number): Promise<Array<{ id: string; due: number }>>;
  /** Moves `due` if it is still `from`. False: something else moved it. */
  pushDue(id: string, from: number, to: number): Promise<boolean>;
  /** Newest first, bounded pages. */
  list(filter: RunFilter, options: { limit: number; after?: string; now: number }): Promise<Page<RunSummary>>;
  /** Idempotent by id; `firstSeen` of the first stays. */
  putDeadLetter(letter: DeadLetter): Promise<void>;
  /** Newest first, bounded pages: with a filter a page may hold fewer than `limit`, even none, and still have a next one. */
  listDeadLetters(options: { limit: number; after?: string; filter?: DeadLetterFilter }): Promise<Page<DeadLetter>>;
  /** Consistent reads; unknown ids are absent from the answer. */
  deadLetters(ids: readonly string[]): Promise<DeadLetter[]>;
  /** False: it was not there. */
  removeDeadLetter(id: string): Promise<boolean>;
  /**
   * Makes a tombstone of a finished run if its nonce is still `expect`, under a new one, then removes its journal and inbox.
   * Repeating it on the tombstone removes what an interrupted purge left. False: the nonce has moved.
   */
  purge(id: string, expect: string, tombstone: { nonce: string; now: number }): Promise<boolean>;
};

/** What moves runs needs no more of it than this; the rest is for people, who look for runs and throw them away. */
export type WorkStore = Omit<RunStore, 'list' | 'listDeadLetters' | 'deadLetters' | 'removeDeadLetter' | 'purge'>;

export type PayloadStore = {
  /** Idempotent: the key names the content. When it resolves the data is the caller's again, who may write over it. */
  put(key: string, data: Uint8Array): Promise<void>;
  /** Throws `E_PAYLOAD_MISSING` when it is not there. */
  get(key: string): Promise<Uint8Array>;
};

/** Nothing that moves runs removes anything: that is for people. */
export type PayloadRemoval = {
  /** Removes everything whose key begins with `prefix`, which must end in `/`. */
  removeAll(prefix: string): Promise<void>;
};

/** What a token lets its bearer do: look, start runs, or operate on them (cancel, redrive, settle, delete, …). */
export type TokenScope = 'read' | 'start' | 'operate';

/** What is kept of an API token: never the token itself. */
export type Token = {
  /** SHA-256 of the token, 64 lower-case hex digits. */
  hash: string;
  /** For people. */
  name: string;
  scopes: readonly TokenScope[];
  /** Its bearer sees and starts runs of this tenant alone. Absent: of all. */
  tenant?: string;
  /** Milliseconds since the epoch. */
  createdAt: number;
  expiresAt?: number;
};

export type TokenStore = {
  /** `undefined` for an unknown hash; what has expired may still be found. */
  find(hash: string): Promise<Token | undefined>;
  list(): Promise<Token[]>;
  /** Throws when the hash is there already. */
  put(token: Token): Promise<void>;
  /** False: it was not there. */
  remove(hash: string): Promise<boolean>;
};

export type WakeMessage = { run: string; traceparent?: string };

export type WakeQueue = {
  /** At most 10 are sent as one request. Delays over 900 s are the caller's mistake. Resolves when the queue has them. */
  wake(messages: ReadonlyArray<WakeMessage & { tenant: string; delayMs?: number }>): Promise<void>;
};

export type SecretSource = {
  /** `fresh`: past any cache. Throws `E_SECRET_MISSING` with the name. */
  get(name: string, options?: { fresh?: boolean }): Promise<string>;
};

export type Timer = { cancel(): void };

export type Clock = {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls `fn` once after at least `ms`. Does not keep the process alive. */
  timer(ms: number, fn: () => void): Timer;
};

/** The only source of chance. */
export type Entropy = {
  /** A new unguessable id. */
  id(): string;
  /** Uniform in [0, 1). */
  random(): number;
};

/** What happened, for logs and metrics. Must not throw. */
export type Observer = (event: EngineEvent) => void;

export type EngineEvent =
  | { type: 'run.started' | 'run.resumed'; run: string; workflow: string; traceparent?: string }
  | { type: 'run.parked'; run: string; workflow: string; wakeAt?: number }
  | { type: 'run.paused'; run: string; workflow: string; reason: ErrorData }
  | { type: 'run.ended'; run: string; workflow: string; status: RunStatus; error?: ErrorData; ms: number }
  | { type: 'run.lost'; run: string; workflow: string; why: string }
  | { type: 'run.stalled'; run: string; workflow: string; awaiting: string[] }
  | { type: 'run.written'; run: string; workflow: string; what: 'create' | 'claim' | 'flush' | 'spill' | 'segment' | 'park' | 'finish' }
  | {
      type: 'call.attempt';
      run: string;
      workflow: string;
      /** The operation's id. */
      call: string;
      /** Its label. */
      operation: string;
      kind: string;
      effect: Effect;
      /** What it goes to: a connection's name. */
      target?: string;
      attempt: number;
      outcome: string;
      /** Milliseconds since the epoch. */
      startedAt: number;
      record: Json;
    }
  /** It was not sent, because it was not its turn, and its run is parked until then (ms since the epoch). `why`: what held it up. */
  | {
      type: 'call.deferred';
      run: string;
      workflow: string;
      call: string;
      operation: string;
      target?: string;
      why: string;
      until: number;
    }
  /** A batch of messages is done with. `runs`: how many runs they were for; `kept`: messages that must come again. */
  | { type: 'batch.handled'; messages: number; runs: number; kept: number; ms: number }
  | { type: 'log'; run: string; workflow: string; level: 'debug' | 'info' | 'warn' | 'error'; message: string; data?: Json }
  | { type: 'message.refused'; reason: ErrorData }
  | { type: 'engine.error'; run?: string; error: ErrorData };
