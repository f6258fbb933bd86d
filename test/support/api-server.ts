/** The API of a test behind a socket, for what speaks HTTP. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { proxyEvent, type testApi } from './api.ts';

export type Served = { url: string; stop(): void };

export async function serveApi({ api }: Pick<ReturnType<typeof testApi>, 'api'>): Promise<Served> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const target = new URL(request.url ?? '/', 'http://localhost');
    const result = await api(
      proxyEvent({
        method: request.method ?? '',
        path: target.pathname,
        headers: request.headers as Record<string, string>,
        query: Object.fromEntries(target.searchParams),
        body: Buffer.concat(chunks).toString() || null,
      }),
    );
    response.writeHead(result.statusCode, result.headers as Record<string, string>).end(result.body);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}
