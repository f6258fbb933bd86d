import { expect, test } from 'vitest';
import type { Resource, Template, Value } from '../../local/template/intrinsics.ts';
import { describeStack } from '../../local/template/read.ts';

const options = { awsUrl: 'http://127.0.0.1:1', dir: '/assembly' };
const describe = (Resources: Record<string, Resource>, rest: Partial<Template> = {}) => describeStack({ Resources, ...rest }, options);

const fn = (variables: Record<string, Value> = {}): Resource => ({
  Type: 'AWS::Lambda::Function',
  Properties: {
    FunctionName: 'fn',
    Handler: 'index.handler',
    MemorySize: 256,
    Timeout: 7,
    Environment: { Variables: variables },
    Code: {},
  },
  Metadata: { 'aws:asset:path': 'asset.1' },
});
const queue = (properties: Record<string, Value> = {}): Resource => ({
  Type: 'AWS::SQS::Queue',
  Properties: { QueueName: 'q', ...properties },
});

const variablesOf = (variables: Record<string, Value>, rest: Partial<Template> = {}, more: Record<string, Resource> = {}) =>
  describe({ Fn: fn(variables), ...more }, rest).functions[0]?.environment;

test('a function is described with its asset folder, limits and variables', () => {
  expect(describe({ Fn: fn({ A: 'x', N: 1 }) }).functions).toEqual([
    {
      name: 'fn',
      arn: 'arn:aws:lambda:us-east-1:000000000000:function:fn',
      logicalId: 'Fn',
      assetPath: '/assembly/asset.1',
      handler: 'index.handler',
      memoryMb: 256,
      timeoutMs: 7_000,
      environment: { A: 'x', N: '1' },
    },
  ]);
});

test.each<[string, Value, string]>([
  ['Ref to a queue is its URL', { Ref: 'Queue' }, 'http://127.0.0.1:1/000000000000/q'],
  ['Fn::GetAtt gives its ARN', { 'Fn::GetAtt': ['Queue', 'Arn'] }, 'arn:aws:sqs:us-east-1:000000000000:q'],
  ['Fn::GetAtt may be written as one string', { 'Fn::GetAtt': 'Queue.QueueName' }, 'q'],
  ['Ref to a table is its name', { Ref: 'Table' }, 'runs'],
  ['Ref to a bucket without a name is made from its id', { Ref: 'Bucket' }, 'holdfast-local-bucket'],
  ['Ref to a pseudo parameter', { Ref: 'AWS::Region' }, 'us-east-1'],
  ['Ref to a parameter is its default', { Ref: 'Given' }, 'by default'],
  ['Fn::Join', { 'Fn::Join': ['-', ['a', { Ref: 'AWS::Partition' }, 1]] }, 'a-aws-1'],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: CloudFormation writes its placeholders like this.
  ['Fn::Sub', { 'Fn::Sub': '${Queue.Arn}/${AWS::Region}/${!Literal}' }, 'arn:aws:sqs:us-east-1:000000000000:q/us-east-1/${Literal}'],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: CloudFormation writes its placeholders like this.
  ['Fn::Sub with variables', { 'Fn::Sub': ['${x}-${Table}', { x: { Ref: 'AWS::AccountId' } }] }, '000000000000-runs'],
  ['Fn::Select of Fn::Split', { 'Fn::Select': [5, { 'Fn::Split': [':', { 'Fn::GetAtt': ['Queue', 'Arn'] }] }] }, 'q'],
  ['Fn::If', { 'Fn::If': ['Small', 'small', 'large'] }, 'large'],
  ['Fn::FindInMap', { 'Fn::FindInMap': ['Map', { Ref: 'AWS::Region' }, 'size'] }, 'medium'],
])('%s', (_name, value, expected) => {
  const template = {
    Parameters: { Given: { Type: 'String', Default: 'by default' } },
    Conditions: { Small: { 'Fn::Not': [{ 'Fn::Equals': [{ Ref: 'AWS::Region' }, 'us-east-1'] }] } },
    Mappings: { Map: { 'us-east-1': { size: 'medium' } } },
  };
  const more = {
    Queue: queue(),
    Table: { Type: 'AWS::DynamoDB::Table', Properties: { TableName: 'runs' } },
    Bucket: { Type: 'AWS::S3::Bucket', Properties: {} },
  };
  expect(variablesOf({ V: value }, template, more)).toEqual({ V: expected });
});

test('AWS::NoValue leaves a property out', () => {
  expect(variablesOf({ A: 'x', B: { Ref: 'AWS::NoValue' } })).toEqual({ A: 'x' });
});

test('a queue has its redrive policy as SQS wants it', () => {
  const { queues } = describe({
    Dead: queue({ QueueName: 'dead' }),
    Queue: queue({
      VisibilityTimeout: 210,
      RedrivePolicy: { maxReceiveCount: 20, deadLetterTargetArn: { 'Fn::GetAtt': ['Dead', 'Arn'] } },
    }),
  });
  expect(queues[1]).toMatchObject({
    name: 'q',
    visibilityMs: 210_000,
    attributes: {
      VisibilityTimeout: '210',
      RedrivePolicy: '{"maxReceiveCount":20,"deadLetterTargetArn":"arn:aws:sqs:us-east-1:000000000000:dead"}',
    },
  });
});

test('an event source has the limits of its mapping', () => {
  const mapping = (properties: Record<string, Value>): Resource => ({
    Type: 'AWS::Lambda::EventSourceMapping',
    Properties: { EventSourceArn: { 'Fn::GetAtt': ['Queue', 'Arn'] }, FunctionName: { Ref: 'Fn' }, ...properties },
  });
  const { eventSources } = describe({
    Queue: queue(),
    Fn: fn(),
    Plain: mapping({}),
    Full: mapping({
      BatchSize: 100,
      MaximumBatchingWindowInSeconds: 1,
      ScalingConfig: { MaximumConcurrency: 7 },
      FunctionResponseTypes: ['ReportBatchItemFailures'],
    }),
  });
  expect(eventSources).toMatchObject([
    { functionName: 'fn', batchSize: 10, windowMs: 0, maxConcurrency: undefined, reportBatchItemFailures: false },
    { functionName: 'fn', batchSize: 100, windowMs: 1_000, maxConcurrency: 7, reportBatchItemFailures: true },
  ]);
});

test('a rule is a rate with one function', () => {
  const rule = (ScheduleExpression: string): Resource => ({
    Type: 'AWS::Events::Rule',
    Properties: { Name: 'sweep', ScheduleExpression, Targets: [{ Id: 'Target0', Arn: { 'Fn::GetAtt': ['Fn', 'Arn'] } }] },
  });
  expect(describe({ Fn: fn(), Rule: rule('rate(5 minutes)') }).schedules).toMatchObject([
    { name: 'sweep', everyMs: 300_000, functionName: 'fn' },
  ]);
  expect(() => describe({ Fn: fn(), Rule: rule('cron(0 0 * * ? *)') })).toThrow(
    'Rule.ScheduleExpression must be a rate, not cron(0 0 * * ? *)',
  );
});

test.each<[string, Record<string, Resource>, string]>([
  [
    'an unknown type',
    { Topic: { Type: 'AWS::Kinesis::Stream' } },
    'Topic is a AWS::Kinesis::Stream, which the embedded cloud does not know',
  ],
  ['an unknown property of a queue', { Queue: queue({ FifoQueue: true }) }, 'Queue.FifoQueue is not supported by the embedded cloud'],
  ['a Ref to nothing', { Fn: fn({ A: { Ref: 'Gone' } }) }, 'Fn.Environment.Variables.A: Ref to Gone, which is not in the template'],
  [
    'an attribute that has no value here',
    { Fn: fn({ A: { 'Fn::GetAtt': ['Queue', 'Colour'] } }), Queue: queue() },
    'Fn::GetAtt of Queue.Colour',
  ],
  ['an unknown function', { Fn: fn({ A: { 'Fn::ImportValue': 'x' } }) }, 'Fn.Environment.Variables.A: Fn::ImportValue'],
])('%s is an error that names the place', (_name, resources, message) => {
  expect(() => describe(resources)).toThrow(expect.objectContaining({ code: 'E_TEMPLATE', message: expect.stringContaining(message) }));
});

test('roles, policies and alarms are of no consequence here, and are not resolved', () => {
  const policy = { Type: 'AWS::IAM::Policy', Properties: { PolicyDocument: { 'Fn::ImportValue': 'x' } } };
  expect(describe({ Policy: policy, Alarm: { Type: 'AWS::CloudWatch::Alarm', Properties: {} } }).functions).toEqual([]);
});
