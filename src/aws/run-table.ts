/** What the parts of the DynamoDB run store share: the table, its client, and the two reads that all of them need. */
import {
  ConditionalCheckFailedException,
  type DynamoDBClient,
  GetItemCommand,
  QueryCommand,
  type QueryCommandInput,
} from '@aws-sdk/client-dynamodb';
import type { RunRecord, Stub } from '../engine/ports.ts';
import type { Waiting } from './backoff.ts';
import { type Item, runKey } from './item-keys.ts';
import { runFromItem } from './run-item.ts';

export type RunTable = Waiting & {
  client: DynamoDBClient;
  table: string;
  /** Days that a finished run keeps its journal. */
  retentionDays: number;
};

export async function getItem({ client, table }: RunTable, key: Item): Promise<Item | undefined> {
  return (await client.send(new GetItemCommand({ TableName: table, Key: key, ConsistentRead: true }))).Item;
}

export async function getRun(runs: RunTable, id: string): Promise<RunRecord | Stub | undefined> {
  const item = await getItem(runs, runKey(id));
  return item && runFromItem(item);
}

/** All pages of a query. */
export async function queryAll({ client, table }: RunTable, input: Omit<QueryCommandInput, 'TableName'>): Promise<Item[]> {
  const items: Item[] = [];
  let start: Item | undefined;
  do {
    const page = await client.send(new QueryCommand({ TableName: table, ...input, ...(start ? { ExclusiveStartKey: start } : {}) }));
    items.push(...(page.Items ?? []));
    start = page.LastEvaluatedKey;
  } while (start);
  return items;
}

/** False when the condition did not hold; everything else is thrown. */
export async function held(write: Promise<unknown>): Promise<boolean> {
  try {
    await write;
    return true;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return false;
    throw error;
  }
}
