/** Makes the queues, tables and buckets of a stack through the AWS API. What is there already is kept, and brought in line where AWS allows it. */
import { isDeepStrictEqual } from 'node:util';
import { type AwsClient, awsErrorName } from './aws/client.ts';
import { LocalError } from './errors.ts';
import type { QueueDescription, StackDescription, TableDescription } from './template/description.ts';
import type { Value } from './template/intrinsics.ts';

export async function provision(aws: AwsClient, stack: Pick<StackDescription, 'queues' | 'tables' | 'buckets'>): Promise<void> {
  await Promise.all([
    ...stack.queues.map((queue) => provideQueue(aws, queue)),
    ...stack.tables.map((table) => provideTable(aws, table)),
    ...stack.buckets.map((bucket) => provideBucket(aws, bucket)),
  ]);
}

async function provideQueue(aws: AwsClient, queue: QueueDescription): Promise<void> {
  // Two calls, because creating a queue that exists with other attributes is refused.
  await aws.call('sqs', 'CreateQueue', { QueueName: queue.name });
  if (Object.keys(queue.attributes).length === 0) return;
  await aws.call('sqs', 'SetQueueAttributes', { QueueUrl: aws.queueUrl(queue.name), Attributes: queue.attributes });
}

type Shape = { KeySchema?: unknown; GlobalSecondaryIndexes?: Value; LocalSecondaryIndexes?: Value };
type Described = { Table: Shape & { TableStatus: string } };

/** What cannot be changed in place here: keys and indexes, without what the service adds to them. */
function shapeOf(table: Shape): unknown {
  const indexes = (list: Value | undefined) =>
    ((list ?? []) as Array<{ IndexName: string; KeySchema: Value; Projection: { ProjectionType: string; NonKeyAttributes?: string[] } }>)
      .map(({ IndexName, KeySchema, Projection }) => ({
        IndexName,
        KeySchema,
        type: Projection.ProjectionType,
        attributes: [...(Projection.NonKeyAttributes ?? [])].sort(),
      }))
      .sort((a, b) => (a.IndexName < b.IndexName ? -1 : 1));
  return { key: table.KeySchema, global: indexes(table.GlobalSecondaryIndexes), local: indexes(table.LocalSecondaryIndexes) };
}

async function provideTable(aws: AwsClient, table: TableDescription): Promise<void> {
  try {
    await aws.call('dynamodb', 'CreateTable', table.input);
  } catch (error) {
    if (awsErrorName(error) !== 'ResourceInUseException') throw error;
  }
  for (;;) {
    const { Table } = await aws.call<Described>('dynamodb', 'DescribeTable', { TableName: table.name });
    if (!isDeepStrictEqual(shapeOf(Table), shapeOf(table.input))) {
      throw new LocalError(
        'E_DATA_OUTDATED',
        `table ${table.name} in the data folder has other keys or indexes than the template: choose another folder with --data, or delete it`,
      );
    }
    if (Table.TableStatus === 'ACTIVE') return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function provideBucket(aws: AwsClient, bucket: string): Promise<void> {
  const { status } = await fetch(`${aws.url}/${bucket}`, { method: 'PUT' });
  if (status !== 200 && status !== 409) throw new LocalError('E_AWS_CALL', `s3 CreateBucket ${bucket} answered ${status}`);
}
