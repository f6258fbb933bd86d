/** BatchGetItem to its end: consistent, with what the service left unprocessed asked for again. */
import { BatchGetItemCommand, type DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { backoff, type Waiting } from './backoff.ts';
import type { Item } from './item-keys.ts';

const MOST_KEYS = 100;
/** With full jitter about ten seconds: longer than a table needs to answer a burst, shorter than an invocation. */
const ROUNDS = 14;

/** In no order; keys without an item are absent. Throws when a table leaves keys unprocessed round after round. */
export async function batchGet(client: DynamoDBClient, table: string, keys: readonly Item[], waiting: Waiting): Promise<Item[]> {
  const chunks: Item[][] = [];
  for (let from = 0; from < keys.length; from += MOST_KEYS) chunks.push(keys.slice(from, from + MOST_KEYS));
  const found = await Promise.all(chunks.map((chunk) => getChunk(client, table, chunk, waiting)));
  return found.flat();
}

async function getChunk(client: DynamoDBClient, table: string, keys: Item[], waiting: Waiting): Promise<Item[]> {
  const items: Item[] = [];
  let left = keys;
  for (let round = 0; left.length > 0; round++) {
    if (round === ROUNDS) {
      throw new Error(`table ${table} left ${left.length} of ${keys.length} keys unread after ${ROUNDS} rounds: it is throttled`);
    }
    if (round > 0) await backoff(waiting, round - 1);
    const answer = await client.send(new BatchGetItemCommand({ RequestItems: { [table]: { Keys: left, ConsistentRead: true } } }));
    items.push(...(answer.Responses?.[table] ?? []));
    left = answer.UnprocessedKeys?.[table]?.Keys ?? [];
  }
  return items;
}
