/** `encrypt`: user code sees what the API sent, live and on replay alike, and nothing else ever does. */
import { pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { HoldfastError } from '../../src/engine/errors.ts';
import { unpack } from '../../src/engine/journal.ts';
import { resumeRun } from '../../src/engine/operate.ts';
import type { Clock, RunRecord } from '../../src/engine/ports.ts';
import { readJournal } from '../../src/engine/read-journal.ts';
import { createWorker } from '../../src/engine/worker.ts';
import { registry, type Workflow, workflow } from '../../src/engine/workflow.ts';
import { connection } from '../../src/http/connection.ts';
import type { CallError } from '../../src/http/errors.ts';
import { plainClock } from '../../src/http/plain-ports.ts';
import { type HttpRuntime, httpRuntime } from '../../src/http/runtime.ts';
import { applied, reconcile } from '../../src/http/unknown.ts';
import { memoryPayloadStore, memoryRunStore, memorySecrets, memoryWakeQueue, seededEntropy } from '../../src/testing/index.ts';
import { type Harness, harness } from '../support/http.ts';

const SECRET = 'hunter2-hunter2-hunter2';

let world: Harness;
let deploymentKey: () => Promise<string>;
const runtimes: HttpRuntime[] = [];
beforeEach(async () => {
  world = await harness();
  deploymentKey = async () => 'first-key';
});
afterEach(async () => {
  for (const http of runtimes.splice(0)) await http.transport.close();
  await world.close();
});

/** Each delivery is a process of its own, which replays what came before and gets one result further. */
function durable(definition: Workflow, maxDeliveries: number | undefined = 1) {
  let shift = 0;
  let code = definition;
  const clock: Clock = { now: () => Date.now() + shift, timer: plainClock.timer };
  const store = memoryRunStore();
  const payloads = memoryPayloadStore();
  const wake = memoryWakeQueue({ clock });
  const entropy = seededEntropy(1);
  async function record(): Promise<RunRecord> {
    const { items } = await store.list({}, { limit: 1, now: clock.now() });
    const run = (await store.load([items[0]?.id ?? ''])).get(items[0]?.id ?? '');
    if (!run || 'stub' in run) throw new Error('no run');
    return run;
  }
  return {
    record,
    deploy: (next: Workflow) => {
      code = next;
    },
    resume: async () => resumeRun({ store, payloads, wake, clock, entropy }, await record(), {}),
    async deliver(): Promise<RunRecord> {
      shift += 60_000;
      const http = httpRuntime({ clock: plainClock, secrets: memorySecrets(), deploymentKey: () => deploymentKey(), allowLoopback: true });
      runtimes.push(http);
      const worker = createWorker({
        store,
        payloads,
        wake,
        clock,
        entropy,
        observe: () => {},
        registry: registry([code]),
        services: { http },
        ...(maxDeliveries === undefined ? {} : { maxDeliveries }),
      });
      const body = JSON.stringify({ workflow: code.name, input: {}, idempotencyKey: 'k' });
      const message = { id: 'm1', queue: 'start' as const, body, receiveCount: 1 };
      await worker.handle([message], { deadline: clock.now() + 100_000, owner: `o${shift}`, done: () => {} });
      return record();
    },
    async toTheEnd(): Promise<RunRecord> {
      for (let round = 0; round < 20; round++) {
        const run = await this.deliver();
        if (run.endedAt !== undefined || run.status === 'paused') return run;
      }
      throw new Error('the run does not end');
    },
    /** Everything that is kept of it, in clear where it is only compressed. */
    async kept(): Promise<string> {
      const run = await record();
      const stored = await Promise.all(payloads.keys().map(async (ref) => readable(await payloads.get(ref))));
      return JSON.stringify([run, await readJournal(run, store), stored]);
    },
  };
}

function readable(bytes: Uint8Array): string {
  const raw = Buffer.from(bytes).toString('latin1');
  try {
    return `${raw} ${unpack(bytes)}`;
  } catch {
    return raw;
  }
}

const flow = (run: () => Promise<unknown>) => workflow({ name: 'w', run });

describe('what encrypt names of a reply', () => {
  it('is the same for user code live and on every replay, in verbs, fetch and errors, and nowhere else', async () => {
    const crm = world.connect({ encrypt: ['token', 'items[*].iban'] });
    const body = `{ "id": 12345678901234567890, "token" : "${SECRET}", "items":[{"iban":"${SECRET}","n":1.0},{"n":2}] }`;
    world.server.script(({ url }) => ({ status: url === '/bad' ? 400 : 200, body }));
    const seen: string[] = [];
    const run = durable(
      flow(async () => {
        const text = (await crm.get('/a', { as: 'text' })).data;
        const { data } = await crm.get('/b');
        const error = await crm.post('/bad', { json: {} }).catch((thrown: unknown) => thrown as CallError);
        const response = await crm.fetch('/c', { method: 'PUT', body: '{}' });
        seen.push(JSON.stringify([text, data, (error as CallError).reply?.data, await response.clone().text()]));
        return 'ended';
      }),
    );
    expect((await run.toTheEnd()).status).toBe('succeeded');
    expect(world.server.received).toHaveLength(4);
    const [text, data, failed, fetched] = JSON.parse(seen[0] ?? '') as unknown[];
    expect([text, fetched]).toEqual([body, body]);
    expect([data, failed]).toEqual([JSON.parse(body), JSON.parse(body)]);
    expect(new Set(seen).size).toBe(1);
    const kept = await run.kept();
    expect(kept).not.toContain(SECRET);
    expect(kept).toContain('‹sealed›');
    expect(kept).toContain('12345678901234567890');
  });

  it.each([
    ['text', { headers: { 'content-type': 'text/plain' }, body: `token=${SECRET}` }],
    ['JSON that is none', { body: `{"token":"${SECRET}"` }],
    ['a bare value', { body: `"${SECRET}"` }],
    ['bytes', { headers: { 'content-type': 'image/png' }, body: Buffer.concat([Buffer.from([0xff, 0]), Buffer.from(SECRET)]) }],
    ['what was cut', { body: `{"other":"${'x'.repeat(200)}","token":"${SECRET}"}${' '.repeat(800)}` }],
  ])('is sealed as a whole where it is %s', async (_what, fate) => {
    const crm = world.connect({ encrypt: ['token'], maxBody: 500 });
    world.server.script(fate);
    const seen: string[] = [];
    const run = durable(
      flow(async () => {
        const { data } = await crm.get('/', { as: 'bytes' });
        seen.push(Buffer.from(data).toString('latin1'));
        await crm.get('/');
      }),
    );
    await run.toTheEnd();
    expect(seen.length).toBeGreaterThan(1);
    for (const one of seen) expect(one).toBe(Buffer.from(fate.body).subarray(0, 500).toString('latin1'));
    const kept = await run.kept();
    expect(kept).not.toContain(SECRET);
    expect(kept).not.toContain(Buffer.from(SECRET).toString('base64').slice(4, 20));
  });

  it('is what connection, route and call say together', async () => {
    const crm = world.connect({ encrypt: ['a'], routes: [{ path: '/x', encrypt: ['b'] }] });
    world.server.script({ body: '{"a":"clear-a","b":"clear-b","c":"clear-c","d":"clear-d"}' });
    const run = durable(flow(async () => void (await crm.get('/x', { encrypt: ['c'] }))));
    await run.toTheEnd();
    expect(await run.kept()).toMatch(/^(?!.*clear-[abc]).*clear-d/s);
  });

  it('is sealed in what a reconciler says, too', async () => {
    const crm = world.connect({ encrypt: ['token'] });
    world.server.script({ reset: 'after-effect' });
    const told = reconcile(async () => applied({ status: 201, data: { token: SECRET } }));
    const seen: unknown[] = [];
    const run = durable(
      flow(async () => {
        seen.push((await crm.post('/', { json: {}, onUnknown: told })).data);
        await crm.get('/').catch(() => {});
      }),
    );
    await run.toTheEnd();
    expect(seen.length).toBeGreaterThan(1);
    for (const one of seen) expect(one).toEqual({ token: SECRET });
    expect(await run.kept()).not.toContain(SECRET);
  });

  it('large replies are sealed before they go to the payload store', async () => {
    const crm = world.connect({ encrypt: ['token'] });
    const noise = Array.from({ length: 20_000 }, (_, n) => Math.sin(n));
    world.server.script({ body: JSON.stringify({ noise, token: SECRET }) }, { body: '{}' });
    const seen: unknown[] = [];
    const run = durable(
      flow(async () => {
        seen.push(((await crm.get('/')).data as { token: string }).token);
        await crm.get('/next');
      }),
    );
    expect((await run.toTheEnd()).status).toBe('succeeded');
    expect(new Set(seen)).toEqual(new Set([SECRET]));
    expect(await run.kept()).not.toContain(SECRET);
  });
});

describe('the key', () => {
  const twoCalls = (encrypt: readonly string[] | undefined = ['token']) =>
    flow(async () => {
      const crm = world.connect(encrypt.length === 0 ? {} : { encrypt });
      const { data } = await crm.get('/');
      await crm.get('/next');
      return (data as { token: string }).token.length;
    });

  it('that is another one pauses the run, and the former one lets it go on', async () => {
    world.server.script({ body: `{"token":"${SECRET}"}` });
    const run = durable(twoCalls());
    await run.deliver();
    deploymentKey = async () => 'second-key';
    expect(await run.deliver()).toMatchObject({ status: 'paused', reason: { code: 'E_SEALED' } });
    deploymentKey = async () => 'first-key';
    await run.resume();
    expect(await run.toTheEnd()).toMatchObject({ status: 'succeeded', outcome: { value: { text: String(SECRET.length) } } });
    expect(world.server.received).toHaveLength(2);
  });

  it('that is missing pauses the run before anything is sent', async () => {
    deploymentKey = async () => {
      throw new HoldfastError('E_SECRET_MISSING', 'the secret "holdfast/deployment-key" is missing');
    };
    const crm = world.connect({ encrypt: ['token'] });
    const run = durable(flow(async () => crm.post('/', { json: {} })));
    expect(await run.deliver()).toMatchObject({ status: 'paused', reason: { code: 'E_SECRET_MISSING' } });
    expect(world.server.received).toEqual([]);
  });

  it('opens what was sealed also for code that has no encrypt any more', async () => {
    world.server.script({ body: `{"token":"${SECRET}"}` });
    const run = durable(twoCalls());
    await run.deliver();
    run.deploy(twoCalls([]));
    expect(await run.toTheEnd()).toMatchObject({ status: 'succeeded', outcome: { value: { text: String(SECRET.length) } } });
  });

  it('that comes slowly does not make a replay another than it was, with un-journaled work beside it', async () => {
    const crm = world.connect({ encrypt: ['token'] });
    world.server.script({ body: `{"token":"${SECRET}"}` });
    const run = durable(
      flow(async () => {
        const work = promisify(pbkdf2)('a', 'b', 40_000, 64, 'sha512').then(() => crm.get('/after-work'));
        await crm.get('/first');
        await crm.get('/second');
        await work;
      }),
    );
    // What is delivered first, and what is issued then, comes long before the work is done.
    await run.deliver();
    await run.deliver();
    deploymentKey = () => new Promise((later) => setTimeout(later, 300, 'first-key'));
    expect(await run.toTheEnd()).toMatchObject({ status: 'succeeded' });
  });
});

it.each([
  ['', 'no list', 'token'],
  ['[0]', 'an empty path', ['']],
  ['[1]', 'an index', ['a', 'a[0]']],
  ['[0]', 'a double dot', ['a..b']],
  ['[0]', 'a number', [7]],
  ['[0]', 'a quoted name', ["$['a']"]],
  ['[0]', 'a star within a name', ['a*']],
])('paths are checked: encrypt%s with %s is E_BAD_OPTION', (place, _what, encrypt) => {
  expect(() => connection({ name: 'crm', baseUrl: 'https://crm.example', encrypt: encrypt as string[] })).toThrow(
    expect.objectContaining({ code: 'E_BAD_OPTION', detail: { field: `encrypt${place}` } }),
  );
});

it.each(['$', '$.a', 'a', 'a.b', 'a[*].b', '$[*].a', '[*].a', 'a.*', '*', 'a[*][*]', '$.*', 'naïve-name_1', '@id'])(
  'paths may be %s',
  (path) => {
    expect(() => connection({ name: 'crm', baseUrl: 'https://crm.example', encrypt: [path] })).not.toThrow();
  },
);

it('outside a run nothing is kept and nothing needs a key', async () => {
  world.server.script({ body: `{"token":"${SECRET}"}` });
  expect((await world.connect({ encrypt: ['token'] }).get('/')).data).toEqual({ token: SECRET });
});
