/** What the API stands on. */
import type { StartQueue, Uploads } from '../batch/ports.ts';
import type { ConnectionDesk } from '../engine/admission-ports.ts';
import type { CredentialKey, CredentialStore, Grant } from '../engine/credential-ports.ts';
import type { Clock, Entropy, PayloadRemoval, PayloadStore, RunStore, TokenStore, WakeQueue } from '../engine/ports.ts';
import type { Registry } from '../engine/workflow.ts';

export type ApiDeps = {
  readonly store: RunStore;
  readonly payloads: PayloadStore & PayloadRemoval;
  readonly wake: WakeQueue;
  /** Where the runs of a batch are started. */
  readonly starts: StartQueue;
  readonly uploads: Uploads;
  readonly registry: Registry;
  /** Its timers must keep the process alive while a request waits. */
  readonly clock: Clock;
  readonly entropy: Entropy;
  /** A new id, unique for ever: stands for a missing idempotency key. */
  readonly newKey: () => string;
  /** SHA-256 of each token of the configuration, 64 hex digits: for everything. */
  readonly tokenHashes: readonly string[];
  /** All other tokens. */
  readonly tokens: Pick<TokenStore, 'find'>;
  /** Those that are deployed. */
  readonly connections: ConnectionDesk;
  /** Of accounts. What is stored is sealed first. */
  readonly credentials: CredentialStore & { seal(key: CredentialKey, grant: Grant): Promise<string> };
  /** A wake that could not be sent: it comes late, by the sweeper. Must not throw. */
  readonly onWakeFailed?: (run: string, error: unknown) => void;
  /** What is deployed. */
  readonly version?: string;
  /** For logs and metrics. Must not throw. */
  readonly observe?: (event: ApiEvent) => void;
};

export type ApiEvent =
  | { type: 'api.answered'; requestId?: string; method: string; path: string; status: number; code?: string; run?: string; ms: number }
  /** Nothing but the log keeps who released a connection, and why. */
  | { type: 'api.operated'; requestId?: string; what: 'hold' | 'release'; connection: string; account?: string; by: string; why?: string }
  | { type: 'api.fault'; requestId?: string; method: string; path: string; run?: string; error: unknown };
