/** Bodies that are too large for memory: where they go, how they come back, live and on every replay alike. */
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HoldfastError } from '../../src/engine/errors.ts';
import type { Clock, RunRecord } from '../../src/engine/ports.ts';
import { step } from '../../src/engine/step.ts';
import { sleep } from '../../src/engine/verbs.ts';
import { createWorker } from '../../src/engine/worker.ts';
import { registry, type Workflow, workflow } from '../../src/engine/workflow.ts';
import { bearer } from '../../src/http/auth/auth.ts';
import { secret } from '../../src/http/auth/secrets.ts';
import { INLINE_BYTES } from '../../src/http/bodies/keep.ts';
import { PIECE_BYTES } from '../../src/http/bodies/rooms.ts';
import { type CallError, SchemaError } from '../../src/http/errors.ts';
import { plainClock } from '../../src/http/plain-ports.ts';
import type { Reply, StoredBody } from '../../src/http/reply.ts';
import { type HttpRuntime, httpRuntime } from '../../src/http/runtime.ts';
import {
  type Faults,
  type MemoryPayloadStore,
  memoryPayloadStore,
  memoryRunStore,
  memorySecrets,
  memoryWakeQueue,
  seededEntropy,
} from '../../src/testing/index.ts';
import { failure, type Harness, harness, TOKEN } from '../support/http.ts';

const MB = 1_000_000;
let world: Harness;
let http: HttpRuntime;
let payloads: MemoryPayloadStore;
let faults: Faults;

beforeEach(async () => {
  world = await harness();
  http = httpRuntime({
    clock: plainClock,
    secrets: memorySecrets({ 'crm/token': TOKEN }),
    deploymentKey: async () => 'test-key',
    allowLoopback: true,
  });
  faults = {};
  payloads = memoryPayloadStore({
    before: (op, key) => faults.before?.(op, key),
    after: (op, key) => faults.after?.(op, key),
  });
});
afterEach(async () => {
  await http.transport.close();
  await world.close();
});

/** `everyTurn`: it is put down after each delivery, so that the next invocation replays what came before. */
function durable(definition: Workflow, everyTurn = true) {
  let shift = 0;
  const clock: Clock = { now: () => Date.now() + shift, timer: plainClock.timer };
  const store = memoryRunStore();
  const worker = createWorker({
    store,
    payloads,
    wake: memoryWakeQueue({ clock }),
    clock,
    entropy: seededEntropy(1),
    observe: () => {},
    registry: registry([definition]),
    services: { http },
    ...(everyTurn ? { maxDeliveries: 1 } : {}),
  });
  const body = JSON.stringify({ workflow: definition.name, input: {}, idempotencyKey: 'k' });
  async function deliver(after = 0): Promise<RunRecord | undefined> {
    shift += after;
    const message = { id: 'm1', queue: 'start' as const, body, receiveCount: 1 };
    await worker.handle([message], { deadline: clock.now() + 100_000, owner: `o${shift}`, done: () => {} });
    const { items } = await store.list({}, { limit: 1, now: clock.now() });
    const run = (await store.load([items[0]?.id ?? ''])).get(items[0]?.id ?? '');
    return run && !('stub' in run) ? run : undefined;
  }
  return {
    deliver,
    async toTheEnd(): Promise<RunRecord> {
      for (let round = 0; round < 60; round++) {
        const run = await deliver(round * 1_000);
        if (run?.endedAt !== undefined) return run;
      }
      throw new Error('the run does not end');
    },
  };
}

function resultOf(run: RunRecord | undefined): unknown {
  if (!run?.outcome) throw new Error(`${run?.status}: ${run?.reason?.message}`);
  if ('error' in run.outcome) throw new Error(run.outcome.error.message);
  return 'text' in run.outcome.value ? JSON.parse(run.outcome.value.text) : run.outcome.value;
}

const bodies = () => payloads.keys().filter((key) => key.includes('/body-'));
const jsonOf = (bytes: number) => JSON.stringify({ text: randomBytes(bytes / 2).toString('hex') });
const sum = (bytes: Uint8Array) => bytes.reduce((total, byte) => (total * 31 + byte) % 1_000_003, 7);

describe('a body of a call in a run', () => {
  it('that is small is in the journal; a larger one lies in pieces below its run, so that deleting the run removes it', async () => {
    const crm = world.connect();
    const [small, large] = [jsonOf(200_000), jsonOf(2 * MB)];
    world.server.script({ body: small }, { body: large });
    const run = durable(
      workflow({
        name: 'sizes',
        async run() {
          const first = await crm.get('/small');
          const second = await crm.get('/large');
          return [(first.data as { text: string }).text.length, (second.data as { text: string }).text.length];
        },
      }),
    );
    const ended = await run.toTheEnd();
    expect(resultOf(ended)).toEqual([200_000, 2 * MB]);
    expect(bodies().every((key) => key.startsWith(`runs/${ended.id}/body-`))).toBe(true);
    expect(bodies()).toHaveLength(Math.ceil(large.length / PIECE_BYTES));
    const pieces = await Promise.all(bodies().map((key) => payloads.get(key)));
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThanOrEqual(PIECE_BYTES);
    expect(Buffer.concat(pieces).toString()).toBe(large);
    expect(world.server.received).toHaveLength(2);
    await payloads.removeAll(`runs/${ended.id}/`);
    expect(bodies()).toEqual([]);
  });

  it.each([
    ['JSON by its type', { 'content-type': 'application/json' }, {}],
    ['JSON by `as`', { 'content-type': 'text/plain' }, { as: 'json' }],
    ['text', { 'content-type': 'text/plain; charset=utf-8' }, {}],
    ['text without a type', { 'content-type': '' }, {}],
    ['bytes', { 'content-type': 'image/png' }, {}],
  ] as const)('%s reads as if it had been in the journal, on every replay', async (_name, headers, options) => {
    const crm = world.connect();
    // Characters of two, three and four bytes across the borders of pieces.
    const text = JSON.stringify({ text: 'aé語🎉'.repeat(120_000) });
    expect(Buffer.byteLength(text)).toBeGreaterThan(4 * PIECE_BYTES);
    world.server.script({ body: text, headers: headers['content-type'] === '' ? { 'content-type': [] } : headers });
    const seen: string[] = [];
    const run = durable(
      workflow({
        name: 'kinds',
        async run() {
          const { data } = await crm.get('/large', options);
          const kind = data instanceof Uint8Array ? 'bytes' : typeof data;
          const back = data instanceof Uint8Array ? Buffer.from(data).toString() : typeof data === 'string' ? data : JSON.stringify(data);
          seen.push(kind);
          await sleep(10);
          return [kind, back === text];
        },
      }),
    );
    const [kind, same] = resultOf(await run.toTheEnd()) as [string, boolean];
    expect(same).toBe(true);
    expect(kind).toBe(_name.startsWith('JSON') ? 'object' : _name === 'bytes' ? 'bytes' : 'string');
    expect(seen.length).toBeGreaterThan(1);
    expect(new Set(seen).size).toBe(1);
    expect(world.server.received).toHaveLength(1);
  });

  it('that is compressed is stored decoded; one over the cap is cut there and is a handle', async () => {
    const crm = world.connect({ maxBody: 1_500_000 });
    const noise = randomBytes(3 * MB);
    world.server.script({ body: gzipSync(noise), headers: { 'content-encoding': 'gzip', 'content-type': 'application/octet-stream' } });
    const run = durable(
      workflow({
        name: 'cut',
        async run() {
          const reply = await crm.get('/large');
          const file = reply.data as StoredBody;
          return [reply.truncated, file.size, sum(await file.bytes())];
        },
      }),
    );
    expect(resultOf(await run.toTheEnd())).toEqual([true, 1_500_000, sum(noise.subarray(0, 1_500_000))]);
  });

  it('of an error is the error’s, and a schema sees it', async () => {
    const crm = world.connect();
    world.server.script({ status: 422, body: jsonOf(MB) }, { body: jsonOf(MB) });
    const run = durable(
      workflow({
        name: 'errors',
        async run() {
          const failed = await failure<CallError>(crm.get('/422'));
          const schema = {
            '~standard': { version: 1 as const, vendor: 'test', validate: (data: unknown) => ({ issues: [{ message: typeof data }] }) },
          };
          const wrong = await failure<SchemaError>(crm.get('/schema', { schema }));
          await sleep(10);
          return [
            (failed.reply as Reply<{ text: string }>).data.text.length,
            wrong instanceof SchemaError,
            wrong.issues[0]?.message,
            (wrong.reply.data as { text: string }).text.length,
          ];
        },
      }),
    );
    expect(resultOf(await run.toTheEnd())).toEqual([MB, true, 'object', MB]);
  });

  it('is judged by successWhen, wherever it lies', async () => {
    const crm = world.connect({ successWhen: ({ data }) => ((data as { ok?: boolean }).ok ? true : 'transient'), retry: { attempts: 2 } });
    const large = (ok: boolean) => JSON.stringify({ ok, text: 'x'.repeat(MB) });
    world.server.script({ body: large(false) }, { body: large(true) });
    const run = durable(workflow({ name: 'judged', run: async () => ((await crm.get('/')).data as { ok: boolean }).ok }));
    expect(resultOf(await run.toTheEnd())).toBe(true);
    expect(world.server.received).toHaveLength(2);
  });

  it('through fetch is whole', async () => {
    const crm = world.connect();
    const large = jsonOf(MB);
    world.server.script({ body: large });
    const run = durable(
      workflow({
        name: 'fetched',
        async run() {
          const text = await (await crm.fetch('/large')).text();
          await sleep(10);
          return text === large;
        },
      }),
    );
    expect(resultOf(await run.toTheEnd())).toBe(true);
    expect(world.server.received).toHaveLength(1);
  });

  it('shows no secret of the connection that it echoes, also where the secret lies across the border of two pieces', async () => {
    const crm = world.connect({ auth: bearer(secret('crm/token')) });
    const before = PIECE_BYTES - 10;
    world.server.script({
      body: `${'x'.repeat(before)}${TOKEN}${'y'.repeat(PIECE_BYTES)}${TOKEN}z`,
      headers: { 'content-type': 'text/plain' },
    });
    const run = durable(workflow({ name: 'echo', run: async () => ((await crm.get('/')).data as string).replace(/[xy]{2,}/g, '…') }));
    expect(resultOf(await run.toTheEnd())).toMatch(/^…‹redacted:[\w-]{8}›…‹redacted:[\w-]{8}›z$/);
    const stored = Buffer.concat(await Promise.all(bodies().map((key) => payloads.get(key)))).toString();
    expect(stored).not.toContain(TOKEN.slice(0, 12));
  });
});

describe('when the payload store fails', () => {
  it('while the body comes in, a repeatable call is made again', async () => {
    const crm = world.connect({ retry: { schedule: [1] } });
    world.server.script({ body: jsonOf(MB) });
    let failures = 1;
    faults.before = (op, key) => {
      if (op === 'put' && key.includes('/body-') && failures-- > 0) throw new Error('503 Slow Down');
    };
    const run = durable(workflow({ name: 'again', run: async () => ((await crm.get('/')).data as { text: string }).text.length }));
    expect(resultOf(await run.toTheEnd())).toBe(MB);
    expect(world.server.received).toHaveLength(2);
  });

  it('while the body comes in, an unsafe call is unknown, and not made again', async () => {
    const crm = world.connect();
    world.server.script({ body: jsonOf(MB) });
    faults.before = (op, key) => {
      if (op === 'put' && key.includes('/body-')) throw new Error('503 Slow Down');
    };
    const run = durable(workflow({ name: 'unknown', run: () => crm.post('/', { json: {} }) }));
    await run.deliver();
    const paused = await run.deliver(1_000);
    expect(paused).toMatchObject({ status: 'paused', reason: { code: 'E_UNKNOWN_OUTCOME' } });
    expect(world.server.received).toHaveLength(1);
  });

  it('while a journaled body is read, the run is handed back and goes on later', async () => {
    const crm = world.connect();
    world.server.script({ body: jsonOf(MB) });
    const run = durable(
      workflow({
        name: 'later',
        async run() {
          const reply = await crm.get('/');
          await sleep('1h');
          return (reply.data as { text: string }).text.length;
        },
      }),
      false,
    );
    const parked = await run.deliver();
    expect(parked?.status).toBe('waiting');
    faults.before = (op, key) => {
      if (op === 'get' && key.includes('/body-')) throw new Error('503 Slow Down');
    };
    expect(await run.deliver(3_700_000)).toEqual(parked);
    faults = {};
    expect(resultOf(await run.deliver(1_000))).toBe(MB);
    expect(world.server.received).toHaveLength(1);
  });

  it.each([
    ['json', {}],
    ['file', { as: 'file' }],
  ] as const)('and a journaled body is gone (%s), the run pauses until it is back', async (_as, options) => {
    const crm = world.connect();
    world.server.script({ body: jsonOf(MB) });
    const run = durable(
      workflow({
        name: 'gone',
        async run() {
          const reply: Reply = await crm.get('/', options);
          const text = async () =>
            options === undefined || !('as' in options) ? JSON.stringify(reply.data) : (reply.data as StoredBody).text();
          await sleep('1h');
          return (await text()).length;
        },
      }),
      false,
    );
    await run.deliver();
    const kept = await Promise.all(bodies().map(async (key) => [key, await payloads.get(key)] as const));
    for (const [key] of kept) payloads.delete(key);
    const paused = await run.deliver(3_700_000);
    expect(paused).toMatchObject({ status: 'paused', reason: { code: 'E_PAYLOAD_MISSING' } });
    for (const [key, data] of kept) await payloads.put(key, data);
    expect(kept.length).toBeGreaterThan(3);
    expect(world.server.received).toHaveLength(1);
  });
});

describe("as: 'file'", () => {
  it('gives a handle for a body of any size, whose readings are replayed where they were', async () => {
    const crm = world.connect();
    const sizes = [0, 5, INLINE_BYTES, INLINE_BYTES + 1, 3 * MB];
    const contents = sizes.map((size) => randomBytes(size));
    world.server.script(...contents.map((body) => ({ body, headers: { 'content-type': 'application/pdf' } })));
    const run = durable(
      workflow({
        name: 'files',
        async run() {
          const results: unknown[] = [];
          for (const size of sizes) {
            const { data } = await crm.get(`/${size}`, { as: 'file' });
            let streamed = 0;
            for await (const chunk of data.stream()) streamed += chunk.length;
            const whole = await data.bytes();
            results.push([data.size, data.type, streamed, whole.length, sum(whole)]);
          }
          return results;
        },
      }),
    );
    const expected = contents.map((body) => [body.length, 'application/pdf', body.length, body.length, sum(body)]);
    expect(resultOf(await run.toTheEnd())).toEqual(expected);
    expect(world.server.received).toHaveLength(sizes.length);
  });

  it('reads text and JSON, and many handles at once in any order of the store without a divergence', async () => {
    const crm = world.connect();
    world.server.script((request) => ({ body: JSON.stringify({ path: request.url, text: 'é'.repeat(400_000) }) }));
    faults.before = (op, key) => {
      if (op === 'get' && key.includes('/body-')) return new Promise((done) => setTimeout(done, Math.random() * 5));
      return undefined;
    };
    const order: string[] = [];
    const run = durable(
      workflow({
        name: 'many',
        async run() {
          order.length = 0;
          return Promise.all(
            [1, 2, 3, 4].map(async (n) => {
              const { data } = await crm.get(`/${n}`, { as: 'file' });
              const { path } = (await data.json()) as { path: string };
              const { length } = await data.text();
              order.push(path);
              return (await crm.put(`/done/${order.join()}`, { json: { length } })).status;
            }),
          );
        },
      }),
    );
    expect(resultOf(await run.toTheEnd())).toEqual([200, 200, 200, 200]);
    // A PUT may be made again when a run is put down; another one than before would be another order.
    expect(new Set(world.server.effects.filter(({ method }) => method === 'PUT').map(({ url }) => url)).size).toBe(4);
  });

  it('is read in a step without being journaled', async () => {
    const crm = world.connect();
    const body = randomBytes(2 * MB);
    world.server.script({ body });
    let reads = 0;
    faults.before = (op, key) => {
      if (op === 'get' && key.includes('/body-')) reads += 1;
    };
    const run = durable(
      workflow({
        name: 'stepped',
        async run() {
          const { data } = await crm.get('/', { as: 'file' });
          const total = await step('sum', async () => sum(await data.bytes()), { safe: true });
          await sleep('1h');
          return total;
        },
      }),
      false,
    );
    await run.deliver();
    expect(resultOf(await run.deliver(3_700_000))).toBe(sum(body));
    expect(reads).toBe(Math.ceil(body.length / PIECE_BYTES));
  });

  it('cannot be a result, nor be checked by a schema', async () => {
    const crm = world.connect();
    world.server.script({ body: jsonOf(1_000) });
    const run = durable(workflow({ name: 'result', run: async () => (await crm.get('/', { as: 'file' })).data }));
    const ended = await run.toTheEnd();
    expect(ended.outcome).toMatchObject({ error: { code: 'E_NOT_SERIALISABLE' } });
    const schema = { '~standard': { version: 1 as const, vendor: 'test', validate: (value: unknown) => ({ value }) } };
    const refused = await failure<HoldfastError>(crm.get('/', { as: 'file', schema }));
    expect(refused).toBeInstanceOf(HoldfastError);
    expect(refused).toMatchObject({ code: 'E_BAD_OPTION', detail: { field: 'schema' } });
  });
});

describe('outside a run', () => {
  const folders = () => readdirSync(tmpdir()).filter((name) => name.startsWith('holdfast-'));
  const files = () => folders().flatMap((name) => readdirSync(`${tmpdir()}/${name}`).filter((file) => file.startsWith('body-')));

  it('large bodies lie in files of this process while they are needed', async () => {
    const crm = world.connect();
    const body = jsonOf(2 * MB);
    world.server.script({ body });
    const before = files().length;
    expect(((await crm.get('/')).data as { text: string }).text).toHaveLength(2 * MB);
    expect(files()).toHaveLength(before);
    const { data } = await crm.get('/', { as: 'file' });
    expect(files()).toHaveLength(before + 1);
    let streamed = '';
    for await (const chunk of data.stream()) streamed += Buffer.from(chunk).toString('latin1');
    expect(streamed).toBe(body);
    expect(((await data.json()) as { text: string }).text).toHaveLength(2 * MB);
  });
});
