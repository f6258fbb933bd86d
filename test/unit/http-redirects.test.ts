/** Redirects: followed only where it is asked for, and never further than is harmless. Real servers; another port is another origin. */
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bearer, query } from '../../src/http/auth/auth.ts';
import { secret } from '../../src/http/auth/secrets.ts';
import type { CallError } from '../../src/http/errors.ts';
import type { BodyOptions, ConnectionOptions } from '../../src/http/options.ts';
import { target } from '../../src/http/redirects.ts';
import { type HostileServer, hostileServer } from '../support/hostile-server.ts';
import { failure, type Harness, harness, TOKEN } from '../support/http.ts';
import { recorder } from '../support/records.ts';
import { selfSigned } from '../support/self-signed.ts';

let world: Harness;
let other: HostileServer;
let told: ReturnType<typeof recorder>;
beforeEach(async () => {
  told = recorder();
  world = await harness({ tracer: told.tracer });
  other = await hostileServer();
});
afterEach(async () => {
  await other.close();
  await world.close();
});

const FOLLOW = { redirects: 'follow' } as const;
const AUTH = { auth: bearer(secret('crm/token')) };
const to = (location: string, status = 302) => ({ status, headers: { location } });
const like = (pattern: RegExp) => expect.stringMatching(pattern) as string;
const follow = (more: Partial<ConnectionOptions> = {}) => world.connect({ ...FOLLOW, ...more });

describe('a redirect', () => {
  it('fails the call where nobody asked for it to be followed', async () => {
    world.server.script(to('/elsewhere'));
    expect(await failure(world.connect().get('/'))).toMatchObject({ code: 'E_CALL_FAILED', status: 302, message: like(/not followed/) });
    expect(world.server.received).toHaveLength(1);
  });

  it.each([301, 302, 303, 307, 308])('of %i is followed within the same attempt, for GET and HEAD', async (status) => {
    for (const method of ['GET', 'HEAD']) {
      world.server.script(to('/there?a=1', status), { body: '{"there":true}' });
      const reply = await follow().request(method, '/');
      expect(reply).toMatchObject({ status: 200, data: method === 'GET' ? { there: true } : undefined });
    }
    expect(world.server.received.map(({ method, url }) => `${method} ${url}`)).toEqual([
      'GET /',
      'GET /there?a=1',
      'HEAD /',
      'HEAD /there?a=1',
    ]);
    expect(world.waits).toEqual([]);
  });

  it.each([300, 304, 305])('of %i leads nowhere: it is an answer', async (status) => {
    world.server.script(to('/there', status));
    expect(await failure(follow().get('/'))).toMatchObject({ status });
    expect(world.server.received).toHaveLength(1);
  });

  it('can be asked for by a connection, a route and a call, the nearer one counting', async () => {
    world.server.script(to('/b'), {});
    expect((await world.connect().get('/a', FOLLOW)).status).toBe(200);
    world.server.script(to('/b'), {});
    expect((await world.connect({ routes: [{ path: '/a', ...FOLLOW }] }).get('/a')).status).toBe(200);
    world.server.script(to('/b'), {});
    expect(await failure(follow().get('/a', { redirects: 'error' }))).toMatchObject({ status: 302 });
    expect(() => world.connect({ redirects: 'yes' as 'follow' })).toThrow(/connection "crm": redirects must be 'error' \| 'follow'/);
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE'])(
    'of a %s is never followed: no method is rewritten, no effect sent elsewhere',
    async (method) => {
      world.server.script(to('/there', 307), {});
      const options: BodyOptions = method === 'DELETE' ? {} : { json: { a: 1 } };
      expect(await failure(follow().request(method, '/', options))).toMatchObject({ status: 307 });
      expect(world.server.received).toHaveLength(1);
    },
  );

  it('of a GET that may change something is not followed either', async () => {
    world.server.script(to('/there'), {});
    expect(await failure(follow().get('/', { effects: 'unsafe' }))).toMatchObject({ status: 302 });
    expect(world.server.received).toHaveLength(1);
  });

  it('whose status is accepted is a reply', async () => {
    world.server.script(to('/there'));
    expect((await follow().get('/', { acceptStatus: [302] })).status).toBe(302);
    world.server.script(to('/b', 301), to('/c', 302), {});
    expect((await follow().get('/', { acceptStatus: [302] })).headers.get('location')).toBe('/c');
  });

  it('is followed three times and no more', async () => {
    world.server.script(to('/1'), to('/2'), to('/3'), { body: '"end"' });
    expect((await follow().get('/')).data).toBe('end');
    world.server.script(to('/1'), to('/2'), to('/3'), to('/4'), {});
    expect(await failure(follow().get('/'))).toMatchObject({ message: like(/more than 3/), status: 302 });
    expect(world.server.received).toHaveLength(8);
  });

  it.each([
    ['itself', [to('/')]],
    ['where it came from', [to('/b'), to('/')]],
    ['a page that differs by its fragment only', [to('/#again')]],
  ])('to %s leads in a circle, and is not walked twice', async (_name, fates) => {
    world.server.script(...fates);
    expect(await failure(follow().get('/'))).toMatchObject({ message: like(/circle/) });
    expect(world.server.received).toHaveLength(fates.length);
  });

  it.each([
    ['nothing', undefined, /where to/],
    ['what is no URL', 'http://[::bad', /no URL/],
    ['a file', 'file:///etc/passwd', /neither http nor https/],
    ['a script', 'javascript:alert(1)', /neither http nor https/],
    ['another protocol', 'gopher://api.example/', /neither http nor https/],
    ['a URL with a password', 'http://user:pw@127.0.0.1/', /user or password/],
    ['a URL with a user', 'http://user@127.0.0.1/', /user or password/],
  ])('to %s is refused, with the reason', async (_name, location, message) => {
    world.server.script({ status: 302, ...(location === undefined ? {} : { headers: { location } }) });
    const error = await failure<CallError>(follow().get('/'));
    expect(error).toMatchObject({ code: 'E_CALL_FAILED', status: 302 });
    expect(error.message).toMatch(message);
    expect(world.server.received).toHaveLength(1);
  });
});

describe('what is sent after a redirect', () => {
  it('to the same origin is all that was sent to it', async () => {
    world.server.script(to('/there'), {});
    await follow(AUTH).get('/', { headers: { 'x-mine': 'a' } });
    expect(world.server.received[1]?.headers).toMatchObject({ authorization: `Bearer ${TOKEN}`, 'x-mine': 'a' });
  });

  it('to another origin is nothing that was meant for the API', async () => {
    world.server.script(to(`${other.url}/there`));
    await follow({ ...AUTH, headers: { cookie: 'a=b', 'x-api-key': 'k', 'x-mine': 'm', accept: 'text/csv' } }).get('/');
    const { headers } = other.received[0] ?? {};
    for (const name of ['authorization', 'cookie', 'x-api-key', 'x-mine', 'traceparent']) expect(headers).not.toHaveProperty(name);
    expect(headers).toMatchObject({ accept: 'text/csv', 'user-agent': 'holdfast' });
    expect(JSON.stringify(other.received)).not.toContain(TOKEN);
  });

  it('has no idempotency key elsewhere', async () => {
    world.server.script(to(`${other.url}/there`));
    await follow({ idempotencyKey: { header: 'Idempotency-Key' } }).get('/', { effects: 'keyed' });
    expect(world.server.received[0]?.headers).toHaveProperty('idempotency-key');
    expect(other.received[0]?.headers).not.toHaveProperty('idempotency-key');
  });

  it('and back again is still without credentials: who sent us there is not trusted', async () => {
    world.server.script(to(`${other.url}/`), {});
    other.script(to(`${world.server.url}/admin`));
    await follow(AUTH).get('/');
    expect(world.server.received[1]).toMatchObject({ url: '/admin' });
    expect(world.server.received[1]?.headers).not.toHaveProperty('authorization');
  });

  it('does not make the credential look refused when another origin asks for one', async () => {
    world.server.script(to(`${other.url}/`));
    other.script({ status: 401 });
    expect(await failure(follow(AUTH).get('/'))).toMatchObject({ status: 401 });
    expect(other.received).toHaveLength(1);
    expect(world.server.received).toHaveLength(1);
  });

  it('is nothing at all where the API put the credential into the location', async () => {
    world.server.script((request) => to(`${other.url}${request.url}`));
    const made = follow({ auth: query('api_key', secret('crm/token')) });
    const error = await failure<CallError>(made.get('/list'));
    expect(world.server.received[0]?.url).toContain(TOKEN);
    expect(error.message).toMatch(/would carry a credential to another origin/);
    expect(other.received).toHaveLength(0);
    expect(JSON.stringify(told.verdicts)).not.toContain(TOKEN);
  });

  it.each([
    ['in lower case', (text: string) => encodeURIComponent(text).replace(/%../g, (byte) => byte.toLowerCase())],
    ['as a form does', (text: string) => new URLSearchParams([['', text]]).toString().slice(1)],
    ['with more than need be', (text: string) => encodeURIComponent(text).replaceAll("'", '%27')],
    ['twice', (text: string) => encodeURIComponent(encodeURIComponent(text))],
    ['as it is', (text: string) => text],
  ])('nor where the API encodes it %s', async (_how, write) => {
    const key = "it's+a/secret of=mine";
    world.secrets.set('crm/token', key);
    world.server.script(to(`${other.url}/?api_key=${write(key)}`));
    const made = follow({ auth: query('api_key', secret('crm/token')) });
    expect((await failure<CallError>(made.get('/list'))).message).toMatch(/would carry a credential to another origin/);
    expect(other.received).toHaveLength(0);
  });

  it('leaves the secret out where the other origin echoes it', async () => {
    world.server.script(to(`${other.url}/`));
    other.script({ body: JSON.stringify({ heard: TOKEN }) });
    expect(JSON.stringify(await follow(AUTH).get('/'))).not.toContain(TOKEN);
  });
});

describe('the guard sees every hop', () => {
  it.each(['http://169.254.169.254/latest/meta-data', 'https://10.0.0.1/', 'https://[fd00::1]/', 'http://2130706433.example/'])(
    '%s: refused for good, without a word of the address',
    async (location) => {
      await world.close();
      world = await harness({ resolve: async () => [{ address: '10.9.8.7', family: 4 }] });
      world.server.script(to(location));
      const error = await failure<CallError>(follow().get('/'));
      expect(error).toMatchObject({ code: 'E_CALL_FAILED', status: undefined, attempts: 1 });
      expect(`${error.message}${JSON.stringify(error)}`).not.toMatch(/169\.254|10\.0\.0\.1|fd00|10\.9/);
      expect(world.waits).toEqual([]);
    },
  );

  it('never goes from https to http, not even where http is allowed', async () => {
    const { key, cert } = selfSigned({ host: 'api.example' });
    const secure = createServer({ key, cert }, (_request, response) => response.writeHead(302, { location: other.url }).end());
    await new Promise<void>((listening) => secure.listen(0, '127.0.0.1', listening));
    await world.close();
    world = await harness({ ca: cert, resolve: async () => [{ address: '127.0.0.1', family: 4 }] });
    const baseUrl = `https://api.example:${(secure.address() as AddressInfo).port}`;
    expect(await failure(follow({ baseUrl }).get('/'))).toMatchObject({ message: like(/from https to plain http/) });
    expect(other.received).toHaveLength(0);
    secure.closeAllConnections();
    await new Promise((closed) => secure.close(closed));
  });

  it('reads a location as URLs are read, whatever is in it', () => {
    const from = new URL('https://api.example/a/b?c=1');
    const read = (location: string) => {
      const found = target(location, from);
      return 'url' in found ? found.url.href : found.refused;
    };
    expect(read('//evil.example/x')).toBe('https://evil.example/x');
    expect(read('/\\evil.example/x')).toBe('https://evil.example/x');
    expect(read('\t/x')).toBe('https://api.example/x');
    expect(read('?d=2')).toBe('https://api.example/a/b?d=2');
    expect(read('HTTPS://API.EXAMPLE:443/x#y')).toBe('https://api.example/x');
    expect(read('https://①②⑦.⓪.⓪.①/')).toBe('https://127.0.0.1/');
    expect(read('http://api.example/')).toMatch(/plain http/);
    expect(read('//user@evil.example/')).toMatch(/user or password/);
  });
});

describe('an attempt with redirects', () => {
  it('is over at its total, however many hops there are', async () => {
    world.server.script(to('/1'), (request) => ({ ...to(`${request.url}1`), delay: 150 }));
    const began = performance.now();
    const error = await failure<CallError>(follow({ timeout: '300ms', retry: { attempts: 1 } }).get('/'));
    expect(performance.now() - began).toBeLessThan(400);
    expect(error.message).toMatch(/not done within|more than 3/);
  });

  it('that breaks on its way is made again from the beginning', async () => {
    world.server.script(to('/there'), { reset: 'before-effect' }, to('/there'), { body: '"there"' });
    expect((await follow().get('/')).data).toBe('there');
    expect(world.server.received.map(({ url }) => url)).toEqual(['/', '/there', '/', '/there']);
  });

  it('records the hops, without their queries, secrets and addresses', async () => {
    world.server.script(to(`/there/${TOKEN}?key=hidden`), to('/end?sig=hidden'), {});
    await follow(AUTH).get('/');
    const [record] = told.records;
    expect(record?.hops).toEqual([
      { status: 302, to: `http://‹address›:${world.server.port}/…` },
      { status: 302, to: `http://‹address›:${world.server.port}/end` },
    ]);
    expect(JSON.stringify(record)).not.toMatch(/hidden/);
  });

  it('keeps no URL of a hop, which may have a signature in its query, where nobody can ask for it', async () => {
    world.server.script(to('/end?sig=hidden'), {});
    await follow().get('/');
    expect(JSON.stringify(told.verdicts)).not.toContain('hidden');
    world.server.script(to('/end?sig=hidden'), {});
    expect((await follow().fetch('/')).url).toContain('?sig=hidden');
  });

  it('records no path of a hop where paths are hidden', async () => {
    world.server.script(to('/people/123-45-6789'), {});
    await follow({ hidePath: true }).get('/');
    expect(told.records[0]?.hops).toEqual([{ status: 302, to: `http://‹address›:${world.server.port}/…` }]);
  });

  it('records why a hop was not followed', async () => {
    world.server.script(to('/a'), to('/a'));
    await failure(follow().get('/'));
    expect(told.records[0]).toMatchObject({
      row: '3xx',
      class: 'permanent',
      why: 'the redirect is not followed: it leads in a circle',
      hops: [{}],
    });
  });
});

describe('fetch and redirects', () => {
  it('gives the redirect back where the connection does not follow', async () => {
    world.server.script(to('/there'));
    const response = await world.connect().fetch('/');
    expect(response).toMatchObject({ status: 302, redirected: false });
    expect(response.headers.get('location')).toBe('/there');
  });

  it('follows where the connection does, or the call says so, and tells where it ended', async () => {
    for (const [made, init] of [
      [follow(), {}],
      [world.connect(), { redirect: 'follow' as const }],
    ] as const) {
      world.server.script(to('/there?a=1'), { body: 'x' });
      const response = await made.fetch('/', init);
      expect(response).toMatchObject({ status: 200, redirected: true, url: `${world.server.url}/there?a=1` });
      expect(await response.text()).toBe('x');
    }
  });

  it('does what init.redirect says: manual gives it back, error rejects', async () => {
    world.server.script(to('/there'));
    expect((await follow().fetch('/', { redirect: 'manual' })).status).toBe(302);
    expect(await failure(follow().fetch('/', { redirect: 'error' }))).toMatchObject({ code: 'E_CALL_FAILED', status: 302 });
    expect((await follow().fetch(new Request(`${world.server.url}/`, { redirect: 'manual' }))).status).toBe(302);
    expect(world.server.received.every(({ url }) => url === '/')).toBe(true);
  });

  it('rejects when a redirect that was to be followed must not be', async () => {
    world.server.script(to('ftp://api.example/'));
    expect(await failure(follow().fetch('/'))).toMatchObject({ code: 'E_CALL_FAILED', message: like(/neither http nor https/) });
  });

  it('gives back what is not modified, and the redirect of a POST', async () => {
    world.server.script({ status: 304, body: '' });
    expect((await follow().fetch('/', { headers: { 'if-none-match': '"a"' } })).status).toBe(304);
    world.server.script(to('/there', 307));
    expect((await follow().fetch('/', { method: 'POST', body: 'x' })).status).toBe(307);
  });
});
