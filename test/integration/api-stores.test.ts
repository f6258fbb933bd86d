/** The HTTP API over the real stores and queues, through the emulators' sockets. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connectionDesk } from '../../src/admission/operator.ts';
import { createApi } from '../../src/api/app.ts';
import { DeadLetterItem, pageOf, Run, RunItem } from '../../src/api/schemas.ts';
import { dynamoAdmissionStore } from '../../src/aws/admission-store.ts';
import { systemClock } from '../../src/aws/clock.ts';
import { dynamoCredentialStore } from '../../src/aws/credential-store.ts';
import { s3PayloadRemoval, s3PayloadStore } from '../../src/aws/payload-store.ts';
import { dynamoRunStore } from '../../src/aws/run-store.ts';
import { sqsStartQueue } from '../../src/aws/start-queue.ts';
import { dynamoTokenStore } from '../../src/aws/token-store.ts';
import { s3Uploads } from '../../src/aws/uploads.ts';
import { sqsWakeQueue } from '../../src/aws/wake-queue.ts';
import { encodeEntries } from '../../src/engine/journal.ts';
import type { RunRecord, RunStore } from '../../src/engine/ports.ts';
import { registry } from '../../src/engine/workflow.ts';
import { seededEntropy } from '../../src/testing/index.ts';
import { anything, type Body, onboard, proxyEvent, sha256, TOKEN } from '../support/api.ts';
import { type Emulators, startEmulators } from '../support/aws-emulators.ts';
import { connectionsTable } from '../support/connections-table.ts';

let aws: Emulators;
let store: RunStore;
let queue: string;
let call: (
  method: string,
  path: string,
  sent?: { json?: unknown; headers?: Record<string, string>; query?: Record<string, string> },
) => Promise<{ status: number; body: Body }>;

beforeAll(async () => {
  aws = await startEmulators();
});
afterEach(() => aws.faults());
afterAll(() => aws.stop());

beforeEach(async () => {
  const waiting = { clock: systemClock(), entropy: seededEntropy(1) };
  store = dynamoRunStore({ ...waiting, client: aws.clients.dynamodb, table: await aws.createRunsTable(), retentionDays: 30 });
  queue = await aws.createQueue();
  const starts = await aws.createQueue();
  const bucket = await aws.createBucket();
  const connections = await connectionsTable(aws);
  let keys = 0;
  const api = createApi({
    store,
    payloads: { ...s3PayloadStore(aws.clients.s3, bucket), ...s3PayloadRemoval(aws.clients.s3, bucket) },
    wake: sqsWakeQueue(aws.clients.sqs, queue, waiting),
    registry: registry([onboard, anything]),
    starts: sqsStartQueue(aws.clients.sqs, starts, waiting),
    uploads: s3Uploads(aws.clients.s3, bucket, waiting),
    clock: waiting.clock,
    entropy: waiting.entropy,
    newKey: () => `key-${++keys}`,
    tokenHashes: [sha256(TOKEN)],
    tokens: dynamoTokenStore(aws.clients.dynamodb, connections),
    connections: connectionDesk({
      store: dynamoAdmissionStore(aws.clients.dynamodb, connections),
      clock: waiting.clock,
      deployed: [{ name: 'crm', limits: [], concurrency: 2, perAccount: false }],
    }),
    credentials: { ...dynamoCredentialStore(aws.clients.dynamodb, connections), seal: async () => 'sealed' },
  });
  call = async (method, path, { json, headers, query } = {}) => {
    const body = json === undefined ? null : JSON.stringify(json);
    const event = proxyEvent({
      method,
      path,
      headers: { Authorization: `Bearer ${TOKEN}`, ...headers },
      body,
      ...(query ? { query } : {}),
    });
    const result = await api(event);
    return { status: result.statusCode, body: JSON.parse(result.body) };
  };
});

const ANY = '/v1/workflows/anything/runs';

describe('starting over HTTP', () => {
  it('puts the run, then a wake message, and reads it back', async () => {
    const started = await call('POST', ANY, { json: { a: 1 } });
    expect(started.status).toBe(202);
    const messages = await aws.receive(queue);
    expect(messages.map(({ Body }) => JSON.parse(Body ?? ''))).toMatchObject([{ run: started.body.id }]);
    const { status, body } = await call('GET', `/v1/runs/${started.body.id}`);
    expect(status).toBe(200);
    expect(Run.parse(body)).toMatchObject({ status: 'queued', input: { a: 1 } });
  });

  it('thirty times at once with one key makes one run', async () => {
    const headers = { 'Idempotency-Key': 'one' };
    const replies = await Promise.all(Array.from({ length: 30 }, () => call('POST', ANY, { json: {}, headers })));
    expect(new Set(replies.map(({ status, body }) => `${status} ${body.id}`)).size).toBe(1);
    expect((await call('GET', '/v1/runs')).body.items).toHaveLength(1);
  });

  it('with one key and two inputs at once refuses one of them', async () => {
    const headers = { 'Idempotency-Key': 'one' };
    const replies = await Promise.all([1, 2].map((json) => call('POST', ANY, { json, headers })));
    expect(replies.map(({ status }) => status).sort()).toEqual([202, 422]);
  });

  it('is not misled by a lost answer', async () => {
    let lost = 0;
    aws.faults((operation) => (operation === 'PutItem' && lost++ === 0 ? 'lose-answer' : undefined));
    const started = await call('POST', ANY, { json: {} });
    expect(lost).toBeGreaterThan(0);
    expect(started.status).toBe(202);
    expect((await call('GET', '/v1/runs')).body.items).toHaveLength(1);
  });

  it('keeps a large input in the bucket', async () => {
    const json = { text: 'x'.repeat(200_000) };
    const { body } = await call('POST', ANY, { json });
    expect((await store.load([body.id])).get(body.id)).toMatchObject({ input: { bytes: 200_011 } });
    expect((await call('GET', `/v1/runs/${body.id}`)).body.input).toEqual(json);
  });
});

describe('reading over HTTP', () => {
  it('pages through runs without losing or repeating one', async () => {
    const ids = new Set<string>();
    for (let i = 0; i < 25; i++) ids.add((await call('POST', ANY, { json: i, headers: { 'Holdfast-Tenant': i % 5 ? 'a' : 'b' } })).body.id);
    const seen: string[] = [];
    for (let after: string | undefined, more = true; more; more = after !== undefined) {
      const page = pageOf(RunItem).parse((await call('GET', '/v1/runs', { query: { limit: '7', ...(after ? { after } : {}) } })).body);
      seen.push(...page.items.map((item) => item.id));
      after = page.next;
    }
    expect(seen).toHaveLength(25);
    expect(new Set(seen)).toEqual(ids);
    expect((await call('GET', '/v1/runs', { query: { tenant: 'b', workflow: 'anything', status: 'queued' } })).body.items).toHaveLength(5);
  });

  it('refuses a cursor that is none', async () => {
    for (const path of ['/v1/runs', '/v1/dead-letters']) {
      expect(await call('GET', path, { query: { after: 'abcdef' } })).toMatchObject({ status: 400, body: { code: 'E_REQUEST_INVALID' } });
    }
  });

  it('shows a journal that is in segments', async () => {
    const { body } = await call('POST', ANY, { json: 1 });
    const run = (await store.load([body.id])).get(body.id) as RunRecord;
    await store.replace({ ...run, status: 'running', spilled: true, nonce: 'worker' }, run.nonce);
    const entry = (at: number) => ({
      k: 'done' as const,
      op: `c${at}`,
      at,
      label: 'GET',
      value: { text: String(at) },
      issued: 1,
      hash: 'h',
    });
    await store.append(run.id, {
      incarnation: 0,
      life: run.createdAt,
      first: 0,
      count: 2,
      nonce: 'a',
      data: encodeEntries([entry(1), entry(2)]),
    });
    await store.append(run.id, { incarnation: 0, life: run.createdAt, first: 2, count: 1, nonce: 'b', data: encodeEntries([entry(3)]) });
    const journal = await call('GET', `/v1/runs/${run.id}/journal`);
    expect(journal.body.items.map(({ seq, value }) => [seq, value])).toEqual([
      [0, 1],
      [1, 2],
      [2, 3],
    ]);
  });

  it('holds and releases a connection and one of its accounts', async () => {
    const json = { why: 'they migrate' };
    expect(await call('POST', '/v1/connections/crm/release', { json: { account: 'acme' } })).toMatchObject({ status: 409 });
    expect((await call('GET', '/v1/connections/crm')).body).toMatchObject({ state: 'open', accounts: { items: [] } });
    for (const account of ['acme', undefined]) {
      const held = await call('POST', '/v1/connections/crm/hold', { json: { ...json, ...(account ? { account } : {}) } });
      expect(held).toMatchObject({ status: 200, body: { state: 'held', hold: json, concurrency: { allowed: 2, inUse: 0 } } });
    }
    const { body } = await call('GET', '/v1/connections/crm');
    expect(body).toMatchObject({ state: 'held', accounts: { items: [{ account: 'acme', state: 'held' }] } });
    expect(await call('POST', '/v1/connections/crm/release')).toMatchObject({ status: 200, body: { state: 'slow-start' } });
    expect((await call('GET', '/v1/connections')).body).toMatchObject({ items: [{ connection: 'crm', state: 'slow-start' }] });
  });

  it('lists dead letters', async () => {
    const reason = { code: 'E_MESSAGE_MALFORMED', message: 'not JSON' };
    for (let i = 1; i <= 3; i++) await store.putDeadLetter({ id: `m${i}`, body: '{', reason, firstSeen: i });
    const first = pageOf(DeadLetterItem).parse((await call('GET', '/v1/dead-letters', { query: { limit: '2' } })).body);
    expect(first.items.map(({ id }) => id)).toEqual(['m3', 'm2']);
    const rest = await call('GET', '/v1/dead-letters', { query: { after: first.next ?? '' } });
    expect(rest.body.items).toMatchObject([{ id: 'm1', reason }]);
  });
});
