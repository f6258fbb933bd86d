/**
 * A scripted HTTP server that does what real ones do on bad days. Each request meets the next fate of the script; the last one
 * repeats. Real sockets on port 0; it keeps what was received, and knows which effects happened.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export type Fate = {
  status?: number;
  headers?: Record<string, string | string[]>;
  body?: string | Uint8Array;
  /** Milliseconds before the answer begins. */
  delay?: number;
  /** The connection is reset (RST) when: the head has been read; all of it has been read, before the effect; after the effect; after half of the body. */
  reset?: 'on-head' | 'before-effect' | 'after-effect' | 'half-body';
  /** The connection is closed properly (FIN) in place of an answer, or after half of the body. */
  close?: 'before-answer' | 'half-body';
  /** One byte of the body every so many ms, for ever. */
  drip?: number;
  /** The body repeated for ever, as fast as it is read. */
  endless?: boolean;
  /** Nothing is ever answered. */
  hang?: boolean;
  /** These bytes in place of an HTTP answer. */
  raw?: string;
};

/** `at`: milliseconds since the epoch. */
export type Received = { at: number; method: string; url: string; headers: IncomingMessage['headers']; body: string; socket: number };

export type HostileServer = {
  readonly url: string;
  readonly port: number;
  /** In order of arrival. */
  readonly received: Received[];
  /** Requests whose effect happened. */
  readonly effects: Received[];
  /** Sockets opened so far. */
  sockets(): number;
  script(...fates: Array<Fate | ((request: Received) => Fate)>): void;
  /** Closes idle sockets from the server's side. */
  dropIdle(): void;
  close(): Promise<void>;
};

export async function hostileServer({ host = '127.0.0.1' }: { host?: string } = {}): Promise<HostileServer> {
  const received: Received[] = [];
  const effects: Received[] = [];
  const open = new Map<Socket, number>();
  const timers = new Set<NodeJS.Timeout>();
  let sockets = 0;
  let fates: Array<Fate | ((request: Received) => Fate)> = [{}];

  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    const entry: Received = {
      at: performance.timeOrigin + performance.now(),
      method: request.method ?? '',
      url: request.url ?? '',
      headers: request.headers,
      body: '',
      socket: open.get(request.socket) ?? 0,
    };
    received.push(entry);
    const next = (fates.length > 1 ? fates.shift() : fates[0]) ?? {};
    const fate = typeof next === 'function' ? next(entry) : next;
    if (fate.reset === 'on-head') {
      request.socket.resetAndDestroy();
      return;
    }
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => {});
    request.on('end', () => {
      entry.body = Buffer.concat(chunks).toString();
      meet(fate, entry, request, response);
    });
  });
  server.on('connection', (socket) => {
    sockets += 1;
    open.set(socket, sockets);
    socket.on('error', () => {});
    socket.on('close', () => open.delete(socket));
  });

  function meet(fate: Fate, entry: Received, request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    if (fate.reset === 'before-effect') {
      socket.resetAndDestroy();
      return;
    }
    if ((fate.status ?? 200) < 400) effects.push(entry);
    if (fate.hang) return;
    if (fate.reset === 'after-effect') socket.resetAndDestroy();
    else if (fate.close === 'before-answer') socket.end();
    else if (fate.raw !== undefined) socket.end(fate.raw);
    else after(fate.delay ?? 0, () => answer(fate, socket, response));
  }

  function answer(fate: Fate, socket: Socket, response: ServerResponse): void {
    if (socket.destroyed) return;
    const body = Buffer.from(fate.body ?? '{"ok":true}');
    const half = fate.reset === 'half-body' || fate.close === 'half-body';
    const streamed = fate.drip !== undefined || fate.endless === true;
    // Dates are the script's to give: without one, answers carry the server's own.
    if (fate.headers?.date !== undefined) response.sendDate = false;
    response.writeHead(fate.status ?? 200, {
      'content-type': 'application/json',
      ...(streamed ? {} : { 'content-length': String(body.length) }),
      ...fate.headers,
    });
    if (fate.drip !== undefined) drip(body, fate.drip, response);
    else if (fate.endless) flood(body, response);
    else if (half) {
      response.write(body.subarray(0, Math.floor(body.length / 2)), () => {
        if (fate.reset) socket.resetAndDestroy();
        else socket.end();
      });
    } else response.end(body);
  }

  function drip(body: Buffer, every: number, response: ServerResponse): void {
    let at = 0;
    const timer = setInterval(() => {
      if (response.destroyed) {
        clearInterval(timer);
        timers.delete(timer);
      } else response.write(body.subarray(at % body.length, (at++ % body.length) + 1));
    }, every);
    timers.add(timer);
    response.flushHeaders();
  }

  function flood(body: Buffer, response: ServerResponse): void {
    const pour = () => {
      while (!response.destroyed && response.write(body));
    };
    response.on('drain', pour);
    pour();
  }

  function after(ms: number, fn: () => void): void {
    if (ms === 0) {
      fn();
      return;
    }
    const timer = setTimeout(() => {
      timers.delete(timer);
      fn();
    }, ms);
    timers.add(timer);
  }

  await new Promise<void>((listening) => server.listen(0, host, listening));
  const { port } = server.address() as AddressInfo;

  return {
    url: `http://127.0.0.1:${port}`,
    port,
    received,
    effects,
    sockets: () => sockets,
    script: (...next) => {
      fates = next;
    },
    dropIdle: () => server.closeIdleConnections(),
    async close() {
      for (const timer of timers) clearTimeout(timer);
      for (const socket of open.keys()) socket.destroy();
      await new Promise((closed) => server.close(closed));
    },
  };
}
