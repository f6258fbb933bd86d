/** The HTTP API over in-memory ports, called as API Gateway calls it. Every answer is held against the document, every error must be a whole problem. */
import { createHash } from 'node:crypto';
import type { APIGatewayProxyEvent } from 'aws-lambda';
import { expect } from 'vitest';
import * as z from 'zod';
import { memoryAdmissionStore } from '../../src/admission/memory-store.ts';
import { connectionDesk } from '../../src/admission/operator.ts';
import { type ApiEvent, createApi } from '../../src/api/app.ts';
import type { JournalItem, Run, RunItem } from '../../src/api/schemas.ts';
import { registryWith } from '../../src/batch/built-in.ts';
import { batchWorkflow } from '../../src/batch/workflow.ts';
import type { DeployedConnection } from '../../src/engine/admission-ports.ts';
import type { RunRecord, Token } from '../../src/engine/ports.ts';
import { newRecord, prepareStart } from '../../src/engine/start.ts';
import { type Workflow, workflow } from '../../src/engine/workflow.ts';
import type { Faults } from '../../src/testing/faults.ts';
import { memoryPayloadStore, memoryRunStore, memoryWakeQueue, seededEntropy, virtualClock } from '../../src/testing/index.ts';
import { memoryCredentialStore } from '../../src/testing/memory-credential-store.ts';
import { memoryTokenStore } from '../../src/testing/memory-token-store.ts';
import { memoryStarts, memoryUploads } from './api-batches.ts';
import { checkDocumented } from './api-document.ts';

export const TOKEN = 'a-token_of.tests~1';
export const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

export const onboard = workflow({
  name: 'onboard',
  description: 'Takes a customer on board',
  version: 2,
  input: z.object({ domain: z.string(), seats: z.number().int().positive(), tags: z.array(z.string()).optional() }),
  previous: [workflow({ name: 'onboard', run: async () => 1 })],
  run: async () => ({ created: true }),
});
export const anything = workflow({ name: 'anything', run: async (input) => input });

/** Limits of every kind; calls of the last are made for accounts alone. */
export const CONNECTIONS: readonly DeployedConnection[] = [
  { name: 'crm', limits: [{ requests: 10, per: 1_000, burst: 1 }], concurrency: 0, perAccount: false },
  { name: 'billing', limits: [], concurrency: 5, perAccount: false },
  {
    name: 'shop',
    limits: [
      { requests: 2, per: 1_000, burst: 4 },
      { requests: 5_000, per: 86_400_000, burst: 1 },
    ],
    concurrency: 0,
    perAccount: true,
  },
];

export type Reply = { status: number; headers: Record<string, string>; body: Body };

/** Everything that answers hold; which of it is there, and how, is what the tests are about. */
export type Body = Run & {
  items: Array<RunItem & JournalItem>;
  next: string;
  code: string;
  detail: string;
  pointer: string;
  errors: Array<{ message: string; pointer: string; parameter: string; header: string; line: number }>;
  runStatus: string;
};

type Sent = {
  token?: string | null;
  headers?: Record<string, string>;
  query?: Record<string, string | string[]>;
  json?: unknown;
  body?: string;
  event?: Partial<APIGatewayProxyEvent>;
};

type Options = {
  faults?: Faults;
  wakeFaults?: Faults;
  payloadFaults?: Faults;
  tokenFaults?: Faults;
  credentialFaults?: Faults;
  startFault?: () => void;
  workflows?: readonly Workflow[];
  version?: string;
};

export function testApi(options: Options = {}) {
  const clock = virtualClock();
  const store = memoryRunStore(options.faults);
  const payloads = memoryPayloadStore(options.payloadFaults);
  const wake = memoryWakeQueue({ clock, ...options.wakeFaults });
  const starts = memoryStarts(options.startFault);
  const uploads = memoryUploads(clock);
  const tokens = memoryTokenStore(options.tokenFaults);
  const credentials = memoryCredentialStore(options.credentialFaults);
  const admission = memoryAdmissionStore();
  const workflows = registryWith(options.workflows ?? [onboard, anything], (registered) =>
    batchWorkflow({ uploads: async () => uploads, starts, registry: registered }),
  );
  const events: ApiEvent[] = [];
  let keys = 0;
  const api = createApi({
    store,
    payloads,
    wake,
    starts,
    uploads,
    registry: workflows,
    clock,
    entropy: seededEntropy(7),
    newKey: () => `key-${++keys}`,
    tokenHashes: [sha256('another token'), sha256(TOKEN)],
    tokens,
    connections: connectionDesk({ store: admission, clock, deployed: CONNECTIONS }),
    credentials: { ...credentials, seal: async (key, grant) => `sealed ${Buffer.from(JSON.stringify([key, grant])).toString('base64')}` },
    ...(options.version === undefined ? {} : { version: options.version }),
    observe: (event) => events.push(event),
  });

  async function call(method: string, path: string, sent: Sent = {}): Promise<Reply> {
    const { token = TOKEN, query = {}, json } = sent;
    const body = json === undefined ? (sent.body ?? null) : JSON.stringify(json);
    const headers = {
      ...(token === null ? {} : { Authorization: `Bearer ${token}` }),
      ...(json === undefined ? {} : { 'Content-Type': 'application/json' }),
      ...sent.headers,
    };
    const event = proxyEvent({ method, path, headers, query, body, ...(sent.event ? { over: sent.event } : {}) });
    const result = await api(event);
    const reply: Reply = {
      status: result.statusCode,
      headers: result.headers as Record<string, string>,
      body: result.body === '' ? undefined : JSON.parse(result.body),
    };
    expect(reply.headers['cache-control']).toBe('no-store');
    checkDocumented(method, path, reply);
    if (reply.status >= 400 && method !== 'HEAD') checkProblem(reply, path);
    return reply;
  }

  /** A token in the store, and what is sent of it. */
  async function putToken(name: string, over: Partial<Token> = {}): Promise<string> {
    const token = `hf_${sha256(name).slice(0, 43)}`;
    await tokens.put({ hash: sha256(token), name, scopes: ['read', 'start', 'operate'], createdAt: clock.now(), ...over });
    return token;
  }

  /** Lets an answer that waits come, by moving time from timer to timer. */
  async function whileTimePasses<T>(answer: Promise<T>): Promise<T> {
    let settled = false;
    const done = answer.finally(() => {
      settled = true;
    });
    while (!settled) {
      for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
      if (!settled) clock.runNext();
    }
    return done;
  }

  /** A run in the store as it would stand there, with what is particular about it. */
  async function putRun(over: Partial<RunRecord> = {}, key = `run-${++keys}`): Promise<RunRecord> {
    const start = await prepareStart(
      workflows,
      { workflow: over.workflow ?? 'anything', ...(over.tenant ? { tenant: over.tenant } : {}) },
      key,
    );
    const record = { ...newRecord(start, { now: clock.now(), nonce: key }), ...over };
    expect(await store.create(record)).toEqual({ ok: true });
    return record;
  }

  return {
    api,
    call,
    whileTimePasses,
    putRun,
    putToken,
    clock,
    store,
    payloads,
    wake,
    starts,
    uploads,
    tokens,
    credentials,
    admission,
    registry: workflows,
    events,
  };
}

export function proxyEvent(of: {
  method: string;
  path: string;
  headers?: Record<string, string>;
  query?: Record<string, string | string[]>;
  body?: string | null;
  over?: Partial<APIGatewayProxyEvent>;
}): APIGatewayProxyEvent {
  const lists = Object.entries(of.query ?? {}).map(([name, value]) => [name, [value].flat()] as const);
  return {
    httpMethod: of.method,
    path: of.path,
    resource: '/{proxy+}',
    headers: of.headers ?? {},
    multiValueHeaders: Object.fromEntries(Object.entries(of.headers ?? {}).map(([name, value]) => [name, [value]])),
    queryStringParameters: lists.length === 0 ? null : Object.fromEntries(lists.map(([name, values]) => [name, values.at(-1) ?? ''])),
    multiValueQueryStringParameters: lists.length === 0 ? null : Object.fromEntries(lists),
    pathParameters: null,
    stageVariables: null,
    requestContext: { requestId: 'request-1', path: of.path } as APIGatewayProxyEvent['requestContext'],
    body: of.body ?? null,
    isBase64Encoded: false,
    ...of.over,
  };
}

function checkProblem({ status, headers, body }: Reply, path: string): void {
  expect(headers['content-type']).toBe('application/problem+json');
  expect(body).toMatchObject({
    type: `urn:holdfast:error:${body.code}`,
    title: expect.stringMatching(/\.$/),
    status,
    detail: expect.stringMatching(/./),
    code: expect.stringMatching(/^E_[A-Z_]+$/),
    instance: path,
    requestId: 'request-1',
  });
}
