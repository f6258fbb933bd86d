/**
 * The classification by what undici really reports: each phase of each way to break, on real sockets, for each effect class. The first
 * attempt meets the fate, the second one succeeds: so `retry` is a success after two, `unknown` and `fail` are errors after one.
 */

import type { AddressInfo } from 'node:net';
import { createServer, connect as netConnect, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Row } from '../../src/http/classify.ts';
import type { ConnectionOptions } from '../../src/http/options.ts';
import type { HttpRuntimeOptions } from '../../src/http/runtime.ts';
import type { Fate } from '../support/hostile-server.ts';
import { type Harness, harness } from '../support/http.ts';
import { recorder } from '../support/records.ts';
import { selfSigned } from '../support/self-signed.ts';

type Outcome = 'retry' | 'unknown' | 'fail' | 'done' | 'wait';
type Outcomes = Outcome | 'retry unless unsafe';

const CALLS = [
  ['safe', 'GET', {}],
  ['idempotent', 'PUT', { json: {} }],
  ['keyed', 'POST', { json: {} }],
  ['unsafe', 'PATCH', { json: {}, effects: 'unsafe' as const }],
] as const;
const KEYED = { idempotencyKey: { header: 'Idempotency-Key' } };

let world: Harness;
let told: ReturnType<typeof recorder>;
let closing: Array<() => Promise<unknown>> = [];
beforeEach(() => {
  told = recorder();
  closing = [];
});
afterEach(async () => {
  for (const close of closing) await close();
  await world.close();
});

async function make(options: Partial<HttpRuntimeOptions> = {}): Promise<void> {
  world = await harness({ tracer: told.tracer, ...options });
}

async function listening(server: Server): Promise<number> {
  const open = new Set<Socket>();
  server.on('connection', (socket) => {
    open.add(socket);
    socket.on('error', () => {}).on('close', () => open.delete(socket));
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  closing.push(() => {
    for (const socket of open) socket.destroy();
    return new Promise((closed) => server.close(closed));
  });
  return (server.address() as AddressInfo).port;
}

/** What came of the call, and the row that its first attempt's record tells. */
async function outcomeOf(at: number, options: Partial<ConnectionOptions> = {}): Promise<{ row: string | undefined; outcome: Outcome }> {
  const [, method, call] = CALLS[at] as (typeof CALLS)[number];
  let failed: string | undefined;
  try {
    await world.connect({ ...KEYED, retry: { attempts: 2 }, ...options }).request(method, '/', call);
  } catch (error) {
    failed = (error as { code: string }).code;
  }
  const { records } = told;
  const first = records[0];
  if (failed === 'E_UNKNOWN_OUTCOME') return { row: first?.row, outcome: 'unknown' };
  if (failed !== undefined) return { row: first?.row, outcome: records.length === 1 ? 'fail' : 'retry' };
  return { row: first?.row, outcome: records.length === 1 ? 'done' : first?.class === 'throttle' ? 'wait' : 'retry' };
}

const expected = (outcomes: Outcomes, effect: string): Outcome =>
  outcomes !== 'retry unless unsafe' ? outcomes : effect === 'unsafe' ? 'unknown' : 'retry';

type Wire = { name: string; row: Row; outcomes: Outcomes; fate: Fate; options?: Partial<ConnectionOptions> };
const AMBIGUOUS = { row: 'broken after sending', outcomes: 'retry unless unsafe' } as const;
const INVALID = { row: 'invalid HTTP', outcomes: 'retry unless unsafe' } as const;
const DONE = { row: '2xx', outcomes: 'done' } as const;
const raw = (...lines: string[]): Fate => ({ raw: lines.join('\r\n') });

const ON_THE_WIRE: readonly Wire[] = [
  { name: 'reset when the head has been read', ...AMBIGUOUS, fate: { reset: 'on-head' } },
  { name: 'reset before the effect', ...AMBIGUOUS, fate: { reset: 'before-effect' } },
  { name: 'reset after the effect', ...AMBIGUOUS, fate: { reset: 'after-effect' } },
  { name: 'closed in place of an answer', ...AMBIGUOUS, fate: { close: 'before-answer' } },
  { name: 'reset in the middle of the body', ...AMBIGUOUS, fate: { reset: 'half-body', body: 'x'.repeat(2_000) } },
  { name: 'closed in the middle of the body', ...AMBIGUOUS, fate: { close: 'half-body', body: 'x'.repeat(2_000) } },
  { name: 'half a status line', ...AMBIGUOUS, fate: raw('HTTP/1.1 2') },
  { name: 'half the headers', ...AMBIGUOUS, fate: raw('HTTP/1.1 200 OK', 'content-ty') },
  { name: 'headers without an end', ...AMBIGUOUS, fate: raw('HTTP/1.1 200 OK', 'content-length: 2', '') },
  { name: 'less than the content length', ...AMBIGUOUS, fate: raw('HTTP/1.1 200 OK', 'content-length: 10', '', '{}') },
  { name: 'chunks without the last', ...AMBIGUOUS, fate: raw('HTTP/1.1 200 OK', 'transfer-encoding: chunked', '', '2', '{}', '') },
  { name: 'half a chunk', ...AMBIGUOUS, fate: raw('HTTP/1.1 200 OK', 'transfer-encoding: chunked', '', '20', '{}') },
  { name: 'a body until the end of the connection', ...DONE, fate: raw('HTTP/1.1 200 OK', '', '{}') },
  { name: 'no body, as its length says', ...DONE, fate: raw('HTTP/1.1 200 OK', 'content-length: 0', '', '') },
  {
    name: 'an early hint before the answer',
    ...DONE,
    fate: raw('HTTP/1.1 103 Early Hints', 'link: </a>', '', 'HTTP/1.1 200 OK', 'content-length: 2', '', '{}'),
  },
  {
    name: 'several of 1xx before the answer',
    ...DONE,
    fate: raw('HTTP/1.1 102 Processing', '', 'HTTP/1.1 103 Early Hints', '', 'HTTP/1.1 201 Created', 'content-length: 2', '', '{}'),
  },
  { name: '1xx and then nothing', ...AMBIGUOUS, fate: raw('HTTP/1.1 103 Early Hints', '', '') },
  {
    name: 'a switch of protocols that nobody asked for',
    ...AMBIGUOUS,
    fate: raw('HTTP/1.1 101 Switching Protocols', 'upgrade: x', 'connection: upgrade', '', ''),
  },
  { name: 'what is not HTTP', ...INVALID, fate: raw('SSH-2.0-OpenSSH_9.6', '') },
  { name: 'a status that is no number', ...INVALID, fate: raw('HTTP/1.1 abc OK', '', '') },
  { name: 'a header that is none', ...INVALID, fate: raw('HTTP/1.1 200 OK', 'bad header', '', '') },
  {
    name: 'a chunk whose size is none',
    ...INVALID,
    fate: raw('HTTP/1.1 200 OK', 'transfer-encoding: chunked', '', 'zz', '{}', '0', '', ''),
  },
  { name: 'a content length that is none', ...INVALID, fate: raw('HTTP/1.1 200 OK', 'content-length: x', '', '{}') },
  { name: 'two content lengths', ...INVALID, fate: raw('HTTP/1.1 200 OK', 'content-length: 2', 'content-length: 3', '', '{}') },
  { name: 'more headers than anybody reads', ...INVALID, fate: raw('HTTP/1.1 200 OK', `x-long: ${'x'.repeat(40_000)}`, '', '{}') },
  { name: 'an answer that never comes', ...AMBIGUOUS, fate: { hang: true }, options: { timeout: { headers: '150ms' } } },
  { name: 'a body that drips', ...AMBIGUOUS, fate: { drip: 20 }, options: { timeout: '300ms' } },
  {
    name: 'a body that stops',
    ...AMBIGUOUS,
    fate: { drip: 60_000 },
    options: { timeout: { total: '5s', headers: '200ms', idle: '100ms' } },
  },
  { name: 'a body that is not what its coding says', ...INVALID, fate: { body: 'no gzip', headers: { 'content-encoding': 'gzip' } } },
];

describe.each(CALLS.map(([effect], at) => ({ effect, at })))('of a call that is $effect', ({ effect, at }) => {
  it.each(ON_THE_WIRE)('$name', async ({ row, outcomes, fate, options }) => {
    await make();
    world.server.script(fate, {});
    expect(await outcomeOf(at, options)).toEqual({ row, outcome: expected(outcomes, effect) });
  });

  it('more than the content length: the answer is whole, and the socket is used no more', async () => {
    await make();
    world.server.script(raw('HTTP/1.1 200 OK', 'content-length: 2', '', '{}HTTP/1.1 200 OK', 'content-length: 6', '', '"evil"'), {});
    expect(await outcomeOf(at)).toEqual({ row: '2xx', outcome: 'done' });
    expect((await world.connect(KEYED).get('/')).data).toEqual({ ok: true });
  });

  it('nobody listens', async () => {
    const gone = createServer();
    await new Promise<void>((ready) => gone.listen(0, '127.0.0.1', ready));
    const { port } = gone.address() as AddressInfo;
    await new Promise((closed) => gone.close(closed));
    let dials = 0;
    await make({ dial: (_target, _addresses, open) => (dials++ === 0 ? netConnect(port, '127.0.0.1') : open()) });
    expect(await outcomeOf(at)).toEqual({ row: 'unreachable', outcome: 'retry' });
    expect(world.server.received).toHaveLength(1);
  });

  it.each([
    ['ENOTFOUND', 'name not found'],
    ['EAI_AGAIN', 'unreachable'],
    ['EAI_FAIL', 'unreachable'],
    ['ETIMEOUT', 'unreachable'],
  ])('a resolver that says %s', async (code, row) => {
    let asked = 0;
    await make({
      resolve: async () => {
        if (asked++ === 0) throw Object.assign(new Error('getaddrinfo'), { code });
        return [{ address: '127.0.0.1', family: 4 }];
      },
    });
    const baseUrl = `http://api.example:${world.server.port}`;
    expect(await outcomeOf(at, { baseUrl })).toEqual({ row, outcome: 'retry' });
    expect(world.server.received).toHaveLength(1);
  });

  it('a name that never answers, and one that never connects', async () => {
    await make({ resolve: () => new Promise(() => {}) });
    expect(await outcomeOf(at, { baseUrl: 'https://api.example', connectTimeout: '50ms' })).toEqual({
      row: 'unreachable',
      outcome: 'retry',
    });
  });

  it('a TLS handshake that is broken off', async () => {
    let sockets = 0;
    const port = await listening(
      createServer((socket) => {
        sockets += 1;
        socket.once('data', () => socket.resetAndDestroy());
      }),
    );
    await make();
    expect(await outcomeOf(at, { baseUrl: `https://127.0.0.1:${port}` })).toEqual({ row: 'unreachable', outcome: 'retry' });
    expect(sockets).toBe(2);
  });

  it('a server that speaks something else than TLS', async () => {
    await make();
    expect(await outcomeOf(at, { baseUrl: world.server.url.replace('http:', 'https:') })).toEqual({ row: 'unreachable', outcome: 'retry' });
  });

  it.each([
    ['expired', { host: 'api.example', from: new Date(2_000_000_000), to: new Date(3_000_000_000) }, true],
    ['not yet valid', { host: 'api.example', from: new Date(Date.now() + 86_400_000), to: new Date(Date.now() + 2 * 86_400_000) }, true],
    ['of another host', { host: 'other.example' }, true],
    ['of no host', {}, true],
    ['that nobody vouches for', { host: 'api.example' }, false],
  ])('a certificate %s', async (_name, options, trust) => {
    const { key, cert } = selfSigned(options);
    let requests = 0;
    const port = await listening(createTlsServer({ key, cert }, (socket) => socket.on('data', () => requests++).on('error', () => {})));
    await make({ resolve: async () => [{ address: '127.0.0.1', family: 4 }], ...(trust ? { ca: cert } : {}) });
    expect(await outcomeOf(at, { baseUrl: `https://api.example:${port}` })).toEqual({ row: 'certificate', outcome: 'fail' });
    expect(requests).toBe(0);
  });

  it('an address that the guard refuses', async () => {
    await make({ resolve: async () => [{ address: '10.0.0.1', family: 4 }] });
    expect(await outcomeOf(at, { baseUrl: 'https://api.example' })).toEqual({ row: 'guard', outcome: 'fail' });
  });

  it('a socket that was closed while it was idle costs no attempt, and is never what an unsafe call meets', async () => {
    await make();
    const crm = world.connect({ ...KEYED, retry: { attempts: 1 } });
    const [, method, call] = CALLS[at] as (typeof CALLS)[number];
    await crm.get('/');
    await new Promise((turned) => setImmediate(turned));
    // The server reads the request on the kept socket, and closes: it had given it up already.
    world.server.script(({ socket }) => (socket === 1 ? { reset: 'on-head' } : {}));
    expect((await crm.request(method, '/', call)).status).toBe(200);
    const sent = world.server.received.slice(1);
    expect(sent).toHaveLength(effect === 'unsafe' ? 1 : 2);
    expect(told.records.at(-1)).toMatchObject({ n: 1, reused: false, ...(effect === 'unsafe' ? {} : { resent: true }) });
    expect(new Set(sent.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
  });

  it('is sent again free of charge once, not twice', async () => {
    await make();
    const crm = world.connect({ ...KEYED, retry: { attempts: 1 } });
    const [, method, call] = CALLS[at] as (typeof CALLS)[number];
    await crm.get('/');
    await new Promise((turned) => setImmediate(turned));
    world.server.script({ reset: 'on-head' });
    await expect(crm.request(method, '/', call)).rejects.toThrow();
    expect(world.server.received.slice(1)).toHaveLength(effect === 'unsafe' ? 1 : 2);
  });
});

const STATUSES: ReadonlyArray<{ status: number; row: Row; outcomes: Outcomes; headers?: Record<string, string> }> = [
  ...[200, 201, 202, 204, 206].map((status) => ({ status, row: '2xx' as const, outcomes: 'done' as const })),
  ...[301, 302, 303, 307, 308].map((status) => ({ status, row: '3xx' as const, outcomes: 'fail' as const, headers: { location: '/' } })),
  ...[400, 401, 402, 403, 404, 405, 410, 413, 422, 423, 424, 451].map((status) => ({
    status,
    row: 'other 4xx' as const,
    outcomes: 'fail' as const,
  })),
  { status: 409, row: '409', outcomes: 'fail' },
  { status: 403, row: '403 with quota markers', outcomes: 'wait', headers: { 'retry-after': '1' } },
  { status: 403, row: '403 with quota markers', outcomes: 'wait', headers: { 'x-ratelimit-remaining': '0' } },
  ...[408, 421, 425].map((status) => ({ status, row: '408 425 421' as const, outcomes: 'retry' as const })),
  ...[413, 423, 424].map((status) => ({
    status,
    row: '413 423 424 with Retry-After' as const,
    outcomes: 'wait' as const,
    headers: { 'retry-after': '1' },
  })),
  ...[420, 429, 529].map((status) => ({ status, row: 'throttle' as const, outcomes: 'wait' as const })),
  { status: 503, row: 'throttle', outcomes: 'wait', headers: { 'retry-after': '2' } },
  { status: 503, row: 'throttle', outcomes: 'wait', headers: { ratelimit: '"default";r=0;t=3' } },
  { status: 503, row: '503 without a hint', outcomes: 'retry unless unsafe' },
  { status: 500, row: '500', outcomes: 'retry unless unsafe' },
  ...[502, 504, 520, 524, 527].map((status) => ({ status, row: 'ambiguous gateway' as const, outcomes: 'retry unless unsafe' as const })),
  ...[521, 522, 523].map((status) => ({ status, row: 'gateway could not connect' as const, outcomes: 'retry' as const })),
  ...[501, 505, 506, 508, 510, 511, 525, 526].map((status) => ({ status, row: 'permanent 5xx' as const, outcomes: 'fail' as const })),
  ...[507, 530, 599].map((status) => ({ status, row: 'other 5xx' as const, outcomes: 'retry unless unsafe' as const })),
  { status: 404, row: 'should-retry: true', outcomes: 'retry', headers: { 'x-should-retry': 'true' } },
  { status: 429, row: 'should-retry: false', outcomes: 'fail', headers: { 'stripe-should-retry': 'false' } },
];

describe.each(CALLS.map(([effect], at) => ({ effect, at })))('an answer to a call that is $effect', ({ effect, at }) => {
  it.each(STATUSES)('of $status with $headers: $row', async ({ status, row, outcomes, headers = {} }) => {
    await make();
    world.server.script({ status, headers, ...(status === 204 ? { body: '' } : {}) }, {});
    expect(await outcomeOf(at)).toEqual({ row, outcome: expected(outcomes, effect) });
  });
});

describe('an answer that comes before the request is sent', () => {
  it('is the answer, though the rest of the body was never wanted', async () => {
    const port = await listening(
      createServer((socket) => {
        socket.once('data', () => socket.end('HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n'));
      }),
    );
    await make();
    const crm = world.connect({ baseUrl: `http://127.0.0.1:${port}`, retry: { attempts: 1 } });
    await expect(crm.post('/', { body: 'x'.repeat(5_000_000) })).rejects.toMatchObject({ status: 413, code: 'E_CALL_FAILED' });
  });
});
