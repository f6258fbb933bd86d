import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { workflow } from '../../src/engine/workflow.ts';
import type { CallError } from '../../src/http/errors.ts';
import { withField, withoutKey } from '../../src/http/key-field.ts';
import { failure, type Harness, harness } from '../support/http.ts';
import { resultOf, runOver } from '../support/http-run.ts';

let world: Harness;
beforeEach(async () => {
  world = await harness();
});
afterEach(() => world.close());

const bodies = () => world.server.received.map(({ body }) => JSON.parse(body) as Record<string, unknown>);
const FIELD = { idempotencyKey: { field: 'idempotency_key' } } as const;

describe('an idempotency key in the body', () => {
  it('is put in when it is sent, the same over attempts, and leaves the rest as it was', async () => {
    world.server.script({ reset: 'after-effect' }, { status: 503 }, {});
    await world.connect(FIELD).post('/payments', { json: { amount: 7, nested: { idempotency_key: 'inner' } } });
    const [first, ...more] = bodies();
    expect(first).toEqual({
      idempotency_key: expect.stringMatching(/^[\w-]{32}$/) as string,
      amount: 7,
      nested: { idempotency_key: 'inner' },
    });
    expect(more).toEqual([first, first]);
    expect(world.server.received[0]?.headers['idempotency-key']).toBeUndefined();
  });

  it('fits into an empty object', async () => {
    await world.connect(FIELD).post('/x', { json: {} });
    expect(bodies()).toEqual([{ idempotency_key: expect.any(String) as string }]);
  });

  it('is part of keyed calls alone', async () => {
    const crm = world.connect({ ...FIELD, routes: [{ method: 'POST', path: '/search', effects: 'safe' }] });
    await crm.post('/search', { json: { a: 1 } });
    await crm.put('/x', { json: { a: 1 } });
    await crm.post('/x', { json: [1], effects: 'unsafe' });
    expect(bodies()).toEqual([{ a: 1 }, { a: 1 }, [1]]);
  });

  it.each([
    ['a list', { json: [1] }],
    ['a text', { json: 'text' }],
    ['null', { json: null }],
    ['bytes', { body: new Uint8Array(3), headers: { 'content-type': 'application/octet-stream' } }],
    ['a form', { body: 'a=1', headers: { 'content-type': 'application/x-www-form-urlencoded' } }],
    ['nothing', {}],
  ])('has no place in %s, which is said before anything is sent', async (_, options) => {
    const error = await failure(world.connect(FIELD).post('/x', options));
    expect(error).toMatchObject({
      code: 'E_BAD_OPTION',
      message: expect.stringContaining('POST crm /x: json must be an object') as string,
    });
    expect(world.server.received).toEqual([]);
  });

  it('is ours to make: one that is given is an error', async () => {
    const error = await failure(world.connect(FIELD).post('/x', { json: { idempotency_key: 'mine' } }));
    expect(error.message).toContain('which is set by Holdfast');
  });

  it('takes the place of one that an SDK made up', async () => {
    const crm = world.connect(FIELD);
    await crm.fetch('/x', { method: 'POST', body: '{"idempotency_key":"sdk","a":1}', headers: { 'content-type': 'application/json' } });
    await crm.fetch('/x', { method: 'POST', body: new TextEncoder().encode(' { "a" : 12345678901234567890 } ') });
    expect(bodies()[0]).toEqual({ idempotency_key: expect.not.stringContaining('sdk') as string, a: 1 });
    expect(world.server.received[1]?.body).toMatch(/^\{"idempotency_key":"[\w-]{32}", "a" : 12345678901234567890 \} $/);
    expect(await failure<CallError>(crm.fetch('/x', { method: 'POST', body: new FormData() }))).toMatchObject({
      code: 'E_REQUEST_INVALID',
    });
    expect(await failure<CallError>(crm.fetch('/x', { method: 'POST', body: '[1]' }))).toMatchObject({ code: 'E_REQUEST_INVALID' });
  });

  it('is in neither identity nor hash: a run that an SDK gives another key of its own each time is the same run', async () => {
    let n = 0;
    world.server.script({ status: 429, headers: { 'retry-after': '60' } }, { body: '{"id":7}' });
    const crm = world.connect(FIELD);
    const pay = workflow({
      name: 'pay',
      async run() {
        const response = await crm.fetch('/pay', { method: 'POST', body: JSON.stringify({ idempotency_key: `sdk-${n++}`, a: 1 }) });
        return (await response.json()) as { id: number };
      },
    });
    const run = runOver(world.runtime, pay);
    expect((await run.deliver()).status).toBe('waiting');
    expect(resultOf(await run.deliver(100_000))).toEqual({ id: 7 });
    const [first, second] = bodies();
    expect(first).toEqual(second);
    expect(n).toBe(2);
  });

  it('tells an SDK’s own retry of what failed for good from a new call', async () => {
    world.server.script({ reset: 'after-effect' });
    const crm = world.connect({ ...FIELD, retry: { attempts: 1 } });
    const pay = (key: string) =>
      crm.fetch('/pay', { method: 'POST', body: JSON.stringify({ idempotency_key: key, a: 1 }) }).catch((error: CallError) => error.code);
    const twice = workflow({ name: 'twice', run: async () => [await pay('one'), await pay('one'), await pay('two')] as string[] });
    expect(resultOf(await runOver(world.runtime, twice, 1).toTheEnd())).toEqual(['E_CALL_FAILED', 'E_CALL_FAILED', 'E_CALL_FAILED']);
    expect(world.server.received).toHaveLength(2);
  });

  it.each([
    [{ field: '' }, 'idempotencyKey.field'],
    [{ field: 7 }, 'idempotencyKey.field'],
    [{ field: 'a', header: 'B' }, 'idempotencyKey.field'],
    [{ field: 'a', format: 'quoted' }, 'idempotencyKey.field'],
    [{}, 'idempotencyKey.header'],
  ])('is checked when the connection is made: %j', (idempotencyKey, field) => {
    expect(() => world.connect({ idempotencyKey: idempotencyKey as never })).toThrow(
      expect.objectContaining({ detail: { field } }) as Error,
    );
  });

  it('is written as JSON, whatever it and its field hold', () => {
    expect(JSON.parse(withField('{"a":1}', 'k"e', 'v"\\'))).toEqual({ 'k"e': 'v"\\', a: 1 });
    expect(withField('{ }', 'k', 'v')).toBe('{"k":"v" }');
    expect(withoutKey('{"a":1,"k":"2"}', 'k', 'x')).toEqual({ body: '{"a":1}', given: '2' });
    expect(withoutKey('{ "a":1}', 'k', 'x')).toEqual({ body: '{ "a":1}' });
    expect(() => withoutKey('{', 'k', 'x')).toThrow('must be a JSON object');
  });
});

describe('a connection’s own hint', () => {
  const hint = ({ data, status }: { data: unknown; status: number }) =>
    status === 429 || status === 403 ? (data as { again?: number } | undefined)?.again : undefined;

  it('says when to come again where no header does', async () => {
    world.server.script({ status: 429, body: '{"again":45000}' }, {});
    await world.connect({ hint }).get('/x');
    expect(world.waits[0]).toBeGreaterThanOrEqual(45_000);
    expect(world.waits[0]).toBeLessThan(45_000 + 5_500);
  });

  it('makes a 403 a throttle, as Retry-After does', async () => {
    world.server.script({ status: 403, body: '{"again":1000}' }, {});
    await world.connect({ hint }).get('/x');
    expect(world.server.received).toHaveLength(2);
  });

  it('is the last that is asked', async () => {
    world.server.script({ status: 429, headers: { 'retry-after': '2' }, body: '{"again":45000}' }, {});
    await world.connect({ hint }).get('/x');
    expect(world.waits[0]).toBeLessThan(4_000);
  });

  it('may be a moment, read against the reply’s own clock', async () => {
    world.server.script({ status: 429, headers: { date: 'Thu, 01 Jan 2015 00:00:00 GMT' } }, {});
    await world.connect({ hint: () => new Date('2015-01-01T00:01:00Z') }).get('/x');
    expect(world.waits[0]).toBeGreaterThanOrEqual(60_000);
    expect(world.waits[0]).toBeLessThan(70_000);
  });

  it.each([Number.NaN, -1, Number.POSITIVE_INFINITY, new Date('x'), 'soon', new Error('x')])(
    'that is none (%s) is ignored, and a throttle waits as without',
    async (said) => {
      world.server.script({ status: 429 }, {});
      const own = () => {
        if (said instanceof Error) throw said;
        return said as number;
      };
      await world.connect({ hint: own }).get('/x');
      expect(world.waits[0]).toBeGreaterThanOrEqual(2_000);
      expect(world.waits[0]).toBeLessThanOrEqual(3_000);
    },
  );
});

describe('what a body says of trying again', () => {
  it('overrides the row, but not the header, and leaves the unknown unknown', async () => {
    const crm = world.connect({ shouldRetry: ({ data }) => (data as { again?: boolean }).again });
    world.server.script({ status: 429, body: '{"again":false}' });
    expect(await failure(crm.get('/x'))).toMatchObject({ code: 'E_CALL_FAILED', status: 429 });
    world.server.script({ status: 400, body: '{"again":true}' }, {});
    await crm.get('/x');
    world.server.script({ status: 503, headers: { 'x-should-retry': 'true' }, body: '{"again":false}' }, {});
    await crm.get('/x');
    world.server.script({ status: 502, body: '{"again":true}' });
    expect(await failure(crm.post('/x', { json: {} }))).toMatchObject({ code: 'E_UNKNOWN_OUTCOME' });
  });
});

describe('goneIsDone', () => {
  const gone = { status: 404, body: '{"title":"none"}' };

  it('takes a 404 for done after an attempt that may have done it', async () => {
    for (const fate of [{ reset: 'after-effect' as const }, { status: 502 }, { status: 500 }]) {
      world.server.script(fate, gone);
      expect(await world.connect().delete('/x', { goneIsDone: true })).toMatchObject({ status: 404, data: { title: 'none' } });
    }
  });

  it('does not on a first attempt, nor after one that was refused', async () => {
    for (const fates of [[gone], [{ status: 429 }, gone], [{ status: 408 }, gone]]) {
      world.server.script(...fates);
      expect(await failure(world.connect().delete('/x', { goneIsDone: true }))).toMatchObject({ status: 404 });
    }
  });

  it('is off by default, is about idempotent calls, and about the statuses that are named', async () => {
    world.server.script({ status: 502 }, gone);
    expect(await failure(world.connect().delete('/x'))).toMatchObject({ status: 404 });
    world.server.script({ status: 502 }, gone);
    expect(await failure(world.connect({ goneIsDone: true }).get('/x'))).toMatchObject({ status: 404 });
    world.server.script({ status: 502 }, gone);
    expect(await failure(world.connect({ goneIsDone: [410] }).delete('/x'))).toMatchObject({ status: 404 });
    world.server.script({ status: 502 }, gone);
    expect(await failure(world.connect({ goneIsDone: true }).delete('/x', { goneIsDone: false }))).toMatchObject({ status: 404 });
  });

  it('has a reply that no schema is held against', async () => {
    world.server.script({ status: 502 }, gone);
    const schema = z.object({ id: z.string() });
    expect(await world.connect({ routes: [{ path: '/x', goneIsDone: true }] }).put('/x', { json: {}, schema })).toMatchObject({
      status: 404,
    });
  });

  it('holds over deliveries', async () => {
    world.server.script({ status: 503, headers: { 'retry-after': '60' } }, { status: 502 }, { status: 502 }, { status: 502 }, gone);
    const crm = world.connect({ goneIsDone: true });
    const run = runOver(world.runtime, workflow({ name: 'remove', run: async () => (await crm.delete('/x')).status }));
    expect(resultOf(await run.throughWaits())).toBe(404);
  });

  it('holds where another worker was cut off while it sent', async () => {
    world.server.script({ hang: true }, gone);
    const crm = world.connect({ goneIsDone: true });
    const run = runOver(world.runtime, workflow({ name: 'remove', run: async () => (await crm.delete('/x')).status }));
    const cut = run.deliver();
    for (let turn = 0; world.server.received.length === 0 && turn < 10_000; turn++) await new Promise((next) => setImmediate(next));
    // The worker that hangs is forgotten: its lease has run out when the next one comes.
    expect(resultOf(await run.deliver(200_000))).toBe(404);
    world.server.close().catch(() => {});
    await cut.catch(() => {});
  });

  it.each([['true'], [404], [[99]]])('is checked: %j', (value) => {
    expect(() => world.connect({ goneIsDone: value as never })).toThrow(
      expect.objectContaining({ detail: { field: 'goneIsDone' } }) as Error,
    );
  });
});

describe('the words of an error', () => {
  const readError = ({ data, headers }: { data: unknown; headers: Headers }) => ({
    message: (data as { why?: string } | undefined)?.why,
    requestId: headers.get('x-request-id') ?? undefined,
  });
  const fate = { status: 422, body: '{"why":"no account\\n 4711","iban":"hidden"}', headers: { 'x-request-id': 'r1' } };

  it('are in its message, in one line, and in its detail', async () => {
    world.server.script(fate);
    expect(await failure(world.connect({ readError }).get('/x'))).toMatchObject({
      message: 'GET crm /x: answered 422: no account 4711; request r1',
      detail: { error: { message: 'no account 4711', requestId: 'r1' } },
    });
  });

  it('are not told where a part of the body is encrypted', async () => {
    world.server.script(fate);
    const error = await failure<CallError>(world.connect({ readError, encrypt: ['iban'] }).get('/x'));
    expect(error.message).toBe('GET crm /x: answered 422; request r1');
    world.server.script({ body: '{"errors":[{"message":"no account 4711"}]}' });
    const ours = await failure(world.connect({ encrypt: ['$'] }).graphql('{ a }'));
    expect(ours.message).toBe('POST crm query (without a name): answered 200');
  });

  it('may be anything, and a reader may throw', async () => {
    for (const said of [null, 7, 'text', [], {}, { message: {} }, { code: 7, message: ' ' }]) {
      world.server.script(fate);
      const error = await failure(world.connect({ readError: () => said as never }).get('/x'));
      expect(error.message).toMatch(/^GET crm \/x: answered 422(: 7)?$/);
    }
    world.server.script(fate);
    const thrower = () => {
      throw new Error('hidden');
    };
    expect((await failure(world.connect({ readError: thrower }).get('/x'))).message).toBe('GET crm /x: answered 422');
  });
});
