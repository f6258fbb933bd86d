/**
 * Gives the segments and inbox of a finished run their time to go. After the write that finished it, never before:
 * a segment that expires under a living run would be a lost journal, one that never expires costs a fraction of a cent.
 */
import { UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import type { RunRecord } from '../engine/ports.ts';
import { INBOX_PREFIX, type Item, runPartition } from './item-keys.ts';
import { isFinished, n, segmentsExpireAt } from './run-item.ts';
import { queryAll, type RunTable } from './run-table.ts';
import { PARTITION_KEY, SORT_KEY, TTL_ATTRIBUTE } from './table-schema.ts';

/** Most runs have neither segments nor an inbox, and cost nothing here. */
export async function expireParts(runs: RunTable, record: RunRecord): Promise<void> {
  if (!isFinished(record.status) || (!record.spilled && record.inbox === 0)) return;
  const expiresAt = n(segmentsExpireAt(record.endedAt ?? record.createdAt, runs.retentionDays));
  const mark = async (key: Item) => {
    await runs.client.send(
      new UpdateItemCommand({
        TableName: runs.table,
        Key: key,
        UpdateExpression: `SET ${TTL_ATTRIBUTE}=:at`,
        ConditionExpression: 'attribute_exists(pk)',
        ExpressionAttributeValues: { ':at': expiresAt },
      }),
    );
  };
  try {
    const prefixes = [...(record.spilled ? ['J#'] : []), ...(record.inbox > 0 ? [INBOX_PREFIX] : [])];
    for (const prefix of prefixes) {
      const keys = await queryAll(runs, {
        KeyConditionExpression: 'pk=:pk AND begins_with(sk,:prefix)',
        ProjectionExpression: 'pk,sk',
        ExpressionAttributeValues: { ':pk': { S: runPartition(record.id) }, ':prefix': { S: prefix } },
      });
      await Promise.all(keys.map((key) => mark({ [PARTITION_KEY]: key.pk!, [SORT_KEY]: key.sk! })));
    }
  } catch {
    // The run has ended and is written; what could not be marked stays a little longer than it had to.
  }
}
