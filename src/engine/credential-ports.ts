/**
 * Where credentials are kept that are not the deployment's own secrets: those of accounts, and the tokens that were got with them.
 * Texts are sealed before they come here; whoever has the store alone reads none of them.
 */
import type { Page } from './ports.ts';

/** Without an account: the connection's own. */
export type CredentialKey = { readonly connection: string; readonly account?: string };

/** What is inside `sealed`, as JSON. Of each only what its kind has. */
export type Grant = {
  readonly token?: string;
  readonly username?: string;
  readonly password?: string;
  readonly accessToken?: string;
  readonly refreshToken?: string;
  /** What belongs to the account and is no secret: its shop, its instance. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** A keyed fingerprint of the secret that the first refresh token came from. */
  readonly seed?: string;
};

/** What it is bound to when it is sealed: what was sealed for one account opens for no other. */
export function credentialPurpose({ connection, account }: CredentialKey): string {
  return `credential ${JSON.stringify([connection, account ?? null])}`;
}

/** `none`: it was removed, or there has never been one. `revoked`: the provider has said so. */
export type CredentialStatus = 'ok' | 'revoked' | 'none';

/** Times are milliseconds since the epoch. */
export type StoredCredential = {
  /** Raised by every change of what is sealed. */
  readonly version: number;
  readonly status: CredentialStatus;
  readonly sealed?: string;
  readonly updatedAt: number;
  /** When the access token ends; absent: nobody knows. */
  readonly validUntil?: number;
  /** When a token was last replaced because an API had refused it. */
  readonly forcedAt?: number;
};

/** What a change puts in place of what is there. */
export type CredentialChange = Omit<StoredCredential, 'version'>;

export type AccountSummary = {
  readonly account: string;
  readonly version: number;
  readonly status: CredentialStatus;
  readonly updatedAt?: number;
  readonly validUntil?: number;
  /** Runs that wait for a credential; at most `MAX_WAITING` are counted. */
  readonly waiting: number;
};

export const MAX_WAITING = 1_000;

/** By it accounts are sorted. What belongs to an account begins with it, and with no other's. */
export function accountOrder(account: string): string {
  return `${account.replace(/[%#]/g, encodeURIComponent)}#`;
}

/** All reads are consistent. */
export type CredentialStore = {
  get(key: CredentialKey): Promise<StoredCredential | undefined>;
  /** Whatever is there: for people. The new version. A lease that somebody holds is over. */
  put(key: CredentialKey, change: CredentialChange): Promise<number>;
  /** If the version is still `expect` (0: nothing is there). Ends the lease. False: it has moved. */
  replace(key: CredentialKey, expect: number, change: CredentialChange): Promise<boolean>;
  /**
   * Only its holder gets a new token. Taken if the version is still `expect` and no other's lease has time left at `now`.
   * `moved`: there is another version; `taken`: somebody is at it.
   */
  lease(key: CredentialKey, expect: number, lease: { owner: string; until: number; now: number }): Promise<'held' | 'taken' | 'moved'>;
  /** Lets the lease end at `until`, if it is still the owner's. */
  release(key: CredentialKey, owner: string, until: number): Promise<void>;
  /** False: there was none. */
  remove(key: CredentialKey, now: number): Promise<boolean>;
  /** The accounts of a connection that have a credential or are waited for, by `accountOrder`. `after`: the last of the page before. */
  list(connection: string, options: { limit: number; after?: string }): Promise<Page<AccountSummary>>;
  /** Notes a run that waits for the credential. Idempotent. */
  wait(key: CredentialKey, run: string): Promise<void>;
  /** Runs that wait, at most `MAX_WAITING`. */
  waiters(key: CredentialKey): Promise<string[]>;
  /** They wait no longer. */
  unwait(key: CredentialKey, runs: readonly string[]): Promise<void>;
};
