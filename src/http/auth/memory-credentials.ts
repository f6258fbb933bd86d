/** Credentials in a map: for calls outside any run, and for tests. What it keeps goes with the process. */
import {
  type AccountSummary,
  accountOrder,
  type CredentialKey,
  type CredentialStore,
  MAX_WAITING,
  type StoredCredential,
} from '../../engine/credential-ports.ts';

type Lease = { owner: string; until: number };
type Kept = { key: CredentialKey; stored?: StoredCredential; lease?: Lease; waiting: Set<string> };

export function memoryCredentials(): CredentialStore {
  const all = new Map<string, Kept>();
  const idOf = ({ connection, account }: CredentialKey) => JSON.stringify([connection, account ?? null]);
  const at = (key: CredentialKey): Kept => {
    let kept = all.get(idOf(key));
    if (!kept) {
      kept = { key, waiting: new Set() };
      all.set(idOf(key), kept);
    }
    return kept;
  };
  const versionOf = (key: CredentialKey) => all.get(idOf(key))?.stored?.version ?? 0;
  const put: CredentialStore['put'] = async (key, change) => {
    const kept = at(key);
    const version = versionOf(key) + 1;
    kept.stored = { ...change, version };
    delete kept.lease;
    return version;
  };

  return {
    get: async (key) => {
      const stored = all.get(idOf(key))?.stored;
      return stored && { ...stored };
    },
    put,
    async replace(key, expect, change) {
      if (versionOf(key) !== expect) return false;
      await put(key, change);
      return true;
    },
    async lease(key, expect, { owner, until, now }) {
      if (versionOf(key) !== expect) return 'moved';
      const kept = at(key);
      if (kept.lease && kept.lease.until > now && kept.lease.owner !== owner) return 'taken';
      kept.lease = { owner, until };
      return 'held';
    },
    async release(key, owner, until) {
      const kept = all.get(idOf(key));
      if (kept?.lease?.owner === owner) kept.lease = { owner, until };
    },
    async remove(key, now) {
      const stored = all.get(idOf(key))?.stored;
      if (!stored || stored.status === 'none') return false;
      await put(key, { status: 'none', updatedAt: now });
      return true;
    },
    async list(connection, { limit, after }) {
      const items: AccountSummary[] = [...all.values()]
        .filter(({ key, stored, waiting }) => {
          const isKnown = (stored !== undefined && stored.status !== 'none') || waiting.size > 0;
          return key.connection === connection && key.account !== undefined && isKnown;
        })
        .map(({ key, stored, waiting }) => ({
          account: key.account as string,
          version: stored?.version ?? 0,
          status: stored?.status ?? 'none',
          ...(stored === undefined ? {} : { updatedAt: stored.updatedAt }),
          ...(stored?.validUntil === undefined ? {} : { validUntil: stored.validUntil }),
          waiting: Math.min(MAX_WAITING, waiting.size),
        }))
        .filter(({ account }) => after === undefined || byBytes(account, after) > 0)
        .sort((a, b) => byBytes(a.account, b.account));
      const page = items.slice(0, limit);
      return { items: page, ...(items.length > limit ? { next: page.at(-1)?.account as string } : {}) };
    },
    wait: async (key, run) => void at(key).waiting.add(run),
    waiters: async (key) => [...(all.get(idOf(key))?.waiting ?? [])].sort().slice(0, MAX_WAITING),
    async unwait(key, runs) {
      for (const run of runs) all.get(idOf(key))?.waiting.delete(run);
    },
  };
}

/** The order that DynamoDB sorts texts in. */
const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(accountOrder(a)), Buffer.from(accountOrder(b)));
