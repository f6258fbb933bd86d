/** What a person hears of, how, and where there is nobody; the dashboard, for those who want it. */
import { Match, type Template } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { resources, templateOf } from './support/template.ts';

const stage = (given: object = {}) => templateOf({ stages: { ops: { auth: { tokenHashes: ['ab'.repeat(32)] }, ...given } } }, 'ops');
const alarms = (template: Template) =>
  Object.fromEntries(
    Object.values(resources(template, 'AWS::CloudWatch::Alarm')).map(({ Properties }) => [
      String(Properties.AlarmName).slice('holdfast-ops-'.length),
      Properties,
    ]),
  );

const ESSENTIAL = ['api-5xx', 'dead-letters', 'runs-failed', 'runs-paused', 'start-age', 'sweeper', 'wake-age'];
const FUNCTIONS = ['worker', 'api', 'sweeper', 'dead-letters'];
const CAUSES = [
  'dead-letters-age',
  'dead-letters-visible',
  'dead-letters-received',
  'runs-throttled',
  'connections-throttled',
  ...FUNCTIONS.flatMap((name) => ['errors', 'throttles', 'duration'].map((what) => `${name}-${what}`)),
];

describe('alarms', () => {
  it('tell of everything that stands still or gets lost, once', () => {
    expect(Object.keys(alarms(stage())).sort()).toEqual(ESSENTIAL);
  });

  it('tell of the causes, too, where that is wanted', () => {
    expect(Object.keys(alarms(stage({ alarms: { coverage: 'full' } }))).sort()).toEqual([...ESSENTIAL, ...CAUSES].sort());
  });

  it('are none of a disposable stage, which nobody watches', () => {
    expect(alarms(stage({ disposable: true, alarms: { coverage: 'full' } }))).toEqual({});
  });

  it('say what to do and name their section of the guide', () => {
    for (const [name, { AlarmDescription }] of Object.entries(alarms(stage({ alarms: { coverage: 'full' } })))) {
      expect(AlarmDescription).toMatch(/^[A-Z].+\. docs\/operate\.md#alarm-[\w-]+$/);
      expect(String(AlarmDescription).split('#alarm-')[1]).toBe(name);
    }
  });

  it.each<[string, object]>([
    ['start-age', { Namespace: 'AWS/SQS', MetricName: 'ApproximateAgeOfOldestMessage', Statistic: 'Maximum', Threshold: 3_600 }],
    ['wake-age', { Namespace: 'AWS/SQS', MetricName: 'ApproximateAgeOfOldestMessage', Statistic: 'Maximum', Threshold: 3_600 }],
    ['dead-letters-received', { Namespace: 'AWS/SQS', MetricName: 'NumberOfMessagesReceived', Statistic: 'Sum', Threshold: 0 }],
    ['dead-letters-visible', { Namespace: 'AWS/SQS', MetricName: 'ApproximateNumberOfMessagesVisible', Threshold: 0 }],
    ['dead-letters', { Namespace: 'Holdfast', MetricName: 'DeadLetters', Dimensions: [{ Name: 'Stage', Value: 'ops' }] }],
    ['runs-failed', { Namespace: 'Holdfast', MetricName: 'RunsFailed', Dimensions: [{ Name: 'Stage', Value: 'ops' }], Threshold: 10 }],
    ['runs-paused', { Namespace: 'Holdfast', MetricName: 'RunsPaused', Dimensions: [{ Name: 'Stage', Value: 'ops' }], Threshold: 0 }],
    ['sweeper', { Namespace: 'AWS/Lambda', MetricName: 'Errors', Statistic: 'Average', TreatMissingData: 'breaching' }],
    ['api-5xx', { Namespace: 'AWS/ApiGateway', MetricName: '5XXError', Statistic: 'Sum', Threshold: 0 }],
    ['worker-duration', { Namespace: 'AWS/Lambda', MetricName: 'Duration', Statistic: 'Maximum', Threshold: 162_000 }],
    ['api-throttles', { Namespace: 'AWS/Lambda', MetricName: 'Throttles', Statistic: 'Sum', Threshold: 0 }],
  ])('%s looks at what it says', (name, expected) => {
    expect(alarms(stage({ alarms: { coverage: 'full' } }))[name]).toMatchObject({
      ComparisonOperator: 'GreaterThanThreshold',
      Period: 300,
      ...expected,
    });
  });

  it('take missing data for good news, the sweeper’s alone for bad', () => {
    for (const [name, { TreatMissingData }] of Object.entries(alarms(stage({ alarms: { coverage: 'full' } })))) {
      expect({ name, TreatMissingData }).toEqual({ name, TreatMissingData: name === 'sweeper' ? 'breaching' : 'notBreaching' });
    }
  });

  it('of failed runs begin where the configuration says', () => {
    expect(alarms(stage({ alarms: { failedRuns: 0 } }))['runs-failed']).toMatchObject({ Threshold: 0 });
  });
});

describe('who is told', () => {
  it('is nobody by default', () => {
    const template = stage();
    template.resourceCountIs('AWS::SNS::Topic', 0);
    for (const alarm of Object.values(alarms(template))) expect(alarm).not.toHaveProperty('AlarmActions');
  });

  it('is an address, by an encrypted topic that CloudWatch may use and nobody without TLS', () => {
    const template = stage({ alarms: { email: 'ops@example.com' } });
    const [topic] = Object.keys(resources(template, 'AWS::SNS::Topic'));
    template.hasResourceProperties('AWS::SNS::Topic', { KmsMasterKeyId: Match.anyValue() });
    template.hasResourceProperties('AWS::SNS::Subscription', { Protocol: 'email', Endpoint: 'ops@example.com', TopicArn: { Ref: topic } });
    template.hasResourceProperties('AWS::SNS::TopicPolicy', {
      PolicyDocument: {
        Statement: Match.arrayWith([
          Match.objectLike({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
          Match.objectLike({ Effect: 'Allow', Action: 'sns:Publish', Principal: { Service: 'cloudwatch.amazonaws.com' } }),
        ]),
      },
    });
    template.hasResourceProperties('AWS::KMS::Key', {
      EnableKeyRotation: true,
      KeyPolicy: { Statement: Match.arrayWith([Match.objectLike({ Principal: { Service: 'cloudwatch.amazonaws.com' } })]) },
    });
    for (const alarm of Object.values(alarms(template)))
      expect(alarm).toMatchObject({ AlarmActions: [{ Ref: topic }], OKActions: [{ Ref: topic }] });
  });

  it('is a topic that is there already', () => {
    const topicArn = 'arn:aws:sns:eu-central-1:123456789012:ops';
    const template = stage({ alarms: { topicArn } });
    template.resourceCountIs('AWS::SNS::Topic', 0);
    template.resourceCountIs('AWS::KMS::Key', 0);
    for (const alarm of Object.values(alarms(template))) expect(alarm).toMatchObject({ AlarmActions: [topicArn] });
  });
});

describe('the dashboard', () => {
  it('is there where it is wanted, and nowhere else: it costs more than the rest of an idle stack', () => {
    stage().resourceCountIs('AWS::CloudWatch::Dashboard', 0);
    stage({ dashboard: true }).resourceCountIs('AWS::CloudWatch::Dashboard', 1);
  });

  it('shows every metric that the functions write, and what they run on', () => {
    const [page] = Object.values(resources(stage({ dashboard: true }), 'AWS::CloudWatch::Dashboard'));
    const body = JSON.stringify(page);
    const own = [
      'RunsStarted',
      'RunsEnded',
      'RunDuration',
      'RunsPaused',
      'Calls',
      'CallDuration',
      'Retries',
      'Throttled',
      'Waits',
      'RunWrites',
    ];
    for (const metric of [...own, 'BatchSize', 'EventLoopDelay', 'DeadLetters']) expect(body).toContain(metric);
    for (const metric of ['ApproximateAgeOfOldestMessage', 'ConcurrentExecutions', 'Throttles', 'ConsumedWriteCapacityUnits']) {
      expect(body).toContain(metric);
    }
    expect(body).toContain('{Holdfast,Stage,Workflow,Status} MetricName=');
  });
});
