/**
 * Lambda freezes a process between invocations, and servers close its idle sockets meanwhile. Here a process is stopped for 7 s while the
 * server gives up idle connections after 5 s; then 60 calls go out at once. None may be lost, and none be sent twice with an effect.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { News, Order } from '../support/frozen-child.ts';

const FROZEN_MS = 7_000;
const KEEP_ALIVE_MS = 5_000;
const CALLS = 60;

let server: Server | undefined;
let child: ChildProcess | undefined;
afterEach(async () => {
  child?.kill('SIGKILL');
  server?.closeAllConnections();
  await new Promise((closed) => server?.close(closed));
});

function start(): { url: Promise<string>; received: string[]; idle: () => number; release: () => void } {
  const received: string[] = [];
  const open = new Set<Socket>();
  let release = () => {};
  // undici believes what a Keep-Alive header says; many servers give none.
  const made = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, keepAliveTimeoutBuffer: 0 }, (request, response) => {
    received.push(`${request.method} ${request.url}`);
    response.shouldKeepAlive = true;
    response.setHeader('connection', 'keep-alive');
    if (request.url === '/held') release = () => response.end('{}');
    else response.end('{}');
  });
  made.on('connection', (socket) => {
    open.add(socket);
    socket.on('error', () => {}).on('close', () => open.delete(socket));
  });
  server = made;
  const url = once(made.listen(0, '127.0.0.1'), 'listening').then(() => `http://127.0.0.1:${(made.address() as AddressInfo).port}`);
  return { url, received, idle: () => open.size, release: () => release() };
}

function worker(): { told(type: News['type']): Promise<News>; order(order: Order): void; stop(): void; go(): void } {
  const made = fork(join(import.meta.dirname, '../support/frozen-child.ts'), {
    env: { ...process.env, HOLDFAST_ALLOW_LOOPBACK: '1' },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  child = made;
  const news: News[] = [];
  const waiting: Array<() => void> = [];
  made.on('message', (one: News) => {
    news.push(one);
    for (const wake of waiting.splice(0)) wake();
  });
  return {
    async told(type) {
      for (;;) {
        const found = news.find((one) => one.type === type);
        if (found) return found;
        await new Promise<void>((wake) => waiting.push(wake));
      }
    },
    order: (order) => void made.send(order),
    stop: () => void made.kill('SIGSTOP'),
    go: () => void made.kill('SIGCONT'),
  };
}

describe('a process that is frozen for 7 s, with servers that keep idle sockets for 5 s', () => {
  it('loses none of 60 calls, of which some may be sent twice and others must not', async () => {
    const { url, received, idle, release } = start();
    const frozen = worker();
    frozen.order({ type: 'warm', url: await url, sockets: 30 });
    await frozen.told('warm');
    while (!received.includes('GET /held')) await new Promise((turned) => setTimeout(turned, 5));
    expect(idle()).toBeGreaterThanOrEqual(30);
    frozen.order({ type: 'go', url: await url, calls: CALLS });
    await frozen.told('spinning');
    frozen.stop();
    // It waits for another process to have been away for so long: nothing else makes a kernel close its sockets.
    await new Promise((thawed) => setTimeout(thawed, FROZEN_MS));
    // The server has closed all that were idle; one call is answered into the frozen process, and makes its last activity look recent.
    expect(idle()).toBeLessThanOrEqual(1);
    release();
    frozen.go();
    expect(await frozen.told('done')).toEqual({ type: 'done', failures: [], outcomes: CALLS });
    await frozen.told('held');
    const calls = received.filter((one) => one.includes('/call/'));
    for (let n = 0; n < CALLS; n++) expect(calls.filter((one) => one.endsWith(`/call/${n}`)).length, `call ${n}`).toBe(1);
    expect(calls.filter((one) => one.startsWith('PATCH'))).toHaveLength(CALLS / 4);
  }, 60_000);
});
