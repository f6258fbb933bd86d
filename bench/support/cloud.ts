/**
 * The embedded cloud for measuring: the same parts as `npm start` (emulators in a process of their own, real bundles in processes of
 * their own, the poller, the REST front) from the same template, but with the benchmarks' workflows, and a poller that starts when told.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { synthesise } from '../../infra/synthesise.ts';
import { awsClient } from '../../local/aws/client.ts';
import { startAws } from '../../local/aws/process.ts';
import { type EventSource, startEventSource } from '../../local/event-source.ts';
import { type HttpApi, startHttpApi } from '../../local/http-api.ts';
import { openLogs } from '../../local/lambda/logs.ts';
import { createPool, type Pool } from '../../local/lambda/pool.ts';
import { provision } from '../../local/provision.ts';
import type { EventSourceDescription, FunctionDescription, StackDescription } from '../../local/template/description.ts';
import { readStack } from '../../local/template/read.ts';
import { bundleForBench } from './bundles.ts';
import { type Counter, startCounter } from './counter.ts';
import { cpuOf, cpuOfChildren } from './process-cpu.ts';
import { RUNS_TABLE } from './runs-table.ts';

export type Message = { workflow: string; input: unknown; key?: string };

export type Polling = {
  /** Of the start queue: invocations running, and messages received so far. */
  stats(): { running: number; messages: number };
  /** Resolves when both queues' messages so far, at least `messages` of them, were worked on and no invocation is running. */
  idle(messages: number): Promise<void>;
  stop(): Promise<void>;
};

export type BenchCloud = {
  readonly worker: Pool;
  readonly counter: Counter | undefined;
  /** CPU time of the emulators' process and of all environments alive, ms; undefined where the system does not tell. */
  cpuMs(): Promise<{ emulators: number | undefined; functions: number | undefined }>;
  /** Puts messages into the start queue, ten a request. */
  send(messages: readonly Message[]): Promise<void>;
  /** From now on both queues are polled, as Lambda does it. `settings`: in place of the template's. */
  poll(settings?: Partial<Pick<EventSourceDescription, 'batchSize' | 'windowMs' | 'maxConcurrency'>>): Polling;
  /** What is in the start queue. */
  queued(): Promise<{ visible: number; inFlight: number }>;
  /** The HTTP API, with the token. */
  fetch(
    path: string,
    init?: { method?: string; body?: unknown; headers?: Record<string, string> },
  ): Promise<{ status: number; body: unknown }>;
  /** Starts by HTTP; the id. */
  start(message: Message & { key: string }): Promise<string>;
  /** Waits for the run's end, gives its result. Throws unless it succeeded. */
  result(id: string): Promise<unknown>;
  stop(): Promise<void>;
};

export type CloudOptions = {
  /** Where the benchmarks' connections go. */
  apiUrl: string;
  /** Put a counter in front of DynamoDB. */
  count?: boolean;
  maxEnvironments?: number;
  /** More of the worker's environment. */
  variables?: Record<string, string>;
};

const QUEUE = 'holdfast-local-start';
const TOKEN = 'local-dev';

export async function startBenchCloud(options: CloudOptions): Promise<BenchCloud> {
  const stops: Array<() => Promise<unknown>> = [];
  const stop = async () => {
    for (const end of stops.splice(0).reverse()) await end();
  };
  try {
    return { ...(await compose(options, stops)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function compose(options: CloudOptions, stops: Array<() => Promise<unknown>>): Promise<Omit<BenchCloud, 'stop'>> {
  const dir = await mkdtemp(join(tmpdir(), 'holdfast-bench-'));
  stops.push(() => rm(dir, { recursive: true, force: true }));
  const [aws] = await Promise.all([startAws({ port: 0 }), synthesise('local', dir)]);
  stops.push(() => aws.stop());
  const stack = readStack(dir, { awsUrl: aws.url });
  const worker = functionOf(stack, 'worker');
  const api = functionOf(stack, 'api');
  await Promise.all([
    bundleForBench('worker', worker.assetPath),
    bundleForBench('api', api.assetPath),
    writeFile(join(dir, 'secrets.env'), 'HOLDFAST_DEPLOYMENT_KEY=bench-bench-bench-bench-bench-bench\n'),
  ]);
  const client = awsClient(aws.url);
  stops.push(() => client.close());
  await provision(client, stack);
  const counter = options.count ? await startCounter(aws.url, RUNS_TABLE) : undefined;
  if (counter) stops.push(() => counter.stop());

  const logs = openLogs(join(dir, 'logs'));
  stops.push(() => logs.close());
  logs.onFault((fault) => process.stderr.write(`${fault.function}: ${fault.errorType}: ${fault.message}\n`));
  const variables = {
    AWS_ENDPOINT_URL: aws.url,
    ...(counter ? { AWS_ENDPOINT_URL_DYNAMODB: counter.url } : {}),
    HOLDFAST_SECRETS: `env-file:${join(dir, 'secrets.env')}`,
    HOLDFAST_VAR_BENCH: options.apiUrl,
    ...options.variables,
  };
  const maxEnvironments = options.maxEnvironments ?? 10;
  const poolOf = (fn: FunctionDescription) =>
    createPool({
      function: fn,
      // What is invoked at once is bounded here by environments, whatever the template may say of the queues.
      variables: 'HOLDFAST_INSTANCES' in fn.environment ? { ...variables, HOLDFAST_INSTANCES: String(maxEnvironments) } : variables,
      log: logs.of(fn.name),
      maxEnvironments,
    });
  const pools = { worker: poolOf(worker), api: poolOf(api) };
  stops.push(() => Promise.all([pools.worker.stop(), pools.api.stop()]));
  await Promise.all([pools.worker.warm(), pools.api.warm()]);

  const [restApi] = stack.apis;
  if (!restApi) throw new Error('the template has no REST API');
  const http: HttpApi = await startHttpApi({ port: 0, api: restApi, pools: new Map([[api.name, pools.api]]) });
  stops.push(() => http.stop());

  const sources = new Set<EventSource>();
  stops.push(() => Promise.all([...sources].map((source) => source.stop())));
  aws.onVisible((queues) => {
    for (const source of sources) if (queues.includes(source.queue)) source.wake();
  });
  const described = stack.eventSources.filter(({ functionName }) => functionName === worker.name);

  const QueueUrl = client.queueUrl(QUEUE);
  const call = async (path: string, init: Parameters<BenchCloud['fetch']>[1] = {}) => {
    const response = await fetch(`${http.url}${path}`, {
      method: init.method ?? 'GET',
      headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', ...init.headers },
      ...(init.body === undefined ? {} : { body: JSON.stringify(init.body) }),
    });
    return { status: response.status, body: (await response.json()) as unknown };
  };

  return {
    worker: pools.worker,
    counter,
    cpuMs: async () => ({ emulators: await cpuOf(aws.pid), functions: await cpuOfChildren(process.pid, 'bootstrap.mjs') }),
    async send(messages) {
      for (let from = 0; from < messages.length; from += 10) {
        const Entries = messages.slice(from, from + 10).map(({ workflow, input, key }, index) => ({
          Id: String(index),
          MessageBody: JSON.stringify({ workflow, input, ...(key === undefined ? {} : { idempotencyKey: key }) }),
        }));
        await client.call('sqs', 'SendMessageBatch', { QueueUrl, Entries });
      }
    },
    poll(settings = {}) {
      const started = described.map((source) =>
        startEventSource({
          source: { ...source, ...settings },
          aws: client,
          pool: pools.worker,
          onError: (error) => process.stderr.write(`${error.message}\n`),
        }),
      );
      for (const source of started) sources.add(source);
      const sum = (what: 'running' | 'messages') => started.reduce((total, source) => total + source.stats()[what], 0);
      return {
        stats: () => ({ running: sum('running'), messages: sum('messages') }),
        async idle(messages) {
          while (sum('messages') < messages || sum('running') > 0) await new Promise((soon) => setTimeout(soon, 1));
        },
        async stop() {
          for (const source of started) sources.delete(source);
          await Promise.all(started.map((source) => source.stop()));
        },
      };
    },
    async queued() {
      const { Attributes } = await client.call<{ Attributes: Record<string, string> }>('sqs', 'GetQueueAttributes', {
        QueueUrl,
        AttributeNames: ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible'],
      });
      return {
        visible: Number(Attributes.ApproximateNumberOfMessages),
        inFlight: Number(Attributes.ApproximateNumberOfMessagesNotVisible),
      };
    },
    fetch: call,
    async start({ workflow, input, key }) {
      const { status, body } = await call(`/v1/workflows/${workflow}/runs`, {
        method: 'POST',
        body: input,
        headers: { 'idempotency-key': key },
      });
      if (status >= 300) throw new Error(`${workflow} could not be started: ${status} ${JSON.stringify(body)}`);
      return (body as { id: string }).id;
    },
    async result(id) {
      for (;;) {
        const { status, body } = await call(`/v1/runs/${id}?wait=20`);
        const run = body as { status: string; result?: unknown };
        if (run.status === 'succeeded') return run.result;
        if (status !== 200 || !['queued', 'running', 'waiting'].includes(run.status)) {
          throw new Error(`run ${id} did not succeed: ${status} ${JSON.stringify(body)}`);
        }
      }
    },
  };
}

function functionOf(stack: StackDescription, name: string): FunctionDescription {
  const found = stack.functions.find((fn) => fn.name.endsWith(`-${name}`));
  if (!found) throw new Error(`the template has no function ${name}`);
  return found;
}
