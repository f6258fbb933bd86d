/** What the API stands on. */
import type { Clock, PayloadStore, RunStore, WakeQueue } from '../engine/ports.ts';
import type { Registry } from '../engine/workflow.ts';

export type ApiDeps = {
  readonly store: RunStore;
  readonly payloads: PayloadStore;
  readonly wake: WakeQueue;
  readonly registry: Registry;
  /** Its timers must keep the process alive while a request waits. */
  readonly clock: Clock;
  /** A new id, unique for ever: stands for a missing idempotency key. */
  readonly newKey: () => string;
  /** SHA-256 of each valid token, 64 hex digits. */
  readonly tokenHashes: readonly string[];
  /** For logs and metrics. Must not throw. */
  readonly observe?: (event: ApiEvent) => void;
};

export type ApiEvent =
  | { type: 'api.answered'; requestId?: string; method: string; path: string; status: number; code?: string; run?: string; ms: number }
  | { type: 'api.fault'; requestId?: string; method: string; path: string; run?: string; error: unknown };
