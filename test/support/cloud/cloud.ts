/** The embedded cloud on free ports, with the test workflows or the examples, and the limits a test asks for. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SendMessageBatchCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { build, type Plugin } from 'esbuild';
import { bundleOptions } from '../../../infra/bundle.ts';
import { synthesise } from '../../../infra/synthesise.ts';
import { type Cloud, startCloud } from '../../../local/cloud.ts';
import { DEMO_SECRETS } from '../../../local/secrets.ts';

export type TestCloud = Cloud & {
  start(workflow: string, input: unknown, key: string): Promise<void>;
  /** As one request, so that they can come as one batch. */
  startAll(messages: ReadonlyArray<{ workflow: string; input: unknown; key: string }>): Promise<void>;
  run(id: string): Promise<{ status: string; result?: unknown; error?: { code: string }; [field: string]: unknown }>;
  get(path: string): Promise<{ status: number; body: unknown }>;
  post(path: string, body: unknown): Promise<{ status: number; body: unknown }>;
  /** Polls until `done` says so; fails after `ms` with what it saw last. */
  until<T>(look: () => Promise<T>, done: (seen: T) => boolean, ms: number): Promise<T>;
};

const WORKFLOWS = fileURLToPath(new URL('workflows.ts', import.meta.url));

/** `apiUrl`: of the API that the test workflows call. `demoPort`: the examples are deployed, and call the demo API there. */
export async function startTestCloud(options: {
  apiUrl?: string;
  demoPort?: number;
  timeout?: number;
  visibility?: number;
  memory?: number;
  /** Messages that one invocation of the worker gets. */
  batch?: number;
  /** Environments of one function at a time. */
  environments?: number;
  /** Added to every function's environment. */
  variables?: Record<string, string>;
}): Promise<TestCloud> {
  const dir = await mkdtemp(join(tmpdir(), 'holdfast-cloud-'));
  const { dir: assembly } = await synthesise(
    'local',
    dir,
    options.demoPort === undefined ? {} : { HOLDFAST_DEMO_PORT: String(options.demoPort) },
  );
  const assets = await limit(join(assembly, 'holdfast-local.template.json'), options);
  const swapped = options.demoPort === undefined ? ['worker', 'api', 'dead-letters'] : [];
  await Promise.all(swapped.map((name) => build(withTestWorkflows(name, join(assembly, assets(name))))));
  const cloud = await startCloud({
    assembly,
    ports: { http: 0, aws: 0 },
    logs: join(dir, 'logs'),
    ...(options.environments === undefined ? {} : { maxEnvironments: options.environments }),
    variables: {
      ...options.variables,
      ...(options.apiUrl === undefined ? {} : { HOLDFAST_VAR_TEST_API: options.apiUrl }),
      HOLDFAST_SECRETS: `env-file:${options.demoPort === undefined ? join(dir, 'secrets') : DEMO_SECRETS}`,
    },
  });
  const sqs = new SQSClient({ endpoint: cloud.awsUrl, region: 'us-east-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } });
  const queue = cloud.queueUrl('holdfast-local-start');
  const body = (message: { workflow: string; input: unknown; key: string }) =>
    JSON.stringify({ workflow: message.workflow, input: message.input, idempotencyKey: message.key });

  const ask = async (path: string, init: RequestInit = {}) => {
    const headers = { authorization: 'Bearer local-dev', 'content-type': 'application/json' };
    const response = await fetch(`${cloud.apiUrl}${path}`, { ...init, headers });
    return { status: response.status, body: (await response.json()) as unknown };
  };
  const get = (path: string) => ask(path);
  return {
    ...cloud,
    get,
    post: (path, body) => ask(path, { method: 'POST', body: JSON.stringify(body) }),
    async start(workflow, input, key) {
      await sqs.send(new SendMessageCommand({ QueueUrl: queue, MessageBody: body({ workflow, input, key }) }));
    },
    async startAll(messages) {
      await sqs.send(
        new SendMessageBatchCommand({
          QueueUrl: queue,
          Entries: messages.map((message, index) => ({ Id: String(index), MessageBody: body(message) })),
        }),
      );
    },
    async run(id) {
      const { status, body: run } = await get(`/v1/runs/${id}`);
      return status === 200 ? (run as { status: string }) : { status: 'unknown' };
    },
    async until(look, done, ms) {
      const end = Date.now() + ms;
      for (;;) {
        const seen = await look();
        if (done(seen)) return seen;
        if (Date.now() > end) throw new Error(`not within ${ms} ms: ${JSON.stringify(seen)}`);
        await new Promise((next) => setTimeout(next, 50));
      }
    },
    async stop() {
      sqs.destroy();
      await cloud.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

function withTestWorkflows(name: string, dir: string) {
  const options = bundleOptions(join('functions', `${name}.ts`), dir);
  const swap: Plugin = {
    name: 'test workflows',
    setup: ({ onResolve }) => onResolve({ filter: /^\.\.\/(workflows|connections)\/index\.ts$/ }, () => ({ path: WORKFLOWS })),
  };
  return { ...options, plugins: [swap, ...(options.plugins ?? [])] };
}

type Limits = { timeout?: number; visibility?: number; memory?: number; batch?: number };
type Template = { Resources: Record<string, { Type: string; Properties: Record<string, unknown>; Metadata?: Record<string, string> }> };

/** Writes the limits into the template; answers with the folder of each function's code. */
async function limit(file: string, limits: Limits): Promise<(name: string) => string> {
  const template = JSON.parse(await readFile(file, 'utf8')) as Template;
  const folders = new Map<string, string>();
  for (const { Type, Properties, Metadata } of Object.values(template.Resources)) {
    const name = String(Properties?.FunctionName ?? Properties?.QueueName ?? '');
    if (Type === 'AWS::Lambda::Function') folders.set(name.replace('holdfast-local-', ''), String(Metadata?.['aws:asset:path']));
    if (Type === 'AWS::Lambda::Function' && name.endsWith('-worker')) {
      if (limits.timeout !== undefined) Properties.Timeout = limits.timeout;
      if (limits.memory !== undefined) Properties.MemorySize = limits.memory;
    }
    if (Type === 'AWS::SQS::Queue' && /-(start|wake)$/.test(name) && limits.visibility !== undefined)
      Properties.VisibilityTimeout = limits.visibility;
    if (Type === 'AWS::Lambda::EventSourceMapping' && limits.batch !== undefined) Properties.BatchSize = limits.batch;
  }
  await writeFile(file, JSON.stringify(template));
  return (name) => folders.get(name) ?? '';
}
