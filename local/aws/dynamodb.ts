/** DynamoDB: dynalite without a listener of its own. Owns the repair of its files after a `kill -9`. */
import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import dynalite from 'dynalite';
import { LocalError } from '../errors.ts';
import { rememberExpressions } from './expressions.ts';

type Item = Record<string, unknown>;
type Index = { IndexName: string; IndexStatus?: string };
type Table = { TableName: string; TableStatus: string; GlobalSecondaryIndexes?: Index[]; LocalSecondaryIndexes?: Index[] };
type Level = {
  open(): Promise<void>;
  iterator(range: { gte: string; lt: string }): AsyncIterable<[string, unknown]>;
  keys(range: { gte: string; lt: string }): AsyncIterable<string>;
  batch(operations: Array<{ type: 'put'; key: string; value: Item } | { type: 'del'; key: string }>): Promise<void>;
  close(): Promise<void>;
};
type Internals = {
  create(options: { path: string }): { db: Level };
  getIndexActions(
    indexes: Index[],
    existing: undefined,
    item: Item,
    table: Table,
  ): { puts: Array<{ index: string; key: string; item: Item }> };
};

const MAX_BODY = 16 * 1024 * 1024;
const KINDS = { local: 'LocalSecondaryIndexes', global: 'GlobalSecondaryIndexes' } as const;
const under = (prefix: string) => ({ gte: `${prefix}~`, lt: `${prefix}~\xFF` });

/**
 * dynalite writes an item and its index entries one after the other, so an end in between leaves them apart: a run could
 * be missing from the index that gets it moving again. Brings the indexes in line with the items; returns how many entries differed.
 * A table whose creation was cut short would stay `CREATING` for ever: it is complete, since it holds nothing yet.
 */
export async function repair(path: string): Promise<number> {
  const internals = createRequire(import.meta.url)('dynalite/db') as Internals;
  const { db } = internals.create({ path });
  let changed = 0;
  try {
    await openWithin(db, 2_000);
    for await (const [tableKey, value] of db.iterator(under('table'))) {
      const table = value as Table;
      if (table.TableStatus === 'CREATING') {
        for (const index of table.GlobalSecondaryIndexes ?? []) index.IndexStatus = 'ACTIVE';
        await db.batch([{ type: 'put', key: tableKey, value: { ...table, TableStatus: 'ACTIVE' } }]);
      }
      for (const [kind, property] of Object.entries(KINDS)) {
        const indexes = table[property as (typeof KINDS)[keyof typeof KINDS]] ?? [];
        if (indexes.length === 0) continue;
        const prefix = (index: string) => `index-${kind}~${table.TableName}~${index}`;
        const stale = new Set<string>();
        for (const index of indexes) for await (const key of db.keys(under(prefix(index.IndexName)))) stale.add(key);
        const missing: Array<{ type: 'put'; key: string; value: Item }> = [];
        for await (const [, item] of db.iterator(under(`item-${table.TableName}`))) {
          for (const put of internals.getIndexActions(indexes, undefined, item as Item, table).puts) {
            const key = `${prefix(put.index)}~${put.key}`;
            if (!stale.delete(key)) missing.push({ type: 'put', key, value: put.item });
          }
        }
        changed += missing.length + stale.size;
        await db.batch([...missing, ...[...stale].map((key) => ({ type: 'del' as const, key }))]);
      }
    }
  } finally {
    await db.close();
  }
  return changed;
}

/** The process before us may still be on its way out. */
async function openWithin(db: Level, ms: number): Promise<void> {
  const until = Date.now() + ms;
  for (;;) {
    try {
      return await db.open();
    } catch (error) {
      if ((error as { cause?: { code?: string } }).cause?.code !== 'LEVEL_LOCKED') throw error;
      if (Date.now() > until) {
        throw new LocalError(
          'E_DATA_IN_USE',
          'the data folder is in use by another process: stop it, or choose another folder with --data',
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

export type DynamoDb = { handle(request: IncomingMessage, response: ServerResponse): void };

export async function openDynamoDb(options: { data?: string }): Promise<DynamoDb> {
  if (options.data !== undefined) await repair(options.data);
  rememberExpressions();
  const server = dynalite({
    createTableMs: 0,
    deleteTableMs: 0,
    updateTableMs: 0,
    ...(options.data === undefined ? {} : { path: options.data }),
  });
  return {
    handle(request, response) {
      const chunks: Buffer[] = [];
      let size = 0;
      request.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size <= MAX_BODY) chunks.push(chunk);
      });
      // A client that goes away in the middle of its request: dynalite would throw, and take the process with it.
      request.on('error', () => response.destroy());
      request.on('end', () => {
        if (size > MAX_BODY) return void response.writeHead(413).end();
        const whole = Object.assign(new EventEmitter(), { method: request.method, url: request.url, headers: request.headers });
        server.emit('request', whole as IncomingMessage, response);
        whole.emit('data', chunks.length === 1 ? chunks[0] : Buffer.concat(chunks));
        whole.emit('end');
      });
    },
  };
}
