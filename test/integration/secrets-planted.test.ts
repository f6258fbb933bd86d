/**
 * 200 secrets of connections and 50 values under `encrypt` go through real runs, over an API that shows callers what callers sent, in
 * every spelling and at the worst moments. Then all that anybody can read is searched for them: table, bucket, queues, logs, API.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Logger } from '@aws-lambda-powertools/logger';
import { type AttributeValue, ScanCommand } from '@aws-sdk/client-dynamodb';
import { GetObjectCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { memoryAdmissionStore } from '../../src/admission/memory-store.ts';
import { connectionDesk } from '../../src/admission/operator.ts';
import { createApi } from '../../src/api/app.ts';
import { systemClock } from '../../src/aws/clock.ts';
import { awsEnvironment, type Environment } from '../../src/aws/environment.ts';
import { s3PayloadRemoval } from '../../src/aws/payload-store.ts';
import { dynamoRunStore } from '../../src/aws/run-store.ts';
import { telemetry } from '../../src/aws/telemetry.ts';
import { s3Uploads } from '../../src/aws/uploads.ts';
import { unpack } from '../../src/engine/journal.ts';
import { redriveRun } from '../../src/engine/operate.ts';
import type { RunRecord } from '../../src/engine/ports.ts';
import { runId } from '../../src/engine/start.ts';
import { log } from '../../src/engine/verbs.ts';
import { createWorker, type Received } from '../../src/engine/worker.ts';
import { registry, workflow } from '../../src/engine/workflow.ts';
import { type Auth, basic, bearer, header, query } from '../../src/http/auth/auth.ts';
import { secret } from '../../src/http/auth/secrets.ts';
import { connection } from '../../src/http/connection.ts';
import { httpRuntime, usePlainRuntime } from '../../src/http/runtime.ts';
import { seededEntropy } from '../../src/testing/index.ts';
import { memoryCredentialStore } from '../../src/testing/memory-credential-store.ts';
import { memoryTokenStore } from '../../src/testing/memory-token-store.ts';
import { proxyEvent } from '../support/api.ts';
import { type Emulators, startEmulators } from '../support/aws-emulators.ts';
import { type HostileServer, hostileServer } from '../support/hostile-server.ts';
import { CUT, echo, plant, spellings, WAYS } from '../support/planted.ts';

const SEED = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 1e9));
const chance = seededEntropy(SEED);
const SECRETS = Array.from({ length: 200 }, () => plant(chance));
const VALUES = Array.from({ length: 50 }, () => plant(chance));
const WAY_NAMES = Object.keys(WAYS);
const PER_RUN = 10;
const wayOf = (i: number) => WAY_NAMES[i % WAY_NAMES.length] as string;
const controlOf = (i: number) => `control-${i}-`;
const TOKEN = 'the-token-of-the-test';
const hashOf = (text: string) => createHash('sha256').update(text).digest('hex');

let aws: Emulators;
let server: HostileServer;
let environment: Environment;
let dir: string;
const printed: string[] = [];
const watched: string[] = [];
const saved = { ...process.env };

function authOf(i: number): Auth {
  const name = secret(`planted/${i}`);
  return [bearer(name), header('X-Api-Key', name), basic('ada', name), query('api_key', name)][
    Math.floor(i / WAY_NAMES.length) % 4
  ] as Auth;
}

/** Shows all it gets to the log, to the result, or in an error: none of it may hold what was planted. */
const planted = workflow({
  name: 'planted',
  async run(input) {
    const { from, fail } = input as { from: number; fail: boolean };
    const seen: unknown[] = [];
    for (let i = from; i < from + PER_RUN; i++) {
      const api = connection({
        name: `api-${i}`,
        baseUrl: server.url,
        auth: authOf(i),
        retry: { attempts: 1, throttles: 0 },
        onUnknown: 'throw',
        ...(wayOf(i) === 'a body that is cut' ? { maxBody: CUT } : {}),
        ...(wayOf(i) === 'a redirect that is followed' ? { redirects: 'follow' as const } : {}),
      });
      try {
        const path = `/planted/${i}`;
        if (i % 4 === 0) {
          const response = await api.fetch(path, { method: i % 8 === 0 ? 'GET' : 'POST' });
          seen.push([response.url, [...response.headers], await response.text()]);
        } else {
          const reply =
            i % 4 === 1
              ? await api.get(path, { acceptStatus: [403] })
              : i % 4 === 2
                ? await api.post(path, { json: { i } })
                : await api.put(path);
          seen.push([[...reply.headers], reply.data instanceof Uint8Array ? Buffer.from(reply.data).toString('latin1') : reply.data]);
        }
      } catch (error) {
        const { message, detail, reply } = error as Error & { detail?: object; reply?: { headers: Headers; data: unknown } };
        seen.push([message, detail ?? null, [...(reply?.headers ?? [])], reply?.data ?? null]);
        log.warn(message, JSON.parse(JSON.stringify([detail ?? null, reply?.data ?? null, String((error as Error).stack)])));
      }
      log.info('seen', JSON.stringify(seen.at(-1)).slice(-3_000));
    }
    if (fail) throw new Error(`gave up: ${JSON.stringify(seen)}`.slice(0, 6_000));
    return seen;
  },
});

/** What it got of the values comes out as hashes. */
const encrypted = workflow({
  name: 'encrypted',
  async run(input) {
    const { from } = input as { from: number };
    const vault = connection({ name: 'vault', baseUrl: server.url, encrypt: ['secret', 'list[*].pin', 'deep.*'], retry: { attempts: 1 } });
    const seen: string[] = [];
    for (let i = from; i < from + PER_RUN; i++) {
      const path = `/encrypted/${i}`;
      const how = i % 5;
      if (how === 0) seen.push((await vault.get(path, { as: 'text' })).data);
      if (how === 1) seen.push(await (await vault.fetch(path)).text());
      if (how === 2) seen.push((await vault.post(path, { json: {}, encrypt: ['$'], as: 'text' })).data);
      if (how === 3) await vault.put(path).catch((error: { reply: { data: unknown } }) => seen.push(JSON.stringify(error.reply.data)));
      if (how === 4) seen.push((await vault.get(`${path}?large`, { as: 'text' })).data);
    }
    log.info('seen', seen.length);
    return seen.map(hashOf);
  },
});

const bodyOf = (i: number) => {
  const { value } = VALUES[i] as (typeof VALUES)[number];
  return {
    control: controlOf(1_000 + i),
    secret: value,
    list: [{ pin: value, n: 1 }, { pin: { in: [value] } }],
    deep: { a: value, b: 2 },
    ...(i % 5 === 4 ? { noise: Array.from({ length: 5_000 }, (_, n) => Math.cos(n)) } : {}),
  };
};

beforeAll(async () => {
  console.log(`FUZZ_SEED=${SEED}`);
  [aws, server, dir] = await Promise.all([startEmulators(), hostileServer(), mkdtemp(join(tmpdir(), 'holdfast-planted-'))]);
  server.script((request) => {
    const [, what, n = ''] = /^\/(planted|encrypted|landed|x)\/(?:control-)?(\d+)/.exec(request.url) ?? [];
    const i = Number(n);
    if (what === 'encrypted') return { status: i % 5 === 3 ? 422 : 200, body: JSON.stringify(bodyOf(i)) };
    return echo(request, wayOf(i), controlOf(i));
  });
  const secretsFile = join(dir, 'secrets.env');
  await writeFile(secretsFile, SECRETS.map(({ value }, i) => `PLANTED_${i}=${value}\n`).join(''));
  Object.assign(process.env, aws.env, {
    HOLDFAST_STAGE: 'test',
    HOLDFAST_RUNS_TABLE: await aws.createRunsTable(),
    HOLDFAST_CONNECTIONS_TABLE: 'connections',
    HOLDFAST_START_QUEUE_URL: await aws.createQueue(),
    HOLDFAST_WAKE_QUEUE_URL: await aws.createQueue(),
    HOLDFAST_PAYLOADS_BUCKET: await aws.createBucket(),
    HOLDFAST_SECRETS: `env-file:${secretsFile}`,
    HOLDFAST_FUNCTION_TIMEOUT_MS: '180000',
    POWERTOOLS_LOG_LEVEL: 'DEBUG',
    POWERTOOLS_DEV: 'true',
  });
  environment = awsEnvironment(process.env);
  for (const level of ['log', 'debug', 'info', 'warn', 'error'] as const)
    vi.spyOn(console, level).mockImplementation((...args: unknown[]) => void printed.push(args.map(String).join(' ')));
});
afterAll(async () => {
  vi.restoreAllMocks();
  process.env = saved;
  await Promise.all([aws?.stop(), server?.close(), rm(dir, { recursive: true, force: true })]);
});

/** Run after run to its end, in a worker as functions/worker.ts makes it, which puts each run down after three results. */
async function workOff(starts: ReadonlyArray<{ workflow: string; input: object; key: string }>): Promise<Map<string, RunRecord>> {
  const clock = systemClock({ keepAlive: true });
  const logger = new Logger({ serviceName: 'holdfast-worker' });
  const { observe } = await telemetry({ stage: 'test', logger, clock });
  const http = httpRuntime({
    clock,
    entropy: environment.entropy,
    secrets: environment.secrets,
    allowLoopback: true,
    deploymentKey: async () => 'the deployment key of the test',
    tracer: (attempt) => {
      watched.push(JSON.stringify(attempt));
      return {
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
        end: (verdict) => void watched.push(JSON.stringify(verdict)),
      };
    },
  });
  usePlainRuntime(http);
  const worker = createWorker({
    store: environment.runs,
    payloads: environment.payloads,
    wake: environment.wakes,
    clock,
    entropy: environment.entropy,
    observe: (event) => {
      watched.push(JSON.stringify(event));
      observe(event);
    },
    registry: registry([planted, encrypted]),
    services: { http },
    maxDeliveries: 3,
  });
  const batch = () => ({ deadline: clock.now() + 170_000, owner: environment.entropy.id(), done: () => {} });
  const ids = starts.map((start) => runId('default', start.workflow, start.key));
  let messages: Received[] = starts.map(({ workflow: name, input, key }, n) => ({
    id: `m-${n}`,
    queue: 'start',
    body: JSON.stringify({ workflow: name, input, idempotencyKey: key }),
    receiveCount: 1,
  }));
  for (let round = 0; messages.length > 0; round++) {
    if (round === 60) throw new Error('the runs do not end');
    await worker.handle(messages, batch());
    const found = await environment.runs.load(ids);
    messages = ids
      .filter((id) => (found.get(id) as RunRecord | undefined)?.endedAt === undefined)
      .map((run) => ({ id: `w-${round}-${run}`, queue: 'wake', body: JSON.stringify({ run }), receiveCount: 1 }));
  }
  usePlainRuntime(undefined);
  await http.transport.close();
  return (await environment.runs.load(ids)) as Map<string, RunRecord>;
}

/** Where it can be read, as text; what is compressed is unpacked. */
async function everything(ids: readonly string[]): Promise<Map<string, string>> {
  const places = new Map<string, string>();
  const { clients, settings } = environment;
  const read = (value: AttributeValue): string =>
    value.B === undefined ? JSON.stringify(value) : `${Buffer.from(value.B).toString('latin1')} ${readable(value.B)}`;
  for (let from: Record<string, AttributeValue> | undefined, page = 0; page === 0 || from; page++) {
    const scanned = await clients.dynamodb.send(
      new ScanCommand({ TableName: settings.runsTable, ...(from ? { ExclusiveStartKey: from } : {}) }),
    );
    from = scanned.LastEvaluatedKey;
    for (const item of scanned.Items ?? []) {
      for (const [name, value] of Object.entries(item)) places.set(`item ${item.pk?.S} ${item.sk?.S} ${name}`, read(value));
    }
  }
  const s3 = await clients.s3();
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: settings.payloadsBucket }));
  for (const { Key = '' } of Contents) {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: settings.payloadsBucket, Key }));
    const bytes = (await Body?.transformToByteArray()) ?? new Uint8Array();
    places.set(`object ${Key}`, `${Buffer.from(bytes).toString('latin1')} ${readable(bytes)}`);
  }
  for (const queue of [settings.startQueueUrl, settings.wakeQueueUrl]) {
    for (const message of await aws.receive(queue)) places.set(`message ${message.MessageId}`, JSON.stringify(message));
  }
  for (const [n, line] of printed.entries()) places.set(`log line ${n}`, line);
  for (const [n, line] of watched.entries()) places.set(`event ${n}`, line);
  for (const path of ['/v1/runs', '/v1/dead-letters', ...ids.flatMap((id) => [`/v1/runs/${id}`, `/v1/runs/${id}/journal`])]) {
    places.set(`GET ${path}`, await answered(path));
  }
  return places;
}

function readable(bytes: Uint8Array): string {
  try {
    return unpack(bytes);
  } catch {
    return '';
  }
}

async function answered(path: string): Promise<string> {
  const { runTable, payloads, wakes, starts, clock, entropy, clients, settings } = environment;
  const api = createApi({
    store: dynamoRunStore(runTable),
    payloads: { ...payloads, ...s3PayloadRemoval(clients.s3, settings.payloadsBucket) },
    wake: wakes,
    starts,
    uploads: s3Uploads(clients.s3, settings.payloadsBucket, { clock, entropy }),
    registry: registry([planted, encrypted]),
    clock,
    entropy,
    newKey: () => entropy.id(),
    tokenHashes: [hashOf(TOKEN)],
    tokens: memoryTokenStore(),
    connections: connectionDesk({ store: memoryAdmissionStore(), clock, deployed: [] }),
    credentials: { ...memoryCredentialStore(), seal: async () => 'none is stored' },
  });
  const result = await api(proxyEvent({ method: 'GET', path, headers: { Authorization: `Bearer ${TOKEN}` } }));
  expect(result.statusCode, `${path}: ${result.body}`).toBe(200);
  return result.body;
}

function foundIn(places: ReadonlyMap<string, string>, cores: readonly string[]): string[] {
  const all = [...places.values()].join('\n');
  return cores.flatMap((core, n) =>
    [...spellings(core)]
      .filter((spelling) => all.includes(spelling))
      .flatMap((spelling) => [...places].filter(([, text]) => text.includes(spelling)).map(([place]) => `${n} (${wayOf(n)}) in ${place}`)),
  );
}

describe('after runs over APIs that show what they were sent', () => {
  const starts = [
    ...Array.from({ length: 200 / PER_RUN }, (_, n) => ({
      workflow: 'planted',
      input: { from: n * PER_RUN, fail: n % 3 === 0 },
      key: `p${n}`,
    })),
    ...Array.from({ length: 50 / PER_RUN }, (_, n) => ({ workflow: 'encrypted', input: { from: n * PER_RUN }, key: `e${n}` })),
  ];
  let runs: Map<string, RunRecord>;
  let places: Map<string, string>;
  beforeAll(async () => {
    runs = await workOff(starts);
    const { runTable, payloads, wakes, clock, entropy, clients, settings } = environment;
    const failed = [...runs.values()].find(({ status }) => status === 'failed') as RunRecord;
    const ports = { store: dynamoRunStore(runTable), payloads: { ...payloads, ...s3PayloadRemoval(clients.s3, settings.payloadsBucket) } };
    await redriveRun({ ...ports, wake: wakes, clock, entropy }, failed, {}, { by: 'ops' });
    places = await everything([...runs.keys()]);
  }, 120_000);

  test('the runs have ended, and every API was called with its secret', () => {
    expect([...runs.values()].map(({ status }) => status).filter((status) => status !== 'succeeded' && status !== 'failed')).toEqual([]);
    const all = server.received
      .map(({ headers, url }) =>
        [headers.authorization, headers['x-api-key'], new URL(url, server.url).searchParams.get('api_key')].join(' '),
      )
      .join('\n');
    const decoded = [...all.matchAll(/Basic (\S+)/g)].map(([, encoded = '']) => Buffer.from(encoded, 'base64').toString()).join('\n');
    expect(SECRETS.filter(({ value }) => !all.includes(value) && !decoded.includes(value))).toEqual([]);
  });

  test('what was shown with the secrets is found in table, bucket, log and API: the search sees what there is', () => {
    const kinds = ['item', 'object', 'log', 'event', 'GET'];
    for (const kind of kinds) {
      const of = [...places].filter(([place]) => place.startsWith(kind)).map(([, text]) => text);
      expect(of.filter((text) => /control-\d+-/.test(text)).length, kind).toBeGreaterThan(0);
      expect(of.filter((text) => text.includes('redacted:')).length, kind).toBeGreaterThan(0);
    }
    const kept = [...places.values()].join('\n');
    expect(SECRETS.filter((_, i) => kept.includes(controlOf(i))).length).toBeGreaterThan(140);
    expect(VALUES.filter((_, i) => kept.includes(controlOf(1_000 + i))).length).toBeGreaterThanOrEqual(40);
  });

  test('none of 200 planted secrets is anywhere', () => {
    expect(
      foundIn(
        places,
        SECRETS.map(({ core }) => core),
      ),
    ).toEqual([]);
  });

  test('none of 50 values under encrypt is anywhere in clear, and code saw each as it was on every replay', () => {
    expect(
      foundIn(
        places,
        VALUES.map(({ core }) => core),
      ),
    ).toEqual([]);
    for (const { workflow: name, input, key } of starts) {
      if (name !== 'encrypted') continue;
      const outcome = runs.get(runId('default', name, key))?.outcome;
      const { from } = input;
      const expected = Array.from({ length: PER_RUN }, (_, n) => hashOf(JSON.stringify(bodyOf(from + n))));
      expect(outcome).toEqual({ value: { text: JSON.stringify(expected) } });
    }
  });
});
