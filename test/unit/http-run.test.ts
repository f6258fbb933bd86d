import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { type Workflow, workflow } from '../../src/engine/workflow.ts';
import { bearer } from '../../src/http/auth/auth.ts';
import { secret } from '../../src/http/auth/secrets.ts';
import { plainClock } from '../../src/http/plain-ports.ts';
import { type HttpRuntime, httpRuntime } from '../../src/http/runtime.ts';
import { applied, reconcile } from '../../src/http/unknown.ts';
import { memorySecrets } from '../../src/testing/index.ts';
import { type Harness, harness } from '../support/http.ts';
import { resultOf, runOver } from '../support/http-run.ts';

let world: Harness;
let http: HttpRuntime;
const secrets = memorySecrets();
beforeEach(async () => {
  world = await harness();
  http = httpRuntime({ clock: plainClock, secrets, deploymentKey: async () => 'test-key', allowLoopback: true });
});
afterEach(async () => {
  await http.transport.close();
  await world.close();
});

const durable = (definition: Workflow, maxDeliveries?: number) => runOver(http, definition, maxDeliveries);

describe('a call in a run', () => {
  it('for one account that is told to wait holds up those for no other account, in its own run and in others', async () => {
    const crm = world.connect();
    world.server.script((request) =>
      request.url?.startsWith('/tired/') ? { status: 429, headers: { 'retry-after': '60' } } : { body: '{"served":true}' },
    );
    const served: string[] = [];
    const visit = (account: string) => async () => {
      await crm.for(account).get(`/${account}/orders`);
      served.push(account);
    };
    const both = durable(workflow({ name: 'both', run: async () => void (await Promise.all([visit('tired')(), visit('awake')()])) }));
    const waiting = await both.deliver();
    expect(waiting.status).toBe('waiting');
    expect((waiting.wakeAt ?? 0) - Date.now()).toBeGreaterThan(55_000);
    expect(served).toEqual(['awake']);
    const other = durable(workflow({ name: 'other', run: visit('awake') }));
    expect((await other.deliver()).status).toBe('succeeded');
    expect(served).toEqual(['awake', 'awake']);
  });

  it('that is unsafe and was answered with too long a body has happened: a redrive does not send it again', async () => {
    const crm = world.connect({ onTruncated: 'fail' });
    world.server.script({ status: 201, headers: { 'content-type': 'text/plain' }, body: 'x'.repeat(100) });
    const run = durable(workflow({ name: 'long', run: async () => void (await crm.post('/orders', { json: {}, maxBody: 10 })) }), 1);
    const told = { code: 'E_CALL_FAILED', message: expect.stringContaining('is over maxBody (10 bytes)') };
    expect(await run.toTheEnd()).toMatchObject({ status: 'failed', outcome: { error: told } });
    await run.redrive();
    expect(await run.toTheEnd()).toMatchObject({ status: 'failed', outcome: { error: told } });
    expect(world.server.received).toHaveLength(1);
  });

  it('is sent once and replayed as it was: status, headers, text, bytes and errors', async () => {
    const crm = world.connect();
    world.server.script((request) => {
      if (request.url === '/bytes') return { headers: { 'content-type': 'image/png' }, body: Uint8Array.of(0, 255, 7) };
      return request.url === '/none'
        ? { status: 404, body: '{"title":"none"}' }
        : { headers: { 'x-serial': String(world.server.received.length) }, body: '{"id":"Bär"}' };
    });
    const seen: unknown[] = [];
    const observe = workflow({
      name: 'observe',
      async run() {
        const json = await crm.get('/json', { schema: z.object({ id: z.string() }) });
        const bytes = await crm.get('/bytes');
        const error = await crm
          .get('/none')
          .catch((thrown: unknown) => thrown as { name: string; message: string; reply: { data: unknown } });
        const response = await crm.fetch('/json', { method: 'PUT', body: '{}' });
        const all = [
          json.data.id,
          json.headers.get('x-serial'),
          [...(bytes.data as Uint8Array)],
          { ...error },
          await response.json(),
          response.headers.get('x-serial'),
        ];
        seen.push(JSON.stringify(all));
        return 'ended';
      },
    });
    const run = durable(observe, 1);
    expect((await run.toTheEnd()).status).toBe('succeeded');
    expect(world.server.received).toHaveLength(4);
    expect(new Set(seen).size).toBe(1);
    expect(seen[0]).toContain('"Bär"');
  });

  it('parks for a Retry-After and goes on afterwards without repeating what came before', async () => {
    const crm = world.connect();
    world.server.script({}, { status: 429, headers: { 'retry-after': '30' } }, { body: '{"late":true}' });
    const patient = workflow({
      name: 'patient',
      async run() {
        await crm.get('/first');
        return (await crm.get('/second')).data;
      },
    });
    const run = durable(patient);
    const parked = await run.deliver();
    expect(parked.status).toBe('waiting');
    expect((parked.wakeAt ?? 0) - Date.now()).toBeGreaterThan(28_000);
    const ended = await run.deliver(40_000);
    expect([ended.status, resultOf(ended)]).toEqual(['succeeded', { late: true }]);
    expect(world.server.received.map(({ url }) => url)).toEqual(['/first', '/second', '/second']);
  });

  it('uses the same idempotency key over attempts and deliveries, and others for others', async () => {
    const crm = world.connect({ idempotencyKey: { header: 'Idempotency-Key' } });
    world.server.script({ status: 503, headers: { 'retry-after': '60' } }, {});
    const twice = workflow({
      name: 'twice',
      async run() {
        await Promise.all([
          crm.post('/a', { json: { n: 1 } }),
          crm.post('/a', { json: { n: 2 } }),
          crm.for('acme').post('/a', { json: { n: 1 } }),
        ]);
      },
    });
    const run = durable(twice);
    await run.deliver();
    await run.deliver(90_000);
    const keys = new Map<string, Set<unknown>>();
    for (const { body, headers } of world.server.received) {
      keys.set(body, (keys.get(body) ?? new Set()).add(headers['idempotency-key']));
    }
    expect(world.server.received).toHaveLength(4);
    expect([...keys.values()].map(({ size }) => size)).toEqual([2, 1]);
  });

  it('pauses the run when a secret is missing, and says which', async () => {
    secrets.set('crm/token', undefined);
    const crm = world.connect({ auth: bearer(secret('crm/token')) });
    const needs = workflow({ name: 'needs', run: async () => (await crm.get('/')).status });
    const run = durable(needs);
    const paused = await run.deliver();
    expect(paused).toMatchObject({
      status: 'paused',
      reason: { code: 'E_SECRET_MISSING', message: expect.stringContaining('crm/token') as string },
    });
    expect(world.server.received).toHaveLength(0);
  });

  it('of unknown outcome pauses the run by default', async () => {
    world.server.script({ reset: 'after-effect' });
    const crm = world.connect();
    const run = durable(workflow({ name: 'unsure', run: async () => (await crm.post('/', { json: {} })).status }));
    expect(await run.deliver()).toMatchObject({ status: 'paused', reason: { code: 'E_UNKNOWN_OUTCOME' } });
    expect(world.server.effects).toHaveLength(1);
  });

  it('of unknown outcome is reconciled with the worker’s own runtime, and the answer is kept', async () => {
    world.server.script({ reset: 'after-effect' }, { body: '{"id":"m"}' });
    secrets.set('crm/token', 'only-the-worker-has-it');
    const crm = world.connect({ auth: bearer(secret('crm/token')) });
    const asks = workflow({
      name: 'asks',
      run: async () =>
        (
          await crm.post('/', {
            json: {},
            onUnknown: reconcile(async () => applied({ status: 201, data: (await crm.get('/found')).data })),
          })
        ).data,
    });
    const run = durable(asks, 1);
    expect(resultOf(await run.toTheEnd())).toEqual({ id: 'm' });
    expect(world.server.received.map(({ method, headers }) => [method, headers.authorization])).toEqual([
      ['POST', 'Bearer only-the-worker-has-it'],
      ['GET', 'Bearer only-the-worker-has-it'],
    ]);
  });

  it('that fails finally fails the run with its error', async () => {
    world.server.script({ status: 400 });
    const crm = world.connect();
    const run = durable(workflow({ name: 'fails', run: async () => crm.get('/') as Promise<unknown> }));
    const ended = await run.deliver();
    expect(ended.status).toBe('failed');
    expect(resultOf(ended)).toMatchObject({ code: 'E_CALL_FAILED', name: 'CallError', message: 'GET crm /: answered 400' });
  });
});
