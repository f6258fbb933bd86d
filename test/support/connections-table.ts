/** A table as the stack's connections table, on an emulator of the test's own. */
import { CreateTableCommand, DescribeTableCommand } from '@aws-sdk/client-dynamodb';
import { PARTITION_KEY, SORT_KEY } from '../../src/aws/table-schema.ts';
import type { Emulators } from './aws-emulators.ts';

let made = 0;

/** Its name. Each is a new one. */
export async function connectionsTable({ clients }: Pick<Emulators, 'clients'>): Promise<string> {
  const TableName = `connections-${++made}`;
  const keys = [PARTITION_KEY, SORT_KEY];
  await clients.dynamodb.send(
    new CreateTableCommand({
      TableName,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: keys.map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
      KeySchema: keys.map((AttributeName, at) => ({ AttributeName, KeyType: at === 0 ? 'HASH' : 'RANGE' })),
    }),
  );
  const status = async () => (await clients.dynamodb.send(new DescribeTableCommand({ TableName }))).Table?.TableStatus;
  while ((await status()) !== 'ACTIVE');
  return TableName;
}
