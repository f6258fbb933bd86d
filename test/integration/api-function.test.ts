/** functions/api.ts in a process of its own, on the variables of a deployed function and the emulators behind them. */
import { type ChildProcess, fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { proxyEvent } from '../support/api.ts';
import { type Emulators, startEmulators } from '../support/aws-emulators.ts';

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const TOKEN = 'local-dev';
const PATH = '/v1/workflows/onboard-customer/runs';
const INPUT = { domain: 'acme.example', seats: 3 };

let aws: Emulators;
let child: ChildProcess;
let output = '';
let invocations = 0;

beforeAll(async () => {
  aws = await startEmulators();
  const env = {
    ...aws.env,
    PATH: process.env.PATH,
    HOLDFAST_STAGE: 'test',
    HOLDFAST_RUNS_TABLE: await aws.createRunsTable(),
    HOLDFAST_CONNECTIONS_TABLE: 'connections',
    HOLDFAST_START_QUEUE_URL: await aws.createQueue(),
    HOLDFAST_WAKE_QUEUE_URL: await aws.createQueue(),
    HOLDFAST_PAYLOADS_BUCKET: await aws.createBucket(),
    HOLDFAST_SECRETS: 'secrets-manager:test/',
    HOLDFAST_FUNCTION_TIMEOUT_MS: '29000',
    HOLDFAST_API_TOKEN_SHA256: createHash('sha256').update(TOKEN).digest('hex'),
  };
  child = fork(at('test/support/lambda-child.ts'), [at('functions/api.ts')], {
    env,
    execArgv: [],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  child.stdout?.on('data', (data) => {
    output += data;
  });
  child.stderr?.on('data', (data) => {
    output += data;
  });
  await answer('ready');
});
afterAll(async () => {
  child?.kill();
  await aws?.stop();
});

type Message = { ready?: true; id?: number; result?: APIGatewayProxyResult; error?: string };

/** The child's next message; its end is an error that shows what it wrote. */
function answer(wanted: 'ready' | number): Promise<Message> {
  return new Promise((resolve, reject) => {
    const ended = (code: number | null) => reject(new Error(`the function's process ended with ${code}:\n${output}`));
    child.once('exit', ended);
    child.on('message', function listen(message: Message) {
      if (wanted === 'ready' ? !message.ready : message.id !== wanted) return;
      child.off('exit', ended);
      child.off('message', listen);
      if (message.error === undefined) resolve(message);
      else reject(new Error(message.error));
    });
  });
}

async function invoke(of: Parameters<typeof proxyEvent>[0]) {
  const id = ++invocations;
  const event: APIGatewayProxyEvent = proxyEvent({ ...of, headers: { Authorization: `Bearer ${TOKEN}`, ...of.headers } });
  const answered = answer(id);
  child.send({ id, event });
  const result = (await answered).result as APIGatewayProxyResult;
  return { status: result.statusCode, headers: result.headers ?? {}, body: JSON.parse(result.body) };
}

it('tells that it lives', async () => {
  expect(await invoke({ method: 'GET', path: '/healthz' })).toMatchObject({ status: 200 });
});

it('describes the workflows that are deployed, with their input', async () => {
  const { status, body } = await invoke({ method: 'GET', path: '/v1/workflows/onboard-customer' });
  expect(status).toBe(200);
  expect(body.input).toMatchObject({ type: 'object', properties: { domain: { type: 'string' }, seats: { type: 'integer' } } });
});

it('starts a run and stays alive while it waits for its end', async () => {
  const began = performance.now();
  const { status, headers, body } = await invoke({
    method: 'POST',
    path: PATH,
    body: JSON.stringify(INPUT),
    headers: { Prefer: 'wait=2' },
  });
  expect(status).toBe(202);
  expect(performance.now() - began).toBeGreaterThan(1_900);
  expect(headers).toMatchObject({ 'preference-applied': 'wait=2', location: `/v1/runs/${body.id}` });
  expect(await invoke({ method: 'GET', path: `/v1/runs/${body.id}` })).toMatchObject({
    status: 200,
    body: { status: 'queued', input: INPUT },
  });
});

it('makes keys in order of time where none is given', async () => {
  const started = await invoke({ method: 'POST', path: PATH, body: JSON.stringify(INPUT) });
  const { body } = await invoke({ method: 'GET', path: `/v1/runs/${started.body.id}` });
  expect(body.idempotencyKey).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-/);
});

it('says in words what is wrong with an input', async () => {
  const { status, body } = await invoke({ method: 'POST', path: PATH, body: '{"domain":"acme.example","seats":"three"}' });
  expect(status).toBe(422);
  expect(body.errors).toEqual([{ pointer: '/seats', message: expect.stringContaining('expected') }]);
});

it('logs each request with its ids, and no token', async () => {
  const { body } = await invoke({ method: 'POST', path: PATH, body: JSON.stringify(INPUT) });
  // Standard output and results come by different ways.
  const line = await vi.waitFor(() => {
    const found = output.split('\n').find((text) => text.includes(body.id) && text.endsWith('}'));
    return JSON.parse(found ?? '');
  });
  expect(line).toMatchObject({
    service: 'holdfast-api',
    stage: 'test',
    request: 'request-1',
    run: body.id,
    status: 202,
    function_request_id: `invocation-${invocations}`,
  });
  expect(output).not.toContain(TOKEN);
});
