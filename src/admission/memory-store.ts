/** Records in memory: of one process, for when the fleet's cannot be reached, and for tests. */
import type { AdmissionKey, AdmissionRecord, AdmissionStore, PlaceLease } from '../engine/admission-ports.ts';
import { accountOrder } from '../engine/credential-ports.ts';
import { changed } from './change.ts';

export function memoryAdmissionStore(): AdmissionStore {
  const records = new Map<string, { key: AdmissionKey; record: AdmissionRecord }>();
  const places = new Map<string, Map<number, PlaceLease>>();
  const placesOf = (key: AdmissionKey) => {
    const known = places.get(nameOf(key)) ?? new Map<number, PlaceLease>();
    places.set(nameOf(key), known);
    return known;
  };
  return {
    async read(key) {
      return records.get(nameOf(key))?.record ?? {};
    },
    async change(key, change) {
      const there = records.get(nameOf(key))?.record ?? {};
      const next = changed(there, change);
      if (next === undefined) return { ok: false, record: there };
      records.set(nameOf(key), { key, record: next });
      return { ok: true, record: next };
    },
    async take(key, lease, now, from) {
      const there = placesOf(key).get(lease.place);
      if (there && there.until > now && there.owner !== lease.owner && there.owner !== from) return false;
      placesOf(key).set(lease.place, lease);
      return true;
    },
    async give(key, place, owner) {
      if (placesOf(key).get(place)?.owner === owner) placesOf(key).delete(place);
    },
    async places(key) {
      return [...placesOf(key).values()].sort((a, b) => a.place - b.place);
    },
    async list(connection, { limit, after }) {
      const found = [...records.values()]
        .filter(({ key }) => key.connection === connection)
        .map(({ key, record }) => ({ account: key.account ?? '', record }))
        .sort((a, b) => (accountOrder(a.account) < accountOrder(b.account) ? -1 : 1))
        .filter(({ account }) => after === undefined || accountOrder(account) > accountOrder(after));
      const items = found.slice(0, limit);
      return { items, ...(found.length > limit ? { next: items.at(-1)?.account as string } : {}) };
    },
  };
}

const nameOf = ({ connection, account = '' }: AdmissionKey): string => `${connection} ${account}`;
