/** One deployed stage of the suite: how it is reached, deployed anew, and destroyed. Every file of the suite has one of its own. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { DeleteObjectsCommand, paginateListObjectsV2 } from '@aws-sdk/client-s3';
import { SendMessageBatchCommand } from '@aws-sdk/client-sqs';
import { runId } from 'holdfast';
import { stackName } from '../../../infra/names.ts';
import { assemble, testStage } from './assembly.ts';
import { cdklocal } from './cdk.ts';
import { type Emulator, emulator } from './emulator.ts';
import type { Reachable } from './endpoint.ts';
import { type Http, httpTo } from './http.ts';
import { type InAccount, inAccount } from './leftovers.ts';
import { type ScriptedApi, scriptedApi } from './scripted-api.ts';
import { until } from './until.ts';

export type Outputs = Record<'ApiUrl' | 'StartQueueUrl' | 'RunsTable' | 'ConnectionsTable' | 'PayloadsBucket' | 'Version', string>;

export type StartMessage = { workflow: string; input?: unknown; idempotencyKey: string; tenant?: string };

export type TestStack = {
  readonly stage: string;
  readonly aws: Emulator;
  /** What the deployed workflows call. */
  readonly api: ScriptedApi;
  readonly outputs: Outputs;
  readonly http: Http;
  queueUrl(name: 'start' | 'wake' | 'dead-letters'): string;
  /** By the start queue; resolves with the runs' ids. */
  start(...messages: StartMessage[]): Promise<string[]>;
  /** The stack once more, with the workflows of another file of this folder. */
  redeploy(workflows: string): Promise<void>;
  /** Once, however often it is called. Resolves with what of the stage is in the account before and after. */
  destroy(): Promise<{ before: InAccount; after: InAccount }>;
};

/** SQS takes so many messages as one request. */
const BATCH = 10;

/** `workflows`: a file of the folder workflows/, without its ending. `workerSeconds`: of the worker's timeout; a message whose worker died comes again half a minute after it. */
export async function deploy(
  endpoint: Reachable,
  workflows: string,
  { workerSeconds }: { workerSeconds?: number } = {},
): Promise<TestStack> {
  // Its own name, so that suites can share an endpoint.
  const name = `t${randomBytes(5).toString('hex')}`;
  const api = await scriptedApi(endpoint.tests);
  const aws = emulator(endpoint.url);
  const cdk = cdklocal(endpoint.url);
  const stage = testStage(name, api.url, workerSeconds);
  const dir = await mkdtemp(join(tmpdir(), 'holdfast-localstack-'));
  let releases = 0;
  let assembly = '';

  async function release(file: string): Promise<Outputs> {
    const at = join(dir, String(releases++));
    const made = await assemble(stage, fileURLToPath(new URL(`workflows/${file}.ts`, import.meta.url)), at);
    assembly = made.assembly;
    await cdk.deploy(assembly);
    // LocalStack calls a stack complete a moment before it has its outputs, which is when the CDK asks for them.
    return until(
      () => outputsOf(aws, stackName(name)),
      ({ Version }) => Version === made.version,
    );
  }

  async function destroy(): Promise<{ before: InAccount; after: InAccount }> {
    try {
      const before = await inAccount(aws, name);
      if (outputs) await empty(aws, outputs.PayloadsBucket);
      if (assembly !== '') await cdk.destroy(assembly);
      const after = await inAccount(aws, name);
      const left = Object.values(after).flat();
      if (left.length > 0) throw new Error(`stage ${name} was destroyed, and left behind: ${left.join(', ')}`);
      return { before, after };
    } finally {
      aws.destroy();
      await api.close();
      await rm(dir, { recursive: true, force: true });
    }
  }
  let destroyed: ReturnType<typeof destroy> | undefined;
  const once = () => {
    destroyed ??= destroy();
    return destroyed;
  };

  let outputs: Outputs | undefined;
  try {
    outputs = await release(workflows);
    const deployed = outputs;
    const http = httpTo(invokeUrl(endpoint.url, deployed.ApiUrl));
    await answering(http);
    const queueUrl = (queue: string) =>
      new URL(new URL(deployed.StartQueueUrl.replace(/-start$/, `-${queue}`)).pathname, endpoint.url).href;
    return {
      stage: name,
      aws,
      api,
      get outputs() {
        return outputs ?? deployed;
      },
      http,
      queueUrl,
      async start(...messages) {
        for (let from = 0; from < messages.length; from += BATCH) {
          const Entries = messages
            .slice(from, from + BATCH)
            .map((message, index) => ({ Id: String(index), MessageBody: JSON.stringify(message) }));
          const { Failed = [] } = await aws.sqs.send(new SendMessageBatchCommand({ QueueUrl: queueUrl('start'), Entries }));
          if (Failed.length > 0) throw new Error(`the start queue refused ${Failed.length} messages: ${Failed[0]?.Message}`);
        }
        return messages.map(({ tenant = 'default', workflow, idempotencyKey }) => runId(tenant, workflow, idempotencyKey));
      },
      async redeploy(file) {
        outputs = await release(file);
        const { Version } = outputs;
        await until(
          () => http('GET', '/healthz', { token: null }),
          ({ body }) => (body as { version?: string }).version === Version,
        );
      },
      destroy: once,
    };
  } catch (error) {
    await once().catch((also: unknown) => console.error(also));
    throw error;
  }
}

async function outputsOf({ cloudformation }: Emulator, StackName: string): Promise<Outputs> {
  const { Stacks: [stack] = [] } = await cloudformation.send(new DescribeStacksCommand({ StackName }));
  return Object.fromEntries((stack?.Outputs ?? []).map(({ OutputKey, OutputValue }) => [OutputKey, OutputValue])) as Outputs;
}

/** What API Gateway's URL is under an endpoint that is not AWS. */
function invokeUrl(endpoint: string, url: string): string {
  const { hostname, pathname } = new URL(url);
  const [, stage = ''] = pathname.split('/');
  const id = /^[^.]+\.execute-api\./.test(hostname) ? hostname.split('.')[0] : /\/restapis\/([^/]+)\//.exec(pathname)?.[1];
  return `${endpoint}/restapis/${id}/${/\/restapis\//.test(pathname) ? pathname.split('/')[3] : stage}/_user_request_`;
}

/** A function that cannot start says why only in what the gateway answers, and in its log. */
async function answering(http: Http): Promise<void> {
  const look = () => http('GET', '/healthz', { token: null });
  await until(look, ({ status }) => status === 200, 60_000).catch((error: Error) => {
    throw new Error(
      `the deployed API does not answer GET /healthz; the functions need Node 24 where they run as processes. ${error.message}`,
    );
  });
}

/** A bucket that holds something is not deleted. */
async function empty({ s3 }: Emulator, bucket: string | undefined): Promise<void> {
  if (bucket === undefined) return;
  for await (const { Contents = [] } of paginateListObjectsV2({ client: s3 }, { Bucket: bucket })) {
    const Objects = Contents.map(({ Key }) => ({ Key }));
    if (Objects.length > 0) await s3.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects } }));
  }
}
