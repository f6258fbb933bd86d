/** What people see of connections and do to them, over the records that calls are admitted by. Knows nothing of HTTP. */
import type {
  AdmissionChange,
  AdmissionKey,
  AdmissionRecord,
  AdmissionStore,
  ConnectionDesk,
  DeployedConnection,
  ShownConnection,
} from '../engine/admission-ports.ts';
import type { Clock } from '../engine/ports.ts';
import { shown } from './shown.ts';
import { hold, release } from './stops.ts';

/** A change is lost when a gate rises between looking and changing. That happens a few times a second at most. */
const MOST_TRIES = 20;

/** Never made: what `read` gives may be old, and a refusal tells what is there. */
const REFUSED: AdmissionChange = {
  set: { heldAt: 0 },
  when: [
    { name: 'heldAt', is: 'absent' },
    { name: 'heldAt', is: '=', value: 0 },
  ],
};

type Parts = { readonly store: AdmissionStore; readonly clock: Clock; readonly deployed: readonly DeployedConnection[] };

export function connectionDesk({ store, clock, deployed }: Parts): ConnectionDesk {
  const known = new Map(deployed.map((one) => [one.name, one]));
  const names = [...known.keys()].sort();

  /** `whole`: of its connection, where it is an account's: who holds that holds all of them. */
  function view(key: AdmissionKey, record: AdmissionRecord, whole: AdmissionRecord = {}): ShownConnection {
    const { limits, concurrency, perAccount } = deployedOf(key.connection);
    const state = shown(record, limits, clock.now(), whole);
    return { ...key, perAccount, ...state, ...(concurrency === 0 ? {} : { concurrency: { allowed: concurrency } }) };
  }

  /** With the calls in flight, which are counted elsewhere. */
  async function closely(key: AdmissionKey, record: AdmissionRecord): Promise<ShownConnection> {
    const seen = view(key, record, key.account === undefined ? {} : await store.read({ connection: key.connection }));
    if (seen.concurrency === undefined) return seen;
    const places = await store.places(key);
    const inUse = places.filter(({ until }) => until > clock.now()).length;
    return { ...seen, concurrency: { ...seen.concurrency, inUse } };
  }

  function deployedOf(name: string): DeployedConnection {
    const found = known.get(name);
    if (!found) throw new Error(`no connection ${JSON.stringify(name)} is deployed: look at \`names\` first`);
    return found;
  }

  /** Makes the change anew from what is there by then, until it is made. */
  async function changing(key: AdmissionKey, change: (record: AdmissionRecord) => AdmissionChange | undefined) {
    let record = await store.read(key);
    if (change(record) === undefined) ({ record } = await store.change(key, REFUSED));
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const wanted = change(record);
      if (wanted === undefined) return { ok: false, record };
      const made = await store.change(key, wanted);
      if (made.ok) return made;
      record = made.record;
    }
    throw new Error(`the record of ${JSON.stringify(key)} changed ${MOST_TRIES} times while it was to be changed`);
  }

  return {
    names,
    async list({ limit, after }) {
      const rest = after === undefined ? names : names.filter((name) => name > after);
      const page = rest.slice(0, limit);
      const items = await Promise.all(page.map(async (connection) => view({ connection }, await store.read({ connection }))));
      return { items, ...(rest.length > page.length ? { next: page.at(-1) as string } : {}) };
    },
    async show(key) {
      return closely(key, await store.read(key));
    },
    async accounts(connection, options) {
      const [{ items, next }, whole] = await Promise.all([store.list(connection, options), store.read({ connection })]);
      const accounts = items.filter(({ account }) => account !== '');
      return {
        items: accounts.map(({ account, record }) => view({ connection, account }, record, whole)),
        ...(next === undefined ? {} : { next }),
      };
    },
    async hold(key, word) {
      const { record } = await changing(key, (there) => hold(there, word, clock.now()));
      return closely(key, record);
    },
    async release(key) {
      const { ok, record } = await changing(key, (there) => release(there, clock.now()));
      return { released: ok, connection: await closely(key, record) };
    },
  };
}
