import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { basic, bearer, header } from '../../src/http/auth/auth.ts';
import { secret } from '../../src/http/auth/secrets.ts';
import { connection } from '../../src/http/connection.ts';
import type { CallError, SchemaError } from '../../src/http/errors.ts';
import { failure, type Harness, harness, TOKEN } from '../support/http.ts';

let world: Harness;
beforeEach(async () => {
  world = await harness();
});
afterEach(() => world.close());

describe('a call', () => {
  it('resolves with status, headers and parsed JSON', async () => {
    world.server.script({ status: 201, headers: { 'x-request-id': 'r1' }, body: '{"id":"a"}' });
    const reply = await world.connect().post('/accounts', { json: { name: 'Acme' }, query: { notify: true } });
    expect(reply).toMatchObject({ status: 201, data: { id: 'a' } });
    expect(reply.headers.get('x-request-id')).toBe('r1');
    expect(world.server.received[0]).toMatchObject({ method: 'POST', url: '/accounts?notify=true', body: '{"name":"Acme"}' });
    expect(world.server.received[0]?.headers).toMatchObject({ 'content-type': 'application/json', 'user-agent': 'holdfast' });
  });

  it('keeps to the path of its base URL', async () => {
    await connection({ name: 'crm', baseUrl: `${world.server.url}/v2/` }).get('/a');
    expect(world.server.received[0]?.url).toBe('/v2/a');
  });

  it('reads a body by its content type, or as it is told', async () => {
    const crm = world.connect();
    world.server.script({ headers: { 'content-type': 'text/csv' }, body: 'a,b' });
    expect((await crm.get('/')).data).toBe('a,b');
    world.server.script({ headers: { 'content-type': 'application/pdf' }, body: Uint8Array.from([0, 255, 128]) });
    expect((await crm.get('/')).data).toEqual(Uint8Array.from([0, 255, 128]));
    world.server.script({ headers: { 'content-type': 'application/problem+json' }, body: '{"a":1}' });
    expect((await crm.get('/')).data).toEqual({ a: 1 });
    expect((await crm.get('/', { as: 'text' })).data).toBe('{"a":1}');
    expect((await crm.get('/', { as: 'bytes' })).data).toEqual(new TextEncoder().encode('{"a":1}'));
    world.server.script({ headers: { 'content-type': 'text/plain; charset=latin1' }, body: Uint8Array.from([0x42, 0xe4, 0x72]) });
    expect((await crm.get('/')).data).toBe('Bär');
    world.server.script({ status: 204, body: '' });
    expect((await crm.delete('/')).data).toBeUndefined();
    world.server.script({});
    expect(await crm.head('/')).toMatchObject({ status: 200, data: undefined });
  });

  it('proves who sends it by bearer, basic or a header of the API', async () => {
    await world.connect({ auth: bearer(secret('crm/token')) }).get('/');
    await world.connect({ auth: basic(secret('crm/user'), secret('crm/password')) }).get('/');
    await world.connect({ auth: header('X-Api-Key', secret('crm/token')) }).get('/');
    expect(world.server.received.map(({ headers }) => headers.authorization ?? headers['x-api-key'])).toEqual([
      `Bearer ${TOKEN}`,
      `Basic ${Buffer.from('ada:correct horse battery').toString('base64')}`,
      TOKEN,
    ]);
  });

  it('is validated by its schema, and what the schema makes of it is its data', async () => {
    world.server.script({ body: '{"id":"7","more":1}' });
    const reply = await world.connect().get('/', { schema: z.object({ id: z.coerce.number() }) });
    expect(reply.data).toEqual({ id: 7 });
  });

  it('takes one schema for each status, and accepts the statuses that have one', async () => {
    const schema = { 200: z.object({ id: z.string() }), 404: z.object({ title: z.string() }) };
    world.server.script({ status: 404, body: '{"title":"none"}' });
    expect(await world.connect().get('/', { schema })).toMatchObject({ status: 404, data: { title: 'none' } });
    world.server.script({ status: 202, body: '{}' });
    expect(await failure(world.connect().get('/', { schema }))).toMatchObject({
      code: 'E_SCHEMA',
      message: expect.stringContaining('status 202') as string,
    });
  });

  it('that does not satisfy its schema has succeeded, and says what is wrong where', async () => {
    world.server.script({ status: 201, body: '{"users":[{"id":1}]}' });
    const schema = z.object({ users: z.array(z.object({ id: z.string() })) });
    const error = await failure<SchemaError>(world.connect().post('/', { json: {}, schema }));
    expect(error).toMatchObject({ name: 'SchemaError', code: 'E_SCHEMA', status: 201, issues: [{ pointer: '/users/0/id' }] });
    expect(error.reply.data).toEqual({ users: [{ id: 1 }] });
    expect(world.server.received).toHaveLength(1);
  });

  it('whose JSON is none is a schema error, with the text at hand', async () => {
    world.server.script({ body: '<html>' });
    expect(await failure(world.connect().get('/'))).toMatchObject({ code: 'E_SCHEMA', reply: { data: '<html>' } });
  });

  it('accepts statuses that it names', async () => {
    world.server.script({ status: 404, body: '{}' });
    expect((await world.connect().get('/', { acceptStatus: [404] })).status).toBe(404);
    expect((await world.connect({ acceptStatus: [404] }).get('/')).status).toBe(404);
  });

  it('fails with the reply at hand', async () => {
    world.server.script({ status: 422, headers: { 'x-a': 'b' }, body: '{"field":"name"}' });
    const error = await failure<CallError>(world.connect().post('/accounts?secret=1', { json: {} }));
    expect(error).toMatchObject({
      name: 'CallError',
      code: 'E_CALL_FAILED',
      status: 422,
      attempts: 1,
      message: 'POST crm /accounts: answered 422',
    });
    expect(error.reply?.data).toEqual({ field: 'name' });
    expect(error.reply?.headers.get('x-a')).toBe('b');
  });

  it('does not follow redirects, nor send its credential after one', async () => {
    world.server.script({ status: 302, headers: { location: 'http://169.254.169.254/' } }, {});
    const error = await failure<CallError>(world.connect({ auth: bearer(secret('crm/token')) }).get('/'));
    expect(error).toMatchObject({ status: 302, message: 'GET crm /: answered 302 (redirects are not followed)' });
    expect(world.server.received).toHaveLength(1);
  });

  it('marks a body that was cut', async () => {
    world.server.script({ headers: { 'content-type': 'text/plain' }, body: 'x'.repeat(100) });
    expect(await world.connect().get('/', { maxBody: 10 })).toMatchObject({ truncated: true, data: 'x'.repeat(10) });
    expect(await failure(world.connect({ onTruncated: 'fail' }).get('/', { maxBody: 10 }))).toMatchObject({
      code: 'E_CALL_FAILED',
      status: 200,
    });
  });

  it.each<[string, (crm: ReturnType<Harness['connect']>) => Promise<unknown>, string]>([
    ['an unknown option', (crm) => crm.get('/', { shema: 1 } as never), 'E_BAD_OPTION'],
    ['json with GET', (crm) => crm.get('/', { json: {} } as never), 'E_BAD_OPTION'],
    ['json and body', (crm) => crm.post('/', { json: {}, body: 'x' }), 'E_BAD_OPTION'],
    ['a schema that is none', (crm) => crm.get('/', { schema: {} as never }), 'E_BAD_OPTION'],
    ['a bad duration', (crm) => crm.get('/', { timeout: 'soon' }), 'E_BAD_DURATION'],
    ['json that is none', (crm) => crm.post('/', { json: { at: new Date(0) } }), 'E_NOT_SERIALISABLE'],
    ['a path that climbs', (crm) => crm.get('/a/../b'), 'E_REQUEST_INVALID'],
    ['keyed without a key', (crm) => crm.post('/', { effects: 'keyed' }), 'E_BAD_OPTION'],
    ['a method that is none', (crm) => crm.request('G T', '/'), 'E_BAD_OPTION'],
  ])('written wrongly rejects before anything is sent: %s', async (_name, call, code) => {
    expect(await failure(call(world.connect()))).toMatchObject({ code });
    expect(world.server.received).toHaveLength(0);
  });
});

describe('retries', () => {
  it('repeat what can be repeated, and wait as the policy says', async () => {
    world.server.script({ status: 503 }, { status: 500 }, { status: 504 }, { body: '{"ok":1}' });
    expect((await world.connect().get('/')).data).toEqual({ ok: 1 });
    expect(world.server.received).toHaveLength(4);
    expect(world.waits).toHaveLength(3);
    expect(world.waits[2]).toBeGreaterThanOrEqual(10_000);
  });

  it('end when the attempts are used up, and say how many there were', async () => {
    world.server.script({ status: 503 });
    expect(await failure(world.connect({ retry: { attempts: 3 } }).get('/'))).toMatchObject({
      code: 'E_CALL_FAILED',
      status: 503,
      attempts: 3,
      message: 'GET crm /: answered 503 after 3 attempts',
    });
    expect(world.server.received).toHaveLength(3);
  });

  it.each([
    ['in seconds', { 'retry-after': '30' }],
    [
      'as a date of a server whose clock is an hour behind',
      { date: 'Mon, 05 Jan 2026 11:00:00 GMT', 'retry-after': 'Mon, 05 Jan 2026 11:00:30 GMT' },
    ],
    ['as a date in the old form', { date: 'Mon, 05 Jan 2026 11:00:00 GMT', 'retry-after': 'Monday, 05-Jan-26 11:00:30 GMT' }],
    ['in milliseconds', { 'retry-after-ms': '30000' }],
  ])('wait for Retry-After %s, never less', async (_name, headers) => {
    world.server.script({ status: 429, headers }, {});
    await world.connect().get('/');
    expect(world.waits).toHaveLength(1);
    expect(world.waits[0]).toBeGreaterThanOrEqual(29_900);
    expect(world.waits[0]).toBeLessThan(34_100);
  });

  it('use up no attempts while throttled', async () => {
    world.server.script({ status: 429 }, { status: 429 }, { status: 429 }, {});
    expect((await world.connect({ retry: { attempts: 1 } }).get('/')).status).toBe(200);
    world.server.script({ status: 429 });
    expect(await failure(world.connect({ retry: { throttles: 2 } }).get('/'))).toMatchObject({
      message: expect.stringContaining('throttled 3 times') as string,
    });
  });

  it('fail at once when the API asks to come back after the deadline', async () => {
    world.server.script({ status: 503, headers: { 'retry-after': '7200' } });
    expect(await failure(world.connect({ retry: { deadline: '1h' } }).get('/'))).toMatchObject({
      code: 'E_DEADLINE',
      status: 503,
      name: 'CallError',
    });
    expect(world.waits).toHaveLength(0);
  });

  it('send a keyed POST again with the same key, wherever it broke', async () => {
    world.server.script({ reset: 'after-effect' }, { reset: 'before-effect' }, { status: 502 }, { status: 201 });
    await world.connect({ idempotencyKey: { header: 'Idempotency-Key' } }).post('/accounts', { json: { a: 1 } });
    const keys = world.server.received.map(({ headers }) => headers['idempotency-key']);
    expect(keys).toHaveLength(4);
    expect(new Set(keys).size).toBe(1);
    expect(keys[0]).toMatch(/^[\w-]{32}$/);
  });

  it('quote the key where the API wants it so', async () => {
    await world.connect({ idempotencyKey: { header: 'Idempotency-Key', format: 'quoted' } }).patch('/a', { json: 1 });
    expect(world.server.received[0]?.headers['idempotency-key']).toMatch(/^"[\w-]{32}"$/);
  });

  it('do not happen to an unkeyed POST that may have happened', async () => {
    for (const fate of [
      { reset: 'after-effect' },
      { close: 'before-answer' },
      { status: 500 },
      { status: 502 },
      { raw: 'garbage\r\n\r\n' },
    ] as const) {
      const before = world.server.received.length;
      world.server.script(fate);
      expect(await failure(world.connect().post('/', { json: {} }))).toMatchObject({
        name: 'UnknownOutcomeError',
        code: 'E_UNKNOWN_OUTCOME',
      });
      expect(world.server.received.length - before).toBe(1);
    }
  });

  it('happen to an unkeyed POST that certainly did not', async () => {
    world.server.script({ status: 429 }, { status: 425 }, { status: 521 }, { status: 201 });
    expect((await world.connect().post('/', { json: {} })).status).toBe(201);
    expect(new Set(world.server.received.map(({ socket }) => socket)).size).toBe(4);
  });

  it('go by what routes and calls say of the effect', async () => {
    const crm = world.connect({ routes: [{ method: 'post', path: '/search/*', effects: 'safe' }] });
    world.server.script({ status: 502 }, {});
    expect((await crm.post('/search/a', { json: {} })).status).toBe(200);
    world.server.script({ status: 502 }, {});
    expect((await crm.post('/other', { json: {}, effects: 'idempotent' })).status).toBe(200);
    world.server.script({ status: 502 }, {});
    expect(await failure(crm.put('/other', { json: {}, effects: 'unsafe' }))).toMatchObject({ code: 'E_UNKNOWN_OUTCOME' });
  });

  it('cost nothing when it was only a stale socket', async () => {
    const crm = world.connect({ retry: { attempts: 1 } });
    await crm.get('/');
    await new Promise((turned) => setImmediate(turned));
    world.server.script({ reset: 'on-head' }, { body: '{"second":true}' });
    expect((await crm.get('/')).data).toEqual({ second: true });
    expect(world.waits).toHaveLength(0);
  });

  it('listen to the server’s own word', async () => {
    world.server.script({ status: 503, headers: { 'x-should-retry': 'false' } });
    expect(await failure(world.connect().get('/'))).toMatchObject({ attempts: 1 });
    world.server.script({ status: 400, headers: { 'x-should-retry': 'true' } }, {});
    expect((await world.connect().get('/')).status).toBe(200);
  });

  it('read success out of a 2xx that says no', async () => {
    const slack = world.connect({
      successWhen: ({ data }) => {
        const { ok, error } = data as { ok: boolean; error?: string };
        return ok || (error === 'ratelimited' ? 'throttle' : 'permanent');
      },
    });
    world.server.script({ body: '{"ok":false,"error":"ratelimited"}' }, {});
    expect((await slack.get('/')).data).toEqual({ ok: true });
    expect(world.waits).toHaveLength(1);
    world.server.script({ body: '{"ok":false,"error":"no_channel"}' });
    expect(await failure(slack.get('/'))).toMatchObject({ status: 200, reply: { data: { error: 'no_channel' } } });
  });

  it('time out an attempt by its total, and try again', async () => {
    world.server.script({ drip: 10 }, {});
    expect((await world.connect().get('/', { timeout: '200ms' })).status).toBe(200);
    expect(world.server.received).toHaveLength(2);
  });
});
