/** Reads several partitions of the recent index as one list, newest first: a merge that asks for more only where it has run dry. */
import { QueryCommand } from '@aws-sdk/client-dynamodb';
import type { Item } from './item-keys.ts';
import { s, text } from './run-item.ts';
import type { RunTable } from './run-table.ts';
import { RECENT_INDEX, RECENT_PARTITION_KEY, RECENT_SORT_KEY } from './table-schema.ts';

type Source = { bucket: string; items: Item[]; at: number; start: Item | undefined; dry: boolean };

/** Visits what lies before `before` until `visit` returns false. True: everything was visited. */
export async function newestFirst(
  runs: RunTable,
  buckets: readonly string[],
  before: string,
  pageSize: number,
  visit: (item: Item, order: string) => boolean,
): Promise<boolean> {
  const sources: Source[] = buckets.map((bucket) => ({ bucket, items: [], at: 0, start: undefined, dry: false }));
  const refill = async (source: Source) => {
    while (source.at === source.items.length && !source.dry) {
      const page = await runs.client.send(
        new QueryCommand({
          TableName: runs.table,
          IndexName: RECENT_INDEX,
          KeyConditionExpression: `${RECENT_PARTITION_KEY}=:bucket AND ${RECENT_SORT_KEY}<:before`,
          ExpressionAttributeValues: { ':bucket': s(source.bucket), ':before': s(before) },
          ScanIndexForward: false,
          Limit: pageSize,
          ...(source.start ? { ExclusiveStartKey: source.start } : {}),
        }),
      );
      source.items = page.Items ?? [];
      source.at = 0;
      source.start = page.LastEvaluatedKey;
      source.dry = !page.LastEvaluatedKey;
    }
  };
  for (;;) {
    await Promise.all(sources.map(refill));
    let newest: Source | undefined;
    let order = '';
    for (const source of sources) {
      const head = source.items[source.at];
      if (head && text(head, RECENT_SORT_KEY) > order) {
        newest = source;
        order = text(head, RECENT_SORT_KEY);
      }
    }
    if (!newest) return true;
    const item = newest.items[newest.at++]!;
    if (!visit(item, order)) return false;
  }
}
