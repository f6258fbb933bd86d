/** What the local servers of providers have in common: a script of fates, effects counted, replies that stream event by event. Real sockets. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export type ProviderRequest = { method: string; path: string; query: URLSearchParams; headers: IncomingHttpHeaders; body: string };
/** `events`: written one by one as server-sent events. */
export type Served = { status: number; headers?: Record<string, string>; body?: unknown; events?: readonly string[] };

/**
 * `serve`: as the provider does on a good day. `throttle`, `fail`: its 429 and its 500, without an effect.
 * `reset-before`, `reset-after`: the connection is reset before or after the effect. `break`: in the middle of the events. `hang`: no answer.
 */
export type Fate = 'serve' | 'throttle' | 'fail' | 'reset-before' | 'reset-after' | 'break' | 'hang';

export type Provider = {
  /** What its API does; what it calls `effect` with is counted. */
  serve(request: ProviderRequest, effect: (what: string) => void): Served;
  throttle(): Served;
  fail(): Served;
  /** A request with a key that was seen before is answered as then, without another effect. */
  keys?: { header: string; replayed: Record<string, string> };
};

export type ProviderServer = Awaited<ReturnType<typeof providerServer>>;

export async function providerServer(provider: Provider) {
  const requests: ProviderRequest[] = [];
  const effects: Array<{ what: string; key: string | undefined }> = [];
  const byKey = new Map<string, { body: string; served: Served }>();
  const open = new Set<Socket>();
  let fates: Fate[] = ['serve'];
  let beforeEvent: (index: number) => unknown = () => {};

  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('error', () => {});
    incoming.on('end', () => {
      const url = new URL(incoming.url ?? '/', 'http://x');
      const request: ProviderRequest = {
        method: incoming.method ?? '',
        path: url.pathname,
        query: url.searchParams,
        headers: incoming.headers,
        body: Buffer.concat(chunks).toString(),
      };
      requests.push(request);
      const fate = (fates.length > 1 ? fates.shift() : fates[0]) ?? 'serve';
      void meet(fate, request, response, incoming.socket);
    });
  });
  server.on('connection', (socket) => {
    open.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => open.delete(socket));
  });

  async function meet(fate: Fate, request: ProviderRequest, response: ServerResponse, socket: Socket): Promise<void> {
    if (fate === 'throttle') return write(provider.throttle(), response);
    if (fate === 'fail') return write(provider.fail(), response);
    if (fate === 'hang') return;
    if (fate === 'reset-before') return void socket.resetAndDestroy();
    const served = answer(request);
    if (fate === 'reset-after') socket.resetAndDestroy();
    else if (served.events) await stream(served, response, socket, fate === 'break');
    else write(served, response);
  }

  function answer(request: ProviderRequest): Served {
    const key = provider.keys && request.headers[provider.keys.header];
    const before = typeof key === 'string' ? byKey.get(key) : undefined;
    if (before && provider.keys) {
      if (before.body !== request.body) return { status: 400, body: { error: { type: 'idempotency_error' } } };
      return { ...before.served, headers: { ...before.served.headers, ...provider.keys.replayed } };
    }
    const served = provider.serve(request, (what) => effects.push({ what, key: typeof key === 'string' ? key : undefined }));
    if (typeof key === 'string') byKey.set(key, { body: request.body, served });
    return served;
  }

  function write({ status, headers, body }: Served, response: ServerResponse): void {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(body === undefined ? '' : JSON.stringify(body));
  }

  async function stream(
    { status, headers, events = [] }: Served,
    response: ServerResponse,
    socket: Socket,
    breaks: boolean,
  ): Promise<void> {
    response.writeHead(status, { 'content-type': 'text/event-stream; charset=utf-8', ...headers });
    response.flushHeaders();
    for (const [index, event] of events.entries()) {
      await beforeEvent(index);
      if (response.destroyed) return;
      await new Promise((written) => response.write(`data: ${event}\n\n`, written));
      if (breaks && index >= events.length / 2) return void socket.resetAndDestroy();
    }
    await beforeEvent(events.length);
    response.end();
  }

  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;

  return {
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    effects,
    /** Each request meets the next; the last one repeats. */
    script(...next: Fate[]): void {
      fates = next;
    },
    /** Awaited before each event is written, and before the end. */
    beforeEvent(fn: (index: number) => unknown): void {
      beforeEvent = fn;
    },
    /** Effects that happened more than once. */
    repeated: () => effects.map(({ what }) => what).filter((what, index, all) => all.indexOf(what) !== index),
    async close(): Promise<void> {
      for (const socket of open) socket.destroy();
      await new Promise((closed) => server.close(closed));
    },
  };
}
