/** Stands between the functions and DynamoDB, and counts what is written to one table. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool } from 'undici';

export type Counted = {
  readonly url: string;
  /** Where it goes on to; until it is told, requests wait. */
  forward(url: string): void;
  /** Writes by operation, and reads; of which some were refused. */
  readonly requests: Record<string, number>;
  stop(): Promise<void>;
};

export async function countRequests(table: RegExp): Promise<Counted> {
  let forward: (url: string) => void = () => {};
  const target = new Promise<Pool>((known) => {
    forward = (url) => known(new Pool(url, { connections: 64 }));
  });
  const requests: Record<string, number> = {};
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const body = Buffer.concat(chunks);
      const operation = String(request.headers['x-amz-target']).split('.')[1] ?? '';
      if (table.test(body.toString())) requests[operation] = (requests[operation] ?? 0) + 1;
      const { connection: _, 'content-length': __, 'transfer-encoding': ___, ...headers } = request.headers;
      const pool = await target;
      const answer = await pool.request({ method: 'POST', path: '/', headers: headers as Record<string, string>, body });
      response.writeHead(answer.statusCode, { 'content-type': 'application/x-amz-json-1.0' }).end(await answer.body.text());
    })().catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    forward: (url) => forward(url),
    requests,
    async stop() {
      server.closeAllConnections();
      server.close();
      await (await target).destroy();
    },
  };
}
