/**
 * Counts what is asked of DynamoDB, on the wire: stands between the functions and the emulator and reads each request.
 * Trusts no event of our own. Knows prices no more than runs: `capacity.ts` says what a write costs.
 */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool } from 'undici';
import { TTL_ATTRIBUTE } from '../../src/aws/table-schema.ts';
import { type Item, type Table, type Units, writeUnits } from './capacity.ts';

export type Counted = {
  /** Requests that write, a batch by its entries; a refused condition counts, as AWS charges for it. */
  writes: number;
  /** Of these, those that give a part of an ended run its time to go. */
  expiries: number;
  reads: number;
  /** Requests by operation. */
  requests: Record<string, number>;
  units: Units;
};

export type Counter = {
  readonly url: string;
  /** Everything since the last call. */
  take(): Counted;
  stop(): Promise<void>;
};

type Request = {
  Item?: Item;
  Key?: Item;
  RequestItems?: Record<string, { Keys?: unknown[] } | unknown[]>;
  ReturnValues?: string;
  UpdateExpression?: string;
};
type Answer = { Attributes?: Item };

const WRITES = new Set(['PutItem', 'UpdateItem', 'DeleteItem', 'BatchWriteItem', 'TransactWriteItems']);

export async function startCounter(target: string, table: Table): Promise<Counter> {
  const pool = new Pool(target, { connections: 64 });
  const items = new Map<string, Item>();
  let counted = nothing();

  const server = createServer((request, response) => {
    void (async () => {
      const operation = String(request.headers['x-amz-target']).split('.')[1] ?? '';
      const text = (await bodyOf(request)).toString();
      const input = JSON.parse(text) as Request;
      // What an update leaves behind is needed for its price, and asked for where nobody else did.
      const body =
        operation === 'UpdateItem' && input.ReturnValues === undefined ? JSON.stringify({ ...input, ReturnValues: 'ALL_NEW' }) : text;
      const { connection: _, 'content-length': __, 'transfer-encoding': ___, ...headers } = request.headers;
      const answer = await pool.request({ method: 'POST', path: '/', headers: headers as Record<string, string>, body });
      const reply = await answer.body.text();
      count(operation, input, { answer: JSON.parse(reply) as Answer, bytes: reply.length, ok: answer.statusCode === 200 });
      response.writeHead(answer.statusCode, { 'content-type': 'application/x-amz-json-1.0' }).end(reply);
    })().catch((error: unknown) => response.destroy(error as Error));
  });

  function count(operation: string, input: Request, { answer, bytes, ok }: { answer: Answer; bytes: number; ok: boolean }): void {
    counted.requests[operation] = (counted.requests[operation] ?? 0) + 1;
    if (!WRITES.has(operation)) {
      counted.reads += 1;
      const keys = Object.values(input.RequestItems ?? {}).reduce(
        (sum, one) => sum + (Array.isArray(one) ? 0 : (one.Keys?.length ?? 0)),
        0,
      );
      // A consistent read of 4 KB; a key without an item costs as much.
      counted.units.reads += Math.max(1, keys, Math.ceil(bytes / 4_096));
      return;
    }
    if (operation !== 'PutItem' && operation !== 'UpdateItem') throw new Error(`${operation} writes, and its price is not known here`);
    counted.writes += 1;
    if (input.UpdateExpression?.startsWith(`SET ${TTL_ATTRIBUTE}=`)) counted.expiries += 1;
    const next = input.Item ?? answer.Attributes;
    const key = JSON.stringify([(input.Item ?? input.Key)?.pk, (input.Item ?? input.Key)?.sk]);
    const cost = writeUnits(table, items.get(key), ok ? next : undefined);
    counted.units.table += cost.table;
    counted.units.indexes += cost.indexes;
    if (ok && next) items.set(key, next);
  }

  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    take() {
      const taken = counted;
      counted = nothing();
      return taken;
    },
    async stop() {
      server.closeAllConnections();
      server.close();
      await pool.destroy();
    },
  };
}

const nothing = (): Counted => ({ writes: 0, expiries: 0, reads: 0, requests: {}, units: { table: 0, indexes: 0, reads: 0 } });

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
