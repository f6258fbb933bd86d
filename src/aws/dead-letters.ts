/** Dead letters in the runs' table: kept until somebody decides, listed newest first by the recent index. */
import { DeleteItemCommand } from '@aws-sdk/client-dynamodb';
import type { DeadLetterFilter, RunStore } from '../engine/ports.ts';
import { batchGet } from './batch-get.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import { deadBuckets, deadLetterKey, type Item, idOf } from './item-keys.ts';
import { newestFirst } from './newest-first.ts';
import { text } from './run-item.ts';
import { held, type RunTable } from './run-table.ts';
import { deadLetterFromItem } from './small-items.ts';

/** One page looks at this many letters: more when somebody is already paging back. */
const MOST_READ = 1_000;
const MOST_A_QUERY = 100;
/** Above every place of the index. */
const LATEST = '999999999999999';

export function deadLetters(runs: RunTable): Pick<RunStore, 'listDeadLetters' | 'deadLetters' | 'removeDeadLetter'> {
  const { client, table } = runs;
  const read = async (ids: readonly string[]) =>
    (await batchGet(client, table, [...new Set(ids)].map(deadLetterKey), runs)).map(deadLetterFromItem);

  return {
    async listDeadLetters({ limit, after, filter = {} }) {
      const ids: string[] = [];
      let place = after === undefined ? LATEST : decodeCursor(after);
      let looked = 0;
      // A filter makes a small limit no small read.
      const pageSize = Object.keys(filter).length > 0 ? MOST_A_QUERY : Math.min(MOST_A_QUERY, limit + 1);
      const done = await newestFirst(runs, deadBuckets(), place, pageSize, (item, order) => {
        if (ids.length === limit || looked === MOST_READ) return false;
        place = order;
        looked += 1;
        if (matches(item, filter)) ids.push(idOf(item));
        return true;
      });
      const letters = await read(ids);
      const items = ids.flatMap((id) => letters.filter((letter) => letter.id === id));
      return { items, ...(done ? {} : { next: encodeCursor(place) }) };
    },

    deadLetters: read,

    removeDeadLetter: (id) =>
      held(client.send(new DeleteItemCommand({ TableName: table, Key: deadLetterKey(id), ConditionExpression: 'attribute_exists(pk)' }))),
  };
}

/** Over what the index projects. */
function matches(item: Item, { code, workflow, tenant }: DeadLetterFilter): boolean {
  return (
    (workflow === undefined || text(item, 'workflow') === workflow) &&
    (tenant === undefined || text(item, 'tenant') === tenant) &&
    (code === undefined || (JSON.parse(text(item, 'reason')) as { code: string }).code === code)
  );
}
