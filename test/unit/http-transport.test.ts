import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../src/engine/ports.ts';
import type { WireEvent } from '../../src/http/exchange.ts';
import { compileAllow } from '../../src/http/guard/guard.ts';
import { plainClock } from '../../src/http/plain-ports.ts';
import { DEFAULTS } from '../../src/http/settings.ts';
import { type Transport, transport, type WireRequest } from '../../src/http/transport.ts';
import { type HostileServer, hostileServer } from '../support/hostile-server.ts';

const allowed = compileAllow([], 'test');
let server: HostileServer;
let wire: Transport;

beforeEach(async () => {
  server = await hostileServer();
  wire = transport({ clock: plainClock, allowLoopback: true });
});
afterEach(async () => {
  await wire.close();
  await server.close();
});

const former = createServer({ keepAliveTimeout: 60_000 }, (_, response) => response.end('{}'));
afterAll(() => void former.close());

type More = Partial<WireRequest> & { total?: number; headersMs?: number; idle?: number; maxBody?: number };

function request({ total, headersMs, idle, maxBody, ...more }: More = {}): WireRequest {
  const { limits } = DEFAULTS;
  return {
    allowed,
    connectTimeout: 1_000,
    origin: server.url,
    method: 'GET',
    path: '/',
    headers: {},
    body: null,
    limits: {
      ...limits,
      total: total ?? 5_000,
      headers: headersMs ?? limits.headers,
      idle: idle ?? limits.idle,
      maxBody: maxBody ?? 10_000,
    },
    fresh: false,
    ...more,
  };
}

const send = (more: More = {}) => wire.send(request(more));
/** undici gives a socket free a turn of the event loop after its reply. */
const socketFree = () => new Promise((turned) => setImmediate(turned));

function answered(event: WireEvent): Extract<WireEvent, { phase: 'answered' }> {
  if (event.phase !== 'answered') throw new Error(`${event.phase}: ${event.message}`);
  return event;
}

describe('an exchange', () => {
  it('gives status, headers and body, and says how long it took', async () => {
    server.script({ status: 201, headers: { 'x-a': '1', 'set-cookie': ['a=1', 'b=2'], link: ['<a>', '<b>'] }, body: 'hello' });
    const event = answered(await send({ method: 'POST', body: 'in', headers: { 'content-type': 'text/plain' } }));
    expect(event).toMatchObject({ status: 201, truncated: false, reused: false, bytes: 5 });
    expect(event.body.toString()).toBe('hello');
    expect(event.headers).toMatchObject({ 'x-a': '1', link: '<a>, <b>' });
    expect(event.headers).not.toHaveProperty('set-cookie');
    expect(event.timings.total).toBeGreaterThanOrEqual(event.timings.firstByte ?? Number.NaN);
    expect(server.received[0]).toMatchObject({ method: 'POST', body: 'in' });
  });

  it('uses a socket again, except for what asks for a fresh one', async () => {
    expect((await send()).reused).toBe(false);
    await socketFree();
    expect((await send()).reused).toBe(true);
    expect(await send({ fresh: true })).toMatchObject({ phase: 'answered', reused: false });
    expect(server.sockets()).toBe(2);
    expect(server.received[2]?.headers.connection).toBe('close');
  });

  it('drops idle sockets after a silence in which the process may have been frozen', async () => {
    let shift = 0;
    const clock: Clock = { now: () => Date.now() + shift, timer: plainClock.timer };
    const thawing = transport({ clock, allowLoopback: true });
    await thawing.send(request());
    await socketFree();
    shift = 2_900;
    expect((await thawing.send(request())).reused).toBe(true);
    await socketFree();
    shift += 3_100;
    expect((await thawing.send(request())).reused).toBe(false);
    expect(server.sockets()).toBe(2);
    await thawing.close();
  });

  it('closes what was not used since for origins that are no longer called', async () => {
    let shift = 0;
    const clock: Clock = { now: () => Date.now() + shift, timer: plainClock.timer };
    const wide = transport({ clock, allowLoopback: true });
    const closed = new Promise<void>((done) => {
      former.on('connection', (socket) => socket.on('close', () => done()));
    });
    await new Promise<void>((listening) => former.listen(0, '127.0.0.1', listening));
    await wide.send(request({ origin: `http://127.0.0.1:${(former.address() as AddressInfo).port}` }));
    shift = 3_100;
    await wide.send(request());
    await closed;
    await wide.close();
  });

  it('does not share sockets between connections', async () => {
    await send();
    expect((await send({ allowed: compileAllow([], 'another') })).reused).toBe(false);
  });
});

describe('what breaks is told by its phase', () => {
  it.each([
    ['reset when the head was read', { reset: 'on-head' as const }, 0],
    ['reset before the effect', { reset: 'before-effect' as const }, 0],
    ['reset after the effect', { reset: 'after-effect' as const }, 1],
    ['closed in place of an answer', { close: 'before-answer' as const }, 1],
  ])('%s: ambiguous, no answer begun', async (_name, fate, effects) => {
    server.script(fate);
    expect(await send({ method: 'POST', body: 'x' })).toMatchObject({ phase: 'ambiguous', why: 'broken', answering: false });
    expect(server.effects).toHaveLength(effects);
  });

  it.each([
    ['reset', { reset: 'half-body' as const }],
    ['closed', { close: 'half-body' as const }],
  ])('%s in the middle of the body: ambiguous, though the status is known', async (_name, fate) => {
    server.script({ ...fate, body: 'x'.repeat(2_000) });
    expect(await send()).toMatchObject({ phase: 'ambiguous', why: 'broken', answering: true });
  });

  it('nobody listens: not sent', async () => {
    const gone = await hostileServer();
    await gone.close();
    expect(await send({ origin: gone.url })).toMatchObject({
      phase: 'not-sent',
      why: 'unreachable',
      message: 'no connection (ECONNREFUSED)',
    });
  });

  it.each([
    ['ENOTFOUND', 'name-not-found'],
    ['EAI_AGAIN', 'unreachable'],
  ])('a name that resolves to %s: not sent, %s', async (code, why) => {
    const lost = transport({ clock: plainClock, resolve: () => Promise.reject(Object.assign(new Error('getaddrinfo'), { code })) });
    expect(await lost.send(request({ origin: 'https://api.example' }))).toMatchObject({ phase: 'not-sent', why });
    await lost.close();
  });

  it('a TLS server without TLS: not sent', async () => {
    expect(await send({ origin: server.url.replace('http:', 'https:') })).toMatchObject({ phase: 'not-sent', why: 'unreachable' });
  });

  it.each(['garbage\r\n\r\n', 'HTTP/1.1 abc OK\r\n\r\n', 'HTTP/1.1 200 OK\r\nbad header\r\n\r\n'])('%j is not HTTP', async (raw) => {
    server.script({ raw });
    expect(await send()).toMatchObject({ phase: 'ambiguous', why: 'invalid-http' });
  });

  it('a request that undici refuses: not sent', async () => {
    expect(await send({ headers: { 'x-a': 'a\nb' } })).toMatchObject({ phase: 'not-sent', why: 'invalid-request' });
  });

  it('given up before and while it is sent: deferred, then ambiguous', async () => {
    const abort = new AbortController();
    server.script({ hang: true });
    const running = send({ signal: abort.signal });
    const arrived = new Promise<void>((resolve) => {
      server.script(() => {
        resolve();
        return { hang: true };
      });
    });
    await arrived;
    abort.abort();
    expect(await running).toMatchObject({ phase: 'ambiguous', why: 'broken' });
    expect(await send({ signal: abort.signal })).toMatchObject({ phase: 'deferred' });
    expect(server.received).toHaveLength(1);
  });
});

describe('no call outlives its total', () => {
  it.each([
    ['a body that drips for ever', { drip: 20 }],
    ['an answer that never comes', { hang: true }],
    ['an answer that comes too late', { delay: 5_000 }],
  ])('%s: over within 100 ms of it', async (_name, fate) => {
    server.script(fate);
    const began = performance.now();
    const event = await send({ total: 400 });
    const took = performance.now() - began;
    expect(event).toMatchObject({ phase: 'ambiguous', why: 'timeout', message: 'not done within 400 ms' });
    expect(took).toBeGreaterThanOrEqual(399);
    expect(took).toBeLessThan(500);
  });

  it('nor does one that never gets a connection: not sent', async () => {
    const stuck = transport({ clock: plainClock, resolve: () => new Promise(() => {}) });
    const began = performance.now();
    expect(await stuck.send(request({ origin: 'https://api.example', total: 200 }))).toMatchObject({
      phase: 'not-sent',
      why: 'unreachable',
    });
    expect(performance.now() - began).toBeLessThan(300);
    await stuck.close();
  });

  it('the connection itself has a limit of its own', async () => {
    const stuck = transport({ clock: plainClock, resolve: () => new Promise(() => {}) });
    expect(await stuck.send(request({ origin: 'https://api.example', connectTimeout: 100 }))).toMatchObject({
      phase: 'not-sent',
      why: 'unreachable',
      message: 'no connection (ETIMEDOUT)',
    });
    await stuck.close();
  });

  it('the answer has to begin in time', async () => {
    server.script({ hang: true });
    expect(await send({ headersMs: 150 })).toMatchObject({ phase: 'ambiguous', why: 'timeout', message: 'no answer within 150 ms' });
  });
});

describe('bodies', () => {
  it('are cut at the cap, and the rest is not read', async () => {
    server.script({ endless: true, body: 'x'.repeat(64_000) });
    const event = answered(await send({ maxBody: 10_000 }));
    expect(event).toMatchObject({ status: 200, truncated: true, bytes: 10_000 });
    expect(event.body.length).toBe(10_000);
  });

  it('of exactly the cap are whole', async () => {
    server.script({ body: 'x'.repeat(10_000) });
    expect(answered(await send({ maxBody: 10_000 })).truncated).toBe(false);
  });

  const text = JSON.stringify({ text: 'Bär '.repeat(500) });
  it.each([
    ['gzip', gzipSync(text)],
    ['br', brotliCompressSync(text)],
    ['deflate', deflateSync(text)],
    ['deflate', deflateRawSync(text)],
    ['identity', Buffer.from(text)],
  ])('in %s come out as they were', async (coding, body) => {
    server.script({ body, headers: { 'content-encoding': coding } });
    expect(answered(await send()).body.toString()).toBe(text);
  });

  it('that are cut by their decoded size', async () => {
    server.script({ body: gzipSync('x'.repeat(50_000)), headers: { 'content-encoding': 'gzip' } });
    const event = answered(await send({ maxBody: 10_000 }));
    expect(event.truncated).toBe(true);
    expect(event.body.length).toBe(10_000);
  });

  it('that explode when unpacked are not HTTP that anybody should read', async () => {
    server.script({ body: gzipSync(Buffer.alloc(30_000_000)), headers: { 'content-encoding': 'gzip' } });
    expect(await send({ maxBody: 20_000_000 })).toMatchObject({
      phase: 'ambiguous',
      why: 'invalid-http',
      message: expect.stringContaining('grows') as string,
    });
  });

  it('that are not what their coding says are invalid', async () => {
    server.script({ body: 'not gzip', headers: { 'content-encoding': 'gzip' } });
    expect(await send()).toMatchObject({ phase: 'ambiguous', why: 'invalid-http' });
  });
});

describe('the guard on the wire', () => {
  it('refuses loopback where it is not opened, by name and by literal, and nothing is sent', async () => {
    const guarded = transport({ clock: plainClock });
    const literal = await guarded.send(request());
    expect(literal).toMatchObject({ phase: 'not-sent', why: 'guard' });
    const byName = await guarded.send(request({ origin: `http://localhost:${server.port}` }));
    expect(byName).toMatchObject({ phase: 'not-sent', why: 'guard' });
    expect(server.sockets()).toBe(0);
    await guarded.close();
  });

  it('refuses a name that points to a private address, without saying which', async () => {
    const guarded = transport({ clock: plainClock, resolve: async () => [{ address: '169.254.169.254', family: 4 }] });
    const event = await guarded.send(request({ origin: 'https://innocent.example' }));
    expect(event).toMatchObject({ phase: 'not-sent', why: 'guard' });
    expect(JSON.stringify(event)).not.toContain('169.254');
    await guarded.close();
  });

  it('connects to the very address that was checked: the name is asked once', async () => {
    let asked = 0;
    const once = transport({
      clock: plainClock,
      resolve: async () => {
        asked += 1;
        return [{ address: asked === 1 ? '127.0.0.1' : '10.0.0.1', family: 4 }];
      },
    });
    const open = compileAllow(['rebound.example'], 'test');
    expect(await once.send(request({ origin: `http://rebound.example:${server.port}`, allowed: open }))).toMatchObject({
      phase: 'answered',
    });
    expect(asked).toBe(1);
    await once.close();
  });

  it('goes on to the next address when one does not answer', async () => {
    const two = transport({
      clock: plainClock,
      allowLoopback: true,
      resolve: async () => [
        { address: '127.0.0.2', family: 4 },
        { address: '127.0.0.1', family: 4 },
      ],
    });
    expect(await two.send(request({ origin: `http://two.example:${server.port}` }))).toMatchObject({ phase: 'answered' });
    await two.close();
  });
});
