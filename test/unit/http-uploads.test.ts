/** Bodies that calls send: forms, files, streams; identical on every retry, and none of them held in memory. */
import { randomBytes } from 'node:crypto';
import { openAsBlob } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Clock, RunRecord } from '../../src/engine/ports.ts';
import { sleep } from '../../src/engine/verbs.ts';
import { createWorker } from '../../src/engine/worker.ts';
import { registry, type Workflow, workflow } from '../../src/engine/workflow.ts';
import { buildCall } from '../../src/http/call.ts';
import { makeCore } from '../../src/http/core.ts';
import type { CallError } from '../../src/http/errors.ts';
import { compileAllow } from '../../src/http/guard/guard.ts';
import { callOperation } from '../../src/http/operation.ts';
import type { BodyOptions } from '../../src/http/options.ts';
import { plainClock } from '../../src/http/plain-ports.ts';
import { type HttpRuntime, httpRuntime } from '../../src/http/runtime.ts';
import { DEFAULTS } from '../../src/http/settings.ts';
import { memoryPayloadStore, memoryRunStore, memorySecrets, memoryWakeQueue, seededEntropy } from '../../src/testing/index.ts';
import type { Received } from '../support/hostile-server.ts';
import { failure, type Harness, harness } from '../support/http.ts';

let world: Harness;
let http: HttpRuntime;
let folder: string;
beforeEach(async () => {
  world = await harness();
  http = httpRuntime({ clock: plainClock, secrets: memorySecrets({}), deploymentKey: async () => 'test-key', allowLoopback: true });
  folder = await mkdtemp(join(tmpdir(), 'uploads-'));
});
afterEach(async () => {
  await http.transport.close();
  await world.close();
  await rm(folder, { recursive: true });
});

const last = (): Received => world.server.received.at(-1) as Received;
const text = (bytes: number) => randomBytes(bytes / 2).toString('hex');

async function formOf(request: Received): Promise<FormData> {
  return new Response(request.body, { headers: { 'content-type': request.headers['content-type'] as string } }).formData();
}

function durable(definition: Workflow, maxDeliveries?: number) {
  let shift = 0;
  const clock: Clock = { now: () => Date.now() + shift, timer: plainClock.timer };
  const store = memoryRunStore();
  const payloads = memoryPayloadStore();
  const worker = createWorker({
    store,
    payloads,
    wake: memoryWakeQueue({ clock }),
    clock,
    entropy: seededEntropy(1),
    observe: () => {},
    registry: registry([definition]),
    services: { http },
    ...(maxDeliveries === undefined ? {} : { maxDeliveries }),
  });
  const body = JSON.stringify({ workflow: definition.name, input: {}, idempotencyKey: 'k' });
  return {
    payloads,
    async toTheEnd(): Promise<RunRecord> {
      for (let round = 0; round < 30; round++) {
        shift += 60_000;
        const message = { id: 'm1', queue: 'start' as const, body, receiveCount: 1 };
        await worker.handle([message], { deadline: clock.now() + 100_000, owner: `o${round}`, done: () => {} });
        const [found] = (await store.list({}, { limit: 1, now: clock.now() })).items;
        const run = (await store.load([found?.id ?? ''])).get(found?.id ?? '');
        if (run && !('stub' in run) && run.endedAt !== undefined) return run;
      }
      throw new Error('the run does not end');
    },
  };
}

describe('form', () => {
  it.each([
    [{ a: 1, b: 'x y&z', c: true, d: null, e: undefined }, {}, 'a=1&b=x+y%26z&c=true'],
    [{ ids: [1, 2] }, {}, 'ids=1&ids=2'],
    [{ ids: [1, 2] }, { arrays: 'brackets' }, 'ids%5B%5D=1&ids%5B%5D=2'],
    [{ ids: [1, 2] }, { arrays: 'comma' }, 'ids=1%2C2'],
    [{ metadata: { order: 7, of: { kind: 'x' } } }, {}, 'metadata%5Border%5D=7&metadata%5Bof%5D%5Bkind%5D=x'],
    [
      new URLSearchParams([
        ['a', '1'],
        ['a', 'é'],
      ]),
      {},
      'a=1&a=%C3%A9',
    ],
  ] as const)('%j is sent urlencoded', async (form, options, sent) => {
    await world.connect().post('/', { form: form as NonNullable<BodyOptions['form']>, ...options });
    expect(last().body).toBe(sent);
    expect(last().headers['content-type']).toBe('application/x-www-form-urlencoded');
  });

  it('is the same call in whatever order its fields are written', () => {
    const core = makeCore({ name: 'crm', baseUrl: 'https://api.example' });
    const identity = (form: NonNullable<BodyOptions['form']>) => callOperation(buildCall(core, 'POST', '/', { form })).identity;
    expect(identity({ a: 1, b: [2, 3] })).toBe(identity({ b: [2, 3], a: 1 }));
    expect(identity({ a: 1, b: [2, 3] })).not.toBe(identity({ a: 1, b: [3, 2] }));
  });
});

describe('multipart', () => {
  it('of texts and bytes is sent as a form, the same on every replay', async () => {
    const multipart = { title: 'Ä "b"', tags: ['x', 'y'], none: undefined, file: Uint8Array.of(1, 2, 3) };
    await world.connect().post('/', { multipart });
    await world.connect().post('/', { multipart });
    expect(world.server.received[0]?.body).toBe(world.server.received[1]?.body);
    const form = await formOf(last());
    expect([form.get('title'), form.getAll('tags'), form.has('none')]).toEqual(['Ä "b"', ['x', 'y'], false]);
    expect((form.get('file') as File).size).toBe(3);
  });

  it('with files streams them, with the length of all, behind a boundary that nobody can know', async () => {
    const file = join(folder, 'report.csv');
    const content = text(700_000);
    await writeFile(file, content);
    const blob = await openAsBlob(file, { type: 'text/csv' });
    const form = new FormData();
    form.set('name', 'report');
    form.set('file', new File([blob], 'report "1".csv', { type: 'text/csv' }));
    await world.connect().post('/', { multipart: form });
    const [first] = world.server.received;
    expect(first?.headers['content-length']).toBe(String(first?.body.length));
    const received = await formOf(last());
    expect(received.get('name')).toBe('report');
    const part = received.get('file') as File;
    expect([part.type, await part.text()]).toEqual(['text/csv', content]);
    await world.connect().post('/', { multipart: form });
    expect(last().headers['content-type']).not.toBe(first?.headers['content-type']);
  });
});

describe('a body that is not in memory', () => {
  it('of a file is sent with its length and type, and identically after a reset', async () => {
    const file = join(folder, 'film');
    const content = text(1_500_000);
    await writeFile(file, content);
    const blob = await openAsBlob(file, { type: 'video/mp4' });
    world.server.script({ reset: 'before-effect' }, {});
    await world.connect().put('/film', { body: blob });
    expect(world.server.received.map(({ body }) => body === content)).toEqual([true, true]);
    expect(last().headers).toMatchObject({ 'content-length': '1500000', 'content-type': 'video/mp4' });
  });

  it('of a function is made anew for every sending', async () => {
    let made = 0;
    async function* chunks() {
      made += 1;
      yield 'one,';
      yield Buffer.from('two');
    }
    world.server.script({ status: 500 }, {});
    await world.connect().put('/', { body: chunks, headers: { 'content-type': 'text/csv' } });
    expect(world.server.received.map(({ body }) => body)).toEqual(['one,two', 'one,two']);
    expect(last().headers['transfer-encoding']).toBe('chunked');
    expect(made).toBe(2);
  });

  it('of an iterable is read once, and sent again from where it was kept, with its length', async () => {
    let read = 0;
    async function* chunks() {
      read += 1;
      for (let n = 0; n < 20; n++) yield text(50_000);
    }
    world.server.script({ reset: 'after-effect' }, { status: 503 }, {});
    await world.connect().put('/', { body: chunks() });
    const [first, second, third] = world.server.received;
    expect(first?.body).toHaveLength(1_000_000);
    expect([second?.body === first?.body, third?.body === first?.body]).toEqual([true, true]);
    expect(third?.headers['content-length']).toBe('1000000');
    expect(read).toBe(1);
  });

  it('whose iterable throws fails the call before anything is sent, and says so', async () => {
    async function* chunks() {
      yield 'x';
      throw new Error('the disk is gone');
    }
    const error = await failure<CallError>(world.connect().put('/', { body: chunks() }));
    expect(error).toMatchObject({ code: 'E_REQUEST_INVALID', name: 'CallError' });
    expect(error.message).toBe("PUT crm /: the body's iterable threw: the disk is gone");
    const wrong = await failure<CallError>(world.connect().put('/', { body: (() => 7) as unknown as () => AsyncIterable<string> }));
    expect(wrong).toMatchObject({ code: 'E_REQUEST_INVALID' });
    expect(world.server.received).toEqual([]);
  });

  it('that breaks off in the middle is no answer: it is made again', async () => {
    let made = 0;
    async function* chunks() {
      made += 1;
      yield text(300_000);
      if (made === 1) throw new Error('a hiccup');
      yield 'end';
    }
    await world.connect().put('/', { body: chunks });
    expect(last().body.endsWith('end')).toBe(true);
    expect(made).toBe(2);
    expect(world.server.effects).toHaveLength(1);
  });

  it('that the server does not read is given up after the time for an answer, counted from the last piece', async () => {
    async function* endless() {
      for (;;) yield Buffer.from(text(64_000));
    }
    const sockets: Socket[] = [];
    const deaf = createServer((socket) => sockets.push(socket.pause().on('error', () => {})));
    await new Promise<void>((listening) => deaf.listen(0, '127.0.0.1', listening));
    const { port } = deaf.address() as AddressInfo;
    const limits = { ...DEFAULTS.limits, total: 5_000, headers: 200 };
    const event = await http.transport.send({
      allowed: compileAllow([], 'test'),
      connectTimeout: 1_000,
      origin: `http://127.0.0.1:${port}`,
      method: 'PUT',
      path: '/',
      headers: {},
      body: endless(),
      limits,
      fresh: true,
    });
    expect(event).toMatchObject({ phase: 'ambiguous', why: 'timeout', message: 'no answer within 200 ms' });
    expect(event.timings.total).toBeGreaterThanOrEqual(200);
    await http.transport.close();
    for (const socket of sockets) socket.destroy();
    await new Promise((closed) => deaf.close(closed));
  });

  it('cannot go with another, nor with a GET, and must be something that can be sent', async () => {
    const crm = world.connect();
    const field = async (options: object) => (await failure<CallError>(crm.post('/', options as BodyOptions))).detail?.field;
    expect(await field({ json: {}, form: {} })).toBe('json');
    expect(await field({ multipart: {}, body: 'x' })).toBe('multipart');
    expect(await field({ body: 7 })).toBe('body');
    expect(await field({ form: { when: new Date() } })).toBe('form.when');
    expect(await field({ multipart: { when: new Date() } })).toBe('multipart.when');
    expect((await failure<CallError>(crm.request('GET', '/', { form: {} }))).detail?.field).toBe('form');
  });
});

describe('in a run', () => {
  it('a reply that is a file is sent on without being held, alone and in a form, and sent again as it was', async () => {
    const crm = world.connect({ idempotencyKey: { header: 'idempotency-key' } });
    const large = text(1_200_000);
    world.server.script(
      { body: large, headers: { 'content-type': 'text/csv' } },
      { body: 'small', headers: { 'content-type': 'text/plain' } },
      { reset: 'after-effect' },
      {},
      { reset: 'after-effect' },
      {},
    );
    const run = durable(
      workflow({
        name: 'onward',
        async run() {
          const file = (await crm.get('/large', { as: 'file' })).data;
          const small = (await crm.get('/small', { as: 'file' })).data;
          await crm.post('/copy', { body: file });
          await sleep(10);
          await crm.post('/form', { multipart: { title: 'both', file, small } });
        },
      }),
      1,
    );
    expect(await run.toTheEnd()).toMatchObject({ status: 'succeeded' });
    const copies = world.server.received.filter(({ url }) => url === '/copy');
    const forms = world.server.received.filter(({ url }) => url === '/form');
    expect(copies.length).toBeGreaterThan(1);
    for (const copy of copies) {
      expect(copy.body).toBe(large);
      expect(copy.headers).toMatchObject({ 'content-type': 'text/csv', 'content-length': String(large.length) });
    }
    expect(new Set(copies.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
    expect(forms.length).toBeGreaterThan(1);
    expect(new Set(forms.map(({ body }) => body)).size).toBe(1);
    const form = await formOf(forms[0] as Received);
    expect([form.get('title'), await (form.get('file') as File).text(), await (form.get('small') as File).text()]).toEqual([
      'both',
      large,
      'small',
    ]);
  });

  it('what was read of an iterable lies below the run', async () => {
    const crm = world.connect();
    async function* chunks() {
      yield text(600_000);
    }
    const run = durable(workflow({ name: 'spooled', run: async () => (await crm.put('/', { body: chunks() })).status }));
    const { id } = await run.toTheEnd();
    expect(run.payloads.keys().length).toBeGreaterThan(0);
    expect(run.payloads.keys().every((key) => key.startsWith(`runs/${id}/body-`))).toBe(true);
    expect(last().body).toHaveLength(600_000);
  });
});

describe('the identity of a call, which journals hold on to', () => {
  const core = makeCore({ name: 'crm', baseUrl: 'https://api.example' });
  const of = (options: BodyOptions) => callOperation(buildCall(core, 'POST', '/a', options));

  it('is what it was for bodies in memory', () => {
    expect(of({ json: { b: 1, a: 'é' } }).bodyHash).toBe('qlj7qEg2I77TfBsC7fzL3ZpTEjg3wgv6TLQEmZOihy4');
    expect(of({ body: 'hello' }).bodyHash).toBe('LPJNul-wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ');
    expect(of({ body: Buffer.from('hello') }).bodyHash).toBe(of({ body: 'hello' }).bodyHash);
    expect(of({}).bodyHash).toBeUndefined();
  });

  it('tells files by size and type, and streams not at all', () => {
    expect(of({ body: new Blob(['abc']) }).identity).not.toBe(of({ body: new Blob(['abcd']) }).identity);
    expect(of({ body: new Blob(['abc']) }).identity).toBe(of({ body: new Blob(['abd']) }).identity);
    expect(of({ body: async function* () {} }).bodyHash).toBeUndefined();
  });
});
