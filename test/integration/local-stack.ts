/** Small stacks for tests of the embedded cloud: a template, and handlers as files. Everything is gone when the test has ended. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type AwsClient, awsClient } from '../../local/aws/client.ts';
import { type Cloud, type CloudOptions, startCloud } from '../../local/cloud.ts';
import type { Resource } from '../../local/template/intrinsics.ts';

export async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'holdfast-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true, maxRetries: 10 }));
  return dir;
}

/** A function whose handler is `source`, an ES module that exports `handler`; it finds `./tell.mjs` beside it. */
export type FunctionSource = { source: string; memory?: number; timeout?: number; environment?: Record<string, unknown> };

export type Trigger = {
  /** Seconds; SQS's 30 by default. */
  visibility?: number;
  maxReceiveCount?: number;
  batchSize?: number;
  window?: number;
  concurrency?: number;
  reportFailures?: boolean;
};

/** One function fed by the queue `jobs`, whose dead letters go to `dead`. */
export function triggered(fn: FunctionSource, trigger: Trigger = {}): Record<string, Resource> {
  const { visibility = 30, maxReceiveCount = 5, batchSize = 10, window, concurrency, reportFailures = true } = trigger;
  return {
    Dead: { Type: 'AWS::SQS::Queue', Properties: { QueueName: 'dead' } },
    Jobs: {
      Type: 'AWS::SQS::Queue',
      Properties: {
        QueueName: 'jobs',
        VisibilityTimeout: visibility,
        RedrivePolicy: { deadLetterTargetArn: { 'Fn::GetAtt': ['Dead', 'Arn'] }, maxReceiveCount },
      },
    },
    ...lambda('Worker', fn),
    Trigger: {
      Type: 'AWS::Lambda::EventSourceMapping',
      Properties: {
        BatchSize: batchSize,
        EventSourceArn: { 'Fn::GetAtt': ['Jobs', 'Arn'] },
        FunctionName: { Ref: 'Worker' },
        ...(window === undefined ? {} : { MaximumBatchingWindowInSeconds: window }),
        ...(concurrency === undefined ? {} : { ScalingConfig: { MaximumConcurrency: concurrency } }),
        ...(reportFailures ? { FunctionResponseTypes: ['ReportBatchItemFailures'] } : {}),
      },
    },
  };
}

const sources = new WeakMap<Resource, string>();

export function lambda(id: string, { source, memory = 128, timeout = 10, environment = {} }: FunctionSource): Record<string, Resource> {
  const resource: Resource = {
    Type: 'AWS::Lambda::Function',
    Properties: {
      FunctionName: id.toLowerCase(),
      Handler: 'index.handler',
      MemorySize: memory,
      Timeout: timeout,
      Environment: { Variables: environment as never },
      Code: {},
    },
    Metadata: { 'aws:asset:path': '' },
  };
  sources.set(resource, source);
  return { [id]: resource };
}

/** Prints one JSON line, which `said` reads. */
const TELL = `export const tell = (fact) => process.stdout.write('TELL ' + JSON.stringify(fact) + '\\n');\n`;

export async function assemble(resources: Record<string, Resource>): Promise<string> {
  const dir = await folder();
  for (const [id, resource] of Object.entries(resources)) {
    const source = sources.get(resource);
    if (source === undefined) continue;
    const asset = await mkdtemp(join(dir, 'asset.'));
    await writeFile(join(asset, 'index.mjs'), source);
    await writeFile(join(asset, 'tell.mjs'), TELL);
    resources[id] = { ...resource, Metadata: { 'aws:asset:path': asset.slice(dir.length + 1) } };
  }
  await writeFile(join(dir, 'test.template.json'), JSON.stringify({ Resources: resources }));
  return dir;
}

export type TestCloud = Cloud & {
  aws: AwsClient;
  /** What handlers told, in order. */
  told: Array<Record<string, unknown>>;
  faults: string[];
  errors: Error[];
  /** Resolves when `enough` holds; it is asked after everything told and every fault. */
  until(enough: () => boolean): Promise<void>;
  send(...bodies: string[]): Promise<void>;
  /** What is in a queue, by state. */
  counts(queue: string): Promise<{ visible: number; inFlight: number; delayed: number }>;
};

export async function cloudOf(resources: Record<string, Resource>, options: Partial<CloudOptions> = {}): Promise<TestCloud> {
  const told: Array<Record<string, unknown>> = [];
  const faults: string[] = [];
  const errors: Error[] = [];
  const waiting = new Set<() => void>();
  const check = () => {
    for (const look of waiting) look();
  };
  let rest = '';
  const cloud = await startCloud({
    assembly: await assemble(resources),
    ports: { http: 0, aws: 0 },
    logs: await folder(),
    onOutput(_name, text) {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line.startsWith('TELL ')) told.push(JSON.parse(line.slice(5)) as Record<string, unknown>);
      check();
    },
    onFault(fault) {
      faults.push(fault.errorType);
      check();
    },
    onError: (error) => void errors.push(error),
    ...options,
  });
  const aws = awsClient(cloud.awsUrl);
  onTestFinished(async () => {
    await aws.close();
    await cloud.stop();
  });
  const queueUrl = aws.queueUrl('jobs');
  return {
    ...cloud,
    aws,
    told,
    faults,
    errors,
    until: (enough) =>
      new Promise((resolve) => {
        const look = () => {
          if (!enough()) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
    async send(...bodies) {
      for (let first = 0; first < bodies.length; first += 10) {
        const Entries = bodies.slice(first, first + 10).map((MessageBody, index) => ({ Id: String(index), MessageBody }));
        await aws.call('sqs', 'SendMessageBatch', { QueueUrl: queueUrl, Entries });
      }
    },
    async counts(queue) {
      const { Attributes } = await aws.call<{ Attributes: Record<string, string> }>('sqs', 'GetQueueAttributes', {
        QueueUrl: aws.queueUrl(queue),
        AttributeNames: ['All'],
      });
      return {
        visible: Number(Attributes.ApproximateNumberOfMessages),
        inFlight: Number(Attributes.ApproximateNumberOfMessagesNotVisible),
        delayed: Number(Attributes.ApproximateNumberOfMessagesDelayed),
      };
    },
  };
}
