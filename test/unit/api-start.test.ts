import { describe, expect, it } from 'vitest';
import { Run, StartedRun } from '../../src/api/schemas.ts';
import { unpack } from '../../src/engine/journal.ts';
import type { RunRecord } from '../../src/engine/ports.ts';
import { QUEUED_DUE_MS, runId } from '../../src/engine/start.ts';
import { anything, testApi } from '../support/api.ts';

const PATH = '/v1/workflows/onboard/runs';
const ANY = '/v1/workflows/anything/runs';
const INPUT = { domain: 'acme.example', seats: 3 };

describe('starting a run', () => {
  it('stores it queued and due, wakes it, and answers 202 with its links', async () => {
    const { call, store, wake, clock } = testApi();
    const reply = await call('POST', PATH, { json: INPUT, headers: { 'Idempotency-Key': 'order-1', 'Holdfast-Tenant': 'acme' } });
    const id = runId('acme', 'onboard', 'order-1');
    expect(reply.status).toBe(202);
    expect(StartedRun.parse(reply.body)).toEqual({
      id,
      status: 'queued',
      links: { self: `/v1/runs/${id}`, journal: `/v1/runs/${id}/journal` },
    });
    expect(reply.headers.location).toBe(`/v1/runs/${id}`);
    expect(store.peek(id)).toMatchObject({
      status: 'queued',
      tenant: 'acme',
      workflow: 'onboard',
      version: 2,
      key: 'order-1',
      createdAt: clock.now(),
      due: clock.now() + QUEUED_DUE_MS,
      input: { text: JSON.stringify(INPUT) },
    });
    expect(wake.sent).toMatchObject([{ run: id, tenant: 'acme', delayMs: 0 }]);
    expect(store.writes()).toBe(1);
  });

  it('without a key and a tenant makes a key of its own for the default tenant', async () => {
    const { call, store } = testApi();
    const first = await call('POST', PATH, { json: INPUT });
    const second = await call('POST', PATH, { json: INPUT });
    expect(second.body.id).not.toBe(first.body.id);
    expect(store.peek(first.body.id)).toMatchObject({ tenant: 'default' });
  });

  it('again with the same key and input meets the first', async () => {
    const { call, store } = testApi();
    const headers = { 'Idempotency-Key': 'k' };
    const first = await call('POST', PATH, { json: INPUT, headers });
    const second = await call('POST', PATH, { json: { seats: 3, domain: 'acme.example' }, headers });
    expect(second).toMatchObject({ status: 202, body: { id: first.body.id } });
    expect(store.counts.create).toBe(2);
  });

  it('again with the same key answers 200 with the run once it has ended', async () => {
    const { call, store, clock } = testApi();
    const headers = { 'Idempotency-Key': 'k' };
    const { body } = await call('POST', PATH, { json: INPUT, headers });
    await finish(store, body.id, clock.now());
    const second = await call('POST', PATH, { json: INPUT, headers });
    expect(second.status).toBe(200);
    expect(Run.parse(second.body)).toMatchObject({ id: body.id, status: 'succeeded', result: { created: true }, input: INPUT });
  });

  it('again with the same key and another input is refused', async () => {
    const { call, wake } = testApi();
    const headers = { 'Idempotency-Key': 'k' };
    const first = await call('POST', PATH, { json: INPUT, headers });
    const second = await call('POST', PATH, { json: { ...INPUT, seats: 4 }, headers });
    expect(second).toMatchObject({ status: 422, body: { code: 'E_KEY_CONFLICT', errors: [{ header: 'Idempotency-Key' }] } });
    expect(second.body.detail).toContain(first.body.id);
    expect(wake.sent).toHaveLength(1);
  });

  it('of another tenant or workflow is another run', async () => {
    const { call } = testApi();
    const ids = new Set<string>();
    for (const [path, tenant] of [
      [PATH, 'a'],
      [PATH, 'b'],
      [ANY, 'a'],
    ] as const) {
      const reply = await call('POST', path, { json: INPUT, headers: { 'Idempotency-Key': 'k', 'Holdfast-Tenant': tenant } });
      ids.add(reply.body.id);
    }
    expect(ids.size).toBe(3);
  });

  it('wakes again what is still queued, and not what is under way', async () => {
    const { call, store, wake } = testApi();
    const headers = { 'Idempotency-Key': 'k' };
    const { body } = await call('POST', PATH, { json: INPUT, headers });
    await call('POST', PATH, { json: INPUT, headers });
    expect(wake.sent).toHaveLength(2);
    const queued = store.peek(body.id) as RunRecord;
    await store.replace({ ...queued, status: 'running', nonce: 'worker' }, queued.nonce);
    await call('POST', PATH, { json: INPUT, headers });
    expect(wake.sent).toHaveLength(2);
  });

  it('takes over the inbox that is there before it', async () => {
    const { call, store } = testApi();
    const id = runId('default', 'onboard', 'early');
    await store.deliver(id, { key: 's', at: 1, kind: 'signal', data: null }, 1);
    const reply = await call('POST', PATH, { json: INPUT, headers: { 'Idempotency-Key': 'early' } });
    expect(reply.status).toBe(202);
    expect(store.peek(id)).toMatchObject({ status: 'queued', inbox: 1 });
  });

  it('that was written although its answer was lost is the run', async () => {
    let lost = false;
    const { call } = testApi({
      faults: {
        after: (op) => {
          if (op !== 'create' || lost) return;
          lost = true;
          throw new Error('connection reset');
        },
      },
    });
    const headers = { 'Idempotency-Key': 'k' };
    expect((await call('POST', PATH, { json: INPUT, headers })).status).toBe(500);
    expect((await call('POST', PATH, { json: INPUT, headers })).status).toBe(202);
  });

  it('is answered although the wake failed, because it is durable and due', async () => {
    const { call, store, events } = testApi({
      wakeFaults: {
        before: () => {
          throw new Error('queue away');
        },
      },
    });
    const reply = await call('POST', PATH, { json: INPUT });
    expect(reply.status).toBe(202);
    expect(store.peek(reply.body.id)).toMatchObject({ status: 'queued', due: expect.any(Number) });
    expect(events[0]).toMatchObject({ type: 'api.fault', run: reply.body.id });
  });

  it('keeps a large input apart', async () => {
    const { call, store, payloads } = testApi();
    const json = { text: 'x'.repeat(40_000) };
    const { body } = await call('POST', ANY, { json });
    const { input } = store.peek(body.id) as RunRecord;
    expect(input).toMatchObject({ ref: expect.stringMatching(new RegExp(`^runs/${body.id}/`)), bytes: 40_011 });
    expect(unpack(await payloads.get(payloads.keys()[0] as string))).toBe(JSON.stringify(json));
    expect((await call('GET', `/v1/runs/${body.id}`)).body.input).toEqual(json);
  });

  it.each([
    ['as it came', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', true],
    ['not if it is malformed', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7', false],
    ['not if it names no trace', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, false],
    ['not if its version is the forbidden one', 'ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', false],
  ])('passes the trace on, %s', async (_, traceparent, kept) => {
    const { call, store, wake } = testApi();
    const { body } = await call('POST', PATH, { json: INPUT, headers: { traceparent } });
    expect((store.peek(body.id) as RunRecord).traceparent).toBe(kept ? traceparent : undefined);
    expect(wake.sent[0]?.traceparent).toBe(kept ? traceparent : undefined);
  });

  it('gives links below the stage of the API', async () => {
    const { call } = testApi();
    const event = { requestContext: { requestId: 'request-1', path: `/prod${PATH}` } as never };
    const reply = await call('POST', PATH, { json: INPUT, event });
    expect(reply.headers.location).toBe(`/prod/v1/runs/${reply.body.id}`);
  });

  it.each([
    ['a JSON type of another name', { 'Content-Type': 'application/vnd.acme+json' }],
    ['a charset', { 'Content-Type': 'Application/JSON; charset=utf-8' }],
    ['no type', {}],
  ])('reads a body with %s', async (_, headers) => {
    const { call } = testApi();
    expect((await call('POST', PATH, { body: JSON.stringify(INPUT), headers })).status).toBe(202);
  });

  it('reads a body in base64', async () => {
    const { call, store } = testApi();
    const body = Buffer.from(JSON.stringify({ name: 'Ünïcode' })).toString('base64');
    const reply = await call('POST', ANY, { event: { body, isBase64Encoded: true } });
    expect(store.peek(reply.body.id)).toMatchObject({ input: { text: '{"name":"Ünïcode"}' } });
  });

  it('needs no body where there is no schema', async () => {
    const { call } = testApi();
    expect((await call('POST', ANY)).status).toBe(202);
  });

  it.each(['0', '""', 'false', 'null', '[]', '{"__proto__":1,"constructor":{}}'])('takes %s as an input like any other', async (body) => {
    const { call, store } = testApi();
    const reply = await call('POST', ANY, { body });
    expect(reply.status).toBe(202);
    expect((store.peek(reply.body.id) as RunRecord).input).toEqual({ text: body });
  });
});

describe('a start that waits', () => {
  it('answers 200 with the run that ended meanwhile', async () => {
    const { call, store, clock, whileTimePasses } = testApi();
    const waiting = call('POST', PATH, { json: INPUT, headers: { Prefer: 'wait=10', 'Idempotency-Key': 'k' } });
    const id = runId('default', 'onboard', 'k');
    clock.timer(300, () => void finish(store, id, clock.now()));
    const reply = await whileTimePasses(waiting);
    expect(reply.status).toBe(200);
    expect(reply.headers['preference-applied']).toBe('wait=10');
    expect(Run.parse(reply.body)).toMatchObject({ id, status: 'succeeded', result: { created: true } });
  });

  it.each([
    ['wait=2', 2],
    ['wait=100000', 20],
    ['respond-async, wait="3"', 3],
    ['respond-async; wait=1', 1],
    ['wait=0', 0],
  ])('given Prefer: %s answers 202 after %i s', async (prefer, seconds) => {
    const { call, clock, whileTimePasses } = testApi();
    const began = clock.now();
    const reply = await whileTimePasses(call('POST', PATH, { json: INPUT, headers: { Prefer: prefer } }));
    expect(reply.status).toBe(202);
    expect(reply.headers['preference-applied']).toBe(`wait=${seconds}`);
    expect(clock.now() - began).toBe(seconds * 1_000);
  });

  it.each(['wait', 'wait=soon', 'wait=-1', 'await=5', 'return=minimal'])('ignores Prefer: %s', async (prefer) => {
    const { call } = testApi();
    const reply = await call('POST', PATH, { json: INPUT, headers: { Prefer: prefer } });
    expect(reply.status).toBe(202);
    expect(reply.headers).not.toHaveProperty('preference-applied');
  });
});

describe('a start that is refused', () => {
  it.each<[string, Parameters<ReturnType<typeof testApi>['call']>[2], number, string, unknown]>([
    ['not JSON', { body: '{"domain":' }, 400, 'E_BODY_MALFORMED', { pointer: '' }],
    ['not UTF-8', { event: { body: '//4=', isBase64Encoded: true } }, 400, 'E_BODY_MALFORMED', { pointer: '' }],
    ['nested too deep', { body: `${'['.repeat(100_000)}${']'.repeat(100_000)}` }, 400, 'E_BODY_MALFORMED', { pointer: '' }],
    [
      'a form',
      { body: 'a=1', headers: { 'Content-Type': 'application/x-www-form-urlencoded' } },
      415,
      'E_MEDIA_TYPE',
      { header: 'Content-Type' },
    ],
    [
      'text that looks like JSON',
      { body: '{}', headers: { 'Content-Type': 'text/json' } },
      415,
      'E_MEDIA_TYPE',
      { header: 'Content-Type' },
    ],
    ['no body', {}, 422, 'E_INPUT_INVALID', { pointer: '' }],
    ['another type', { json: [] }, 422, 'E_INPUT_INVALID', { pointer: '' }],
    ['a wrong field', { json: { domain: 'a', seats: -1 } }, 422, 'E_INPUT_INVALID', { pointer: '/seats' }],
    ['a wrong item', { json: { domain: 'a', seats: 1, tags: ['x', 2] } }, 422, 'E_INPUT_INVALID', { pointer: '/tags/1' }],
    ['a number beyond numbers', { body: '{"domain":"a","seats":1e999}' }, 422, 'E_INPUT_INVALID', { pointer: '/seats' }],
    ['an empty key', { json: INPUT, headers: { 'Idempotency-Key': '' } }, 400, 'E_REQUEST_INVALID', { header: 'Idempotency-Key' }],
    [
      'a long key',
      { json: INPUT, headers: { 'Idempotency-Key': 'k'.repeat(256) } },
      400,
      'E_REQUEST_INVALID',
      { header: 'Idempotency-Key' },
    ],
    [
      'a key beyond ASCII',
      { json: INPUT, headers: { 'Idempotency-Key': 'schlüssel' } },
      400,
      'E_REQUEST_INVALID',
      { header: 'Idempotency-Key' },
    ],
    ['a bad tenant', { json: INPUT, headers: { 'Holdfast-Tenant': 'a/b' } }, 400, 'E_REQUEST_INVALID', { header: 'Holdfast-Tenant' }],
    ['an unknown parameter', { json: INPUT, query: { wait: '5' } }, 400, 'E_REQUEST_INVALID', { parameter: 'wait' }],
  ])('given %s', async (_, sent, status, code, first) => {
    const { call, store, wake } = testApi();
    const reply = await call('POST', PATH, sent);
    expect(reply).toMatchObject({ status, body: { code, errors: [first] } });
    expect(store.writes()).toBe(0);
    expect(wake.sent).toEqual([]);
  });

  it('given too large a body', async () => {
    const { call } = testApi();
    const fits = JSON.stringify('x'.repeat(256 * 1024 - 2));
    expect((await call('POST', ANY, { body: fits })).status).toBe(202);
    expect(await call('POST', ANY, { body: `${fits} ` })).toMatchObject({ status: 413, body: { code: 'E_BODY_TOO_LARGE' } });
    // Bytes count, not characters.
    expect((await call('POST', ANY, { body: JSON.stringify('ü'.repeat(140_000)) })).status).toBe(413);
  });

  it('given a number beyond numbers where there is no schema, names its place', async () => {
    const { call } = testApi();
    const reply = await call('POST', ANY, { body: '{"a":[1e999]}' });
    expect(reply).toMatchObject({ status: 422, body: { code: 'E_NOT_SERIALISABLE', pointer: '/a/0', errors: [{ pointer: '/a/0' }] } });
  });

  it('names every field at fault, and the first at the top', async () => {
    const { call } = testApi();
    const reply = await call('POST', PATH, { json: { domain: 1, seats: 'x', tags: 'y' } });
    expect(reply.body.pointer).toBe('/domain');
    expect(reply.body.errors).toEqual(['/domain', '/seats', '/tags'].map((pointer) => ({ pointer, message: expect.any(String) })));
  });

  it('given more faults than an answer holds names the first ones', async () => {
    const { call } = testApi();
    const many = await call('POST', PATH, { json: { ...INPUT, tags: Array(50_000).fill(1) } });
    expect(many.body.errors).toHaveLength(100);
    expect(many.body.errors[99]?.pointer).toBe('/tags/99');

    const key = 'k'.repeat(60_000);
    const path = (i: number) => ({ message: 'no', path: [key, i] });
    const validate = () => ({ issues: Array.from({ length: 90 }, (_, i) => path(i)) });
    const deep = testApi({ workflows: [{ ...anything, input: { '~standard': { version: 1, vendor: 'test', validate } } }] });
    const long = await deep.call('POST', ANY, { json: {} });
    expect(long.body.errors).toEqual([{ pointer: `/${key}/0`, message: 'no' }]);
  });

  it('escapes the pointer', async () => {
    const schema = {
      '~standard': { version: 1 as const, vendor: 'test', validate: () => ({ issues: [{ message: 'no', path: [{ key: 'a/b~c' }, 0] }] }) },
    };
    const { call } = testApi({ workflows: [{ ...anything, input: schema }] });
    const reply = await call('POST', ANY, { json: {} });
    expect(reply.body.errors).toEqual([{ pointer: '/a~1b~0c/0', message: 'no' }]);
  });
});

async function finish(store: ReturnType<typeof testApi>['store'], id: string, now: number): Promise<void> {
  const { due: _due, ...run } = store.peek(id) as RunRecord;
  const ended = { ...run, status: 'succeeded' as const, endedAt: now, nonce: 'ended', outcome: { value: { text: '{"created":true}' } } };
  await store.replace(ended, run.nonce);
}
