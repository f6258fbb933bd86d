/** Queues, tables and buckets as the template describes them. */
import type { QueueDescription, TableDescription } from './description.ts';
import type { Reader } from './reader.ts';

const QUEUE_ATTRIBUTES = [
  'DelaySeconds',
  'MaximumMessageSize',
  'MessageRetentionPeriod',
  'ReceiveMessageWaitTimeSeconds',
  'RedrivePolicy',
  'RedriveAllowPolicy',
  'VisibilityTimeout',
];
const QUEUE_IGNORED = ['QueueName', 'Tags', 'SqsManagedSseEnabled', 'KmsMasterKeyId', 'KmsDataKeyReusePeriodSeconds'];

/** SQS's default. */
const VISIBILITY_S = 30;

export function describeQueue(read: Reader): QueueDescription {
  const attributes = Object.entries(read.pick(QUEUE_ATTRIBUTES, QUEUE_IGNORED)).map(([name, value]) => [
    name,
    typeof value === 'object' ? JSON.stringify(value) : String(value),
  ]);
  return {
    name: read.attribute('QueueName'),
    arn: read.attribute('Arn'),
    attributes: Object.fromEntries(attributes) as Record<string, string>,
    visibilityMs: read.number('VisibilityTimeout', VISIBILITY_S) * 1000,
  };
}

/** Expiry, backups, encryption and protection concern what a laptop does not keep. */
const TABLE_IGNORED = [
  'TableName',
  'Tags',
  'TimeToLiveSpecification',
  'PointInTimeRecoverySpecification',
  'SSESpecification',
  'DeletionProtectionEnabled',
  'ContributorInsightsSpecification',
  'TableClass',
];

export function describeTable(read: Reader): TableDescription {
  const wanted = [
    'KeySchema',
    'AttributeDefinitions',
    'BillingMode',
    'ProvisionedThroughput',
    'GlobalSecondaryIndexes',
    'LocalSecondaryIndexes',
  ];
  return { name: read.ref, input: { TableName: read.ref, ...read.pick(wanted, TABLE_IGNORED) } };
}

export const describeBucket = (read: Reader): string => read.ref;
