/** Functions and what calls them: event source mappings and schedules. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { EventSourceDescription, FunctionDescription, QueueDescription, ScheduleDescription } from './description.ts';
import type { Resource } from './intrinsics.ts';
import type { Reader } from './reader.ts';

export function describeFunction(read: Reader, logicalId: string, resource: Resource, dir: string): FunctionDescription {
  const variables = read.object('Environment').Variables ?? {};
  return {
    name: read.ref,
    arn: read.attribute('Arn'),
    logicalId,
    assetPath: assetPath(read, resource, dir),
    handler: read.string('Handler'),
    memoryMb: read.number('MemorySize', 128),
    timeoutMs: read.number('Timeout', 3) * 1000,
    environment: Object.fromEntries(Object.entries(variables).map(([name, value]) => [name, String(value)])),
  };
}

/** CDK leaves the folder in the metadata; without metadata, the assets manifest has it by the hash in the S3 key. */
function assetPath(read: Reader, resource: Resource, dir: string): string {
  const path = resource.Metadata?.['aws:asset:path'];
  if (typeof path === 'string') return join(dir, path);
  const hash = String(read.object('Code').S3Key ?? '').replace(/\.\w+$/, '');
  for (const file of readdirSync(dir).filter((name) => name.endsWith('.assets.json'))) {
    const manifest = JSON.parse(readFileSync(join(dir, file), 'utf8')) as { files?: Record<string, { source: { path: string } }> };
    const source = manifest.files?.[hash]?.source.path;
    if (source !== undefined && existsSync(join(dir, source))) return join(dir, source);
  }
  return read.fail('Code', 'names no asset folder');
}

/** By ARN or by name. */
export function functionOf(reference: string, functions: readonly FunctionDescription[]): FunctionDescription | undefined {
  return functions.find(({ arn, name }) => reference === arn || reference === name);
}

export function describeEventSource(
  read: Reader,
  queues: readonly QueueDescription[],
  functions: readonly FunctionDescription[],
): EventSourceDescription {
  read.pick(
    ['BatchSize', 'EventSourceArn', 'FunctionName', 'FunctionResponseTypes', 'MaximumBatchingWindowInSeconds', 'ScalingConfig', 'Enabled'],
    ['Tags'],
  );
  const arn = read.string('EventSourceArn');
  const queue = queues.find((candidate) => candidate.arn === arn) ?? read.fail('EventSourceArn', `names no queue of this template: ${arn}`);
  if (queue.name.endsWith('.fifo')) read.fail('EventSourceArn', 'is a FIFO queue, which the embedded cloud does not poll');
  const target = functionOf(read.string('FunctionName'), functions) ?? read.fail('FunctionName', 'names no function of this template');
  const concurrency = read.object('ScalingConfig').MaximumConcurrency;
  return {
    queue,
    functionName: target.name,
    batchSize: read.number('BatchSize', 10),
    windowMs: read.number('MaximumBatchingWindowInSeconds', 0) * 1000,
    maxConcurrency: concurrency === undefined ? undefined : Number(concurrency),
    reportBatchItemFailures: read.list('FunctionResponseTypes').includes('ReportBatchItemFailures'),
  };
}

const UNIT_MS: Record<string, number> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };

export function describeSchedule(read: Reader, functions: readonly FunctionDescription[]): ScheduleDescription {
  const expression = read.string('ScheduleExpression');
  const rate = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression);
  if (!rate) read.fail('ScheduleExpression', `must be a rate, not ${expression}`);
  const targets = read.list('Targets') as Array<{ Arn?: string; Input?: string }>;
  const [target] = targets;
  if (target === undefined || targets.length > 1) read.fail('Targets', 'must be one function');
  const found = functionOf(String(target?.Arn), functions) ?? read.fail('Targets', 'names no function of this template');
  return {
    name: read.ref,
    arn: read.attribute('Arn'),
    everyMs: Number(rate?.[1]) * (UNIT_MS[rate?.[2] ?? ''] ?? 0),
    functionName: found.name,
    input: target?.Input,
  };
}
