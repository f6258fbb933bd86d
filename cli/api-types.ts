/** What the commands read of the API's answers. Fields that no command looks at are not named. */

export type RunStatus = 'queued' | 'running' | 'waiting' | 'paused' | 'succeeded' | 'failed' | 'cancelled';

export const STATUSES: readonly RunStatus[] = ['queued', 'running', 'waiting', 'paused', 'succeeded', 'failed', 'cancelled'];

export type ErrorView = { code: string; message: string; name?: string; detail?: Record<string, unknown> };

export type RunItem = {
  id: string;
  workflow: string;
  version: number;
  status: RunStatus;
  tenant: string;
  createdAt: string;
  startedAt?: string;
  endedAt?: string;
  wakeAt?: string;
  reason?: ErrorView;
};

export type Run = RunItem & { idempotencyKey: string; crashes: number; input: unknown; result?: unknown; error?: ErrorView };

/** Of a call: what src/http records. Of a step: `outcome`. Of a reconciliation: `row` alone. */
export type AttemptView = {
  n?: number;
  row?: string;
  class?: string;
  outcome?: string;
  status?: number;
  why?: string;
  ms?: number | { total: number; dns?: number; connect?: number; tls?: number; firstByte?: number };
  hops?: Array<{ status: number; to: string }>;
  hint?: { source: string; delay: number };
  ignored?: string[];
  resent?: boolean;
  next?: number;
  over?: string;
  /** So many attempts, counted and not told; `rows` says what came of them, `from` and `to` when (ms since the epoch). */
  rolledUp?: number;
  rows?: Record<string, number>;
  from?: number;
  to?: number;
};

export type JournalItem = {
  seq: number;
  type: 'start' | 'retry' | 'unknown' | 'unsent' | 'done' | 'fail' | 'settled' | 'cancel' | 'redrive' | 'park' | 'end';
  at: string;
  call?: string;
  label?: string;
  effect?: string;
  sending?: number;
  next?: string;
  issuedAt?: string;
  error?: ErrorView;
  value?: unknown;
  truncated?: boolean;
  bytes?: number;
  attempts?: AttemptView[];
  wakeAt?: string;
  status?: string;
  /** Of a `cancel`: what was cancelled. Of a `redrive`: what had failed, and is made again. */
  calls?: string[];
  from?: number;
  /** Of a redrive: the calls with another idempotency key. */
  asNew?: string[];
  by?: string;
  why?: string;
};

export type DeadLetterItem = {
  id: string;
  firstSeen: string;
  reason: ErrorView;
  tenant?: string;
  workflow?: string;
  body: string;
  bytes: number;
};

export type ConnectionItem = {
  connection: string;
  account?: string;
  perAccount: boolean;
  state: 'open' | 'slow-start' | 'half-open' | 'gated' | 'broken' | 'held';
  gate?: { until: string };
  hold?: { by: string; why: string; since: string };
  slowStart?: { until: string };
  breaker: { state: string; until?: string; opens: number; good?: number; requests: number; failures: number };
  budget: { retries: number; allowed: number; windowEnds: string };
  rate: Array<{ requests: number; per: number; burst: number; waiting: number; nextAt?: string }>;
  concurrency?: { allowed: number; inUse?: number };
};

export type Page<T> = { items: T[]; next?: string };

export const ENDED: ReadonlySet<string> = new Set(['succeeded', 'failed', 'cancelled']);
