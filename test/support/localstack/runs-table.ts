/** A stage's runs as they are in its table, and time travel: what was put down until later is made to have been put down earlier. */
import { GetItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { runKey } from '../../../src/aws/item-keys.ts';
import { decodeEntries, type Entry, encodeEntries } from '../../../src/engine/journal.ts';
import type { TestStack } from './stack.ts';

type Where = Pick<TestStack, 'aws' | 'outputs'>;

/** When the sweeper looks at it, ms since the epoch. */
export async function setDue({ aws, outputs }: Where, id: string, due: number): Promise<void> {
  await aws.dynamodb.send(
    new UpdateItemCommand({
      TableName: outputs.RunsTable,
      Key: runKey(id),
      UpdateExpression: 'SET due = :due',
      ConditionExpression: 'attribute_exists(due)',
      ExpressionAttributeValues: { ':due': { N: String(due) } },
    }),
  );
}

/** A waiting run whose journal is in its item, `ms` later: as if everything it did had been done so much earlier. */
export async function age({ aws, outputs }: Where, id: string, ms: number): Promise<void> {
  const { Item = {} } = await aws.dynamodb.send(
    new GetItemCommand({ TableName: outputs.RunsTable, Key: runKey(id), ConsistentRead: true }),
  );
  const journal = Item.journal?.B;
  if (journal === undefined || Item.wakeAt?.N === undefined)
    throw new Error(`run ${id} does not wait with its journal in its item: ${Object.keys(Item)}`);
  const earlier = decodeEntries(journal).map(
    (entry): Entry => (entry.k === 'retry' ? { ...entry, next: entry.next - ms, issuedAt: entry.issuedAt - ms } : entry),
  );
  await aws.dynamodb.send(
    new UpdateItemCommand({
      TableName: outputs.RunsTable,
      Key: runKey(id),
      UpdateExpression: 'SET journal = :journal, wakeAt = :wakeAt, due = :due',
      ConditionExpression: 'nonce = :nonce',
      ExpressionAttributeValues: {
        ':journal': { B: encodeEntries(earlier) },
        ':wakeAt': { N: String(Number(Item.wakeAt.N) - ms) },
        ':due': { N: String(Number(Item.due?.N) - ms) },
        ':nonce': { S: Item.nonce?.S ?? '' },
      },
    }),
  );
}
