/**
 * Reads a synthesised stack into a description. Every resource type is either acted on or known to be of no consequence here;
 * any other is an error, so that nothing is missing silently.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LocalError } from '../errors.ts';
import { describeApi } from './apis.ts';
import type { StackDescription } from './description.ts';
import { describeEventSource, describeFunction, describeSchedule } from './functions.ts';
import { type Resource, resolver, type Template } from './intrinsics.ts';
import { lookup } from './names.ts';
import { reader } from './reader.ts';
import { describeBucket, describeQueue, describeTable } from './stores.ts';

/** Permissions, monitoring and deployment machinery: they change nothing that a local program can observe. */
const WITHOUT_EFFECT =
  /^AWS::(CDK::Metadata|IAM::\w+|Logs::\w+|CloudWatch::\w+|SNS::(Topic|TopicPolicy|Subscription)|KMS::\w+|Budgets::\w+|SecretsManager::(Secret|ResourcePolicy)|Lambda::(Permission|EventInvokeConfig)|SQS::QueuePolicy|S3::BucketPolicy|ApiGateway::(Deployment|Stage|Account|Resource|Method|GatewayResponse|UsagePlan|RequestValidator|Model))$/;

/** Custom resources that only tidy up when a stack is deleted. */
const TIDYING = /^Custom::(S3AutoDeleteObjects|LogRetention)$/;

const ACTED_ON = new Set([
  'AWS::SQS::Queue',
  'AWS::DynamoDB::Table',
  'AWS::S3::Bucket',
  'AWS::Lambda::Function',
  'AWS::Lambda::EventSourceMapping',
  'AWS::ApiGateway::RestApi',
  'AWS::Events::Rule',
]);

/** `dir`: a cloud assembly with one stack. Throws `E_TEMPLATE`, which names the resource. */
export function readStack(dir: string, options: { awsUrl: string }): StackDescription {
  const files = readdirSync(dir).filter((file) => file.endsWith('.template.json'));
  const [file] = files;
  if (file === undefined || files.length > 1) {
    throw new LocalError('E_TEMPLATE', `${dir} must hold one template, and has ${files.length === 0 ? 'none' : files.join(', ')}`);
  }
  return describeStack(JSON.parse(readFileSync(join(dir, file), 'utf8')) as Template, { ...options, dir });
}

export function describeStack(template: Template, options: { awsUrl: string; dir: string }): StackDescription {
  const names = lookup(options.awsUrl);
  const resolve = resolver(template, names);
  const entries = Object.entries(template.Resources);
  for (const [id, { Type }] of entries) {
    if (!ACTED_ON.has(Type) && !WITHOUT_EFFECT.test(Type) && !TIDYING.test(Type)) {
      throw new LocalError('E_TEMPLATE', `${id} is a ${Type}, which the embedded cloud does not know: teach it in local/template/read.ts`);
    }
  }
  const all = <T>(type: string, describe: (read: ReturnType<typeof reader>, id: string, resource: Resource) => T): T[] =>
    entries
      .filter(([, resource]) => resource.Type === type)
      .map(([id, resource]) => describe(reader(id, resource, resolve, names), id, resource));

  const queues = all('AWS::SQS::Queue', describeQueue);
  const functions = all('AWS::Lambda::Function', (read, id, resource) => describeFunction(read, id, resource, options.dir));
  return {
    queues,
    tables: all('AWS::DynamoDB::Table', describeTable),
    buckets: all('AWS::S3::Bucket', describeBucket),
    functions,
    eventSources: all('AWS::Lambda::EventSourceMapping', (read) => describeEventSource(read, queues, functions)),
    apis: all('AWS::ApiGateway::RestApi', (read, id) => describeApi(read, id, { template, resolve, functions })),
    schedules: all('AWS::Events::Rule', (read) => describeSchedule(read, functions)),
  };
}
