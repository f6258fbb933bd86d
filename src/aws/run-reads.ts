/** The consistent reads of a run, and the hints of the due index. */
import { QueryCommand } from '@aws-sdk/client-dynamodb';
import type { RunStore } from '../engine/ports.ts';
import { batchGet } from './batch-get.ts';
import { dueShardName, INBOX_PREFIX, idOf, runKey, runPartition, segmentPrefix } from './item-keys.ts';
import { n, num, runFromItem, s } from './run-item.ts';
import { queryAll, type RunTable } from './run-table.ts';
import { inboxFromItem, segmentFromItem } from './small-items.ts';
import { DUE_INDEX, DUE_SHARDS } from './table-schema.ts';

export function runReads(runs: RunTable): Pick<RunStore, 'load' | 'segments' | 'inbox' | 'due'> {
  const { client, table } = runs;

  const withPrefix = (id: string, prefix: string) =>
    queryAll(runs, {
      KeyConditionExpression: 'pk=:pk AND begins_with(sk,:prefix)',
      ExpressionAttributeValues: { ':pk': s(runPartition(id)), ':prefix': s(prefix) },
      ConsistentRead: true,
    });

  return {
    async load(ids) {
      const items = await batchGet(client, table, [...new Set(ids)].map(runKey), runs);
      return new Map(items.map((item) => [idOf(item), runFromItem(item)]));
    },

    async segments({ id, incarnation, createdAt }) {
      const found = await withPrefix(id, segmentPrefix(incarnation));
      // Those of version 0.1 do not tell their life: they are taken for the run's own.
      return found.filter(({ life }) => life === undefined || Number(life.N) === createdAt).map(segmentFromItem);
    },

    async inbox(id) {
      const items = (await withPrefix(id, INBOX_PREFIX)).map(inboxFromItem);
      return items.sort((a, b) => a.at - b.at || (a.key < b.key ? -1 : 1));
    },

    async due(until, limit) {
      const shard = async (index: number) => {
        const page = await client.send(
          new QueryCommand({
            TableName: table,
            IndexName: DUE_INDEX,
            KeyConditionExpression: 'dueShard=:shard AND due<:until',
            ExpressionAttributeValues: { ':shard': s(dueShardName(index)), ':until': n(until) },
            Limit: limit,
          }),
        );
        return (page.Items ?? []).map((item) => ({ id: idOf(item), due: num(item, 'due') }));
      };
      const hints = await Promise.all(Array.from({ length: DUE_SHARDS }, (_, index) => shard(index)));
      return hints.flat().sort((a, b) => a.due - b.due || (a.id < b.id ? -1 : 1));
    },
  };
}
