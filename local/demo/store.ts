/** json-server on a port of its own, and what real APIs have on top of it: idempotency keys. Knows nothing of faults. */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { createApp } from 'json-server/lib/app.js';
import { Pool } from 'undici';
import { listen } from './listen.ts';
import { type Answer, missingField, publicPart, type Route } from './routes.ts';
import type { Row, State } from './state.ts';

export type Store = {
  read(route: Route, upstream: string): Promise<Answer>;
  /** `replayed`: the key was known, nothing happened. */
  create(route: Route, upstream: string, body: unknown, key: string | undefined): Promise<Answer & { replayed?: true }>;
  stop(): Promise<void>;
};

export async function startStore(state: State): Promise<Store> {
  const app = createApp(state.db);
  const server = await listen(
    createServer((request, response) => void app.handler(request, response)),
    0,
  );
  const pool = new Pool(server.url, { connections: 8 });
  /** By collection and key: a second request with the key of one that is under way waits for it. */
  const underWay = new Map<string, Promise<unknown>>();

  async function ask(method: 'GET' | 'POST', path: string, row?: Row): Promise<Answer> {
    const reply = await pool.request({
      method,
      path,
      ...(row === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(row) }),
    });
    return { status: reply.statusCode, body: publicPart(await reply.body.json()) };
  }

  async function createOnce(collection: string, upstream: string, row: Row, key: string) {
    const place = `${collection}\n${key}`;
    await underWay.get(place);
    const bodyHash = createHash('sha256').update(JSON.stringify(row)).digest('base64url');
    const known = state.rows(collection).find((other) => other._key === key);
    if (known && known._bodyHash !== bodyHash)
      return { status: 422, body: { error: 'this idempotency key came with another body before' } };
    if (known) return { status: 201, body: publicPart(known), replayed: true as const };
    // The key is a field of the row, so that effect and key become durable as one.
    const made = ask('POST', upstream, { ...row, _key: key, _bodyHash: bodyHash });
    underWay.set(place, made);
    try {
      return await made;
    } finally {
      underWay.delete(place);
    }
  }

  return {
    async read(route, upstream) {
      const answer = await ask('GET', upstream);
      return route.shape?.(answer) ?? answer;
    },
    async create(route, upstream, body, key) {
      const { collection, needs, keyed } = route.creates ?? { collection: '', needs: [], keyed: false };
      const missing = missingField(needs, body);
      if (missing !== undefined) return { status: 422, body: { error: `"${missing}" is missing` } };
      const row = publicPart(body) as Row;
      const full = collection === 'accounts' ? { ...row, users: usersOf(state, row) } : row;
      return keyed && key !== undefined ? await createOnce(collection, upstream, full, key) : await ask('POST', upstream, full);
    },
    async stop() {
      await pool.close();
      await server.stop();
    },
  };
}

/** A new account has the first people of its company, one for each seat. */
function usersOf(state: State, account: Row): unknown[] {
  const company = state.rows('companies').find((row) => row.domain === account.domain);
  return ((company?._people as unknown[] | undefined) ?? []).slice(0, Number(account.seats));
}
