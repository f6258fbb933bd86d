/**
 * What is left of a run that somebody deleted: a tombstone that keeps its key bound for as long as the run would have been
 * kept. The tombstone first, so that nobody reads half a run; a purge that was interrupted is ended by repeating it.
 */
import { BatchWriteItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import type { RunStore } from '../engine/ports.ts';
import { backoff } from './backoff.ts';
import { INBOX_PREFIX, type Item, runKey, runPartition } from './item-keys.ts';
import { n, s } from './run-item.ts';
import { held, queryAll, type RunTable } from './run-table.ts';
import { PARTITION_KEY, RECENT_PARTITION_KEY, RECENT_SORT_KEY, SORT_KEY } from './table-schema.ts';

/** What a tombstone has no use for; without its place in the recent index no list shows it. */
const REMOVED = [
  ...['journal', 'input', 'inputRef', 'inputBytes', 'value', 'valueRef', 'valueBytes', 'error', 'reason', 'traceparent'],
  ...[RECENT_PARTITION_KEY, RECENT_SORT_KEY],
];
const MOST_DELETES = 25;
const ROUNDS = 10;

export function runPurge(runs: RunTable): Pick<RunStore, 'purge'> {
  const { client, table } = runs;

  const removeAll = async (keys: readonly Item[]): Promise<void> => {
    for (let from = 0; from < keys.length; from += MOST_DELETES) {
      let left = keys.slice(from, from + MOST_DELETES).map((key) => ({ DeleteRequest: { Key: key } }));
      for (let round = 0; left.length > 0; round++) {
        if (round === ROUNDS) throw new Error(`table ${table} left ${left.length} items undeleted after ${ROUNDS} rounds: it is throttled`);
        if (round > 0) await backoff(runs, round - 1);
        const answer = await client.send(new BatchWriteItemCommand({ RequestItems: { [table]: left } }));
        left = (answer.UnprocessedItems?.[table] ?? []) as typeof left;
      }
    }
  };

  return {
    async purge(id, expect, { nonce, now }) {
      const marked = await held(
        client.send(
          new UpdateItemCommand({
            TableName: table,
            Key: runKey(id),
            UpdateExpression: `SET nonce=:nonce,deletedAt=if_not_exists(deletedAt,:now) REMOVE ${REMOVED.map((_, at) => `#r${at}`).join(',')}`,
            ConditionExpression: 'nonce=:expect AND #status IN (:succeeded,:failed,:cancelled)',
            ExpressionAttributeNames: { '#status': 'status', ...Object.fromEntries(REMOVED.map((name, at) => [`#r${at}`, name])) },
            ExpressionAttributeValues: {
              ':now': n(now),
              ':nonce': s(nonce),
              ':expect': s(expect),
              ':succeeded': s('succeeded'),
              ':failed': s('failed'),
              ':cancelled': s('cancelled'),
            },
          }),
        ),
      );
      if (!marked) return false;
      for (const prefix of ['J#', INBOX_PREFIX]) {
        const keys = await queryAll(runs, {
          KeyConditionExpression: 'pk=:pk AND begins_with(sk,:prefix)',
          ProjectionExpression: 'pk,sk',
          ExpressionAttributeValues: { ':pk': s(runPartition(id)), ':prefix': s(prefix) },
          ConsistentRead: true,
        });
        await removeAll(keys.map((key) => ({ [PARTITION_KEY]: key.pk!, [SORT_KEY]: key.sk! })));
      }
      return true;
    },
  };
}
