/** Delivery into a run's inbox: the item first, then the counter, so that whoever sees the counter finds the item. */
import { PutItemCommand, UpdateItemCommand, type UpdateItemCommandInput } from '@aws-sdk/client-dynamodb';
import type { InboxItem, RunRecord, RunStore, Stub } from '../engine/ports.ts';
import { dueShard, inboxKey, runKey } from './item-keys.ts';
import { isFinished, n, runExpiresAt, runFromItem, s } from './run-item.ts';
import { held, type RunTable } from './run-table.ts';
import { inboxItem } from './small-items.ts';
import { TTL_ATTRIBUTE } from './table-schema.ts';

/** A run can change sides (created, finished, redriven) between two tries, but not for ever. */
const TRIES = 5;

type Side = Pick<UpdateItemCommandInput, 'UpdateExpression' | 'ConditionExpression' | 'ExpressionAttributeValues'>;

export function runInbox(runs: RunTable): Pick<RunStore, 'deliver'> {
  const { client, table, retentionDays } = runs;

  /** Likely ones first. `undefined`: the run is not on that side. */
  const sides = (id: string, now: number): Side[] => {
    const final = { ':one': n(1), ':succeeded': s('succeeded'), ':failed': s('failed'), ':cancelled': s('cancelled') };
    return [
      {
        UpdateExpression: 'SET due=:now, dueShard=:shard ADD inbox :one',
        ConditionExpression: 'attribute_exists(nonce) AND NOT (#status IN (:succeeded,:failed,:cancelled))',
        ExpressionAttributeValues: { ...final, ':now': n(now), ':shard': s(dueShard(id)) },
      },
      {
        UpdateExpression: 'SET expiresAt=:expires ADD inbox :one',
        ConditionExpression: 'attribute_not_exists(nonce)',
        ExpressionAttributeValues: { ':one': n(1), ':expires': n(runExpiresAt(now, retentionDays)) },
      },
      {
        UpdateExpression: 'ADD inbox :one',
        ConditionExpression: '#status IN (:succeeded,:failed,:cancelled)',
        ExpressionAttributeValues: final,
      },
    ];
  };

  const raise = async (id: string, side: Side): Promise<RunRecord | Stub | undefined> => {
    let there: RunRecord | Stub | undefined;
    const names = side.ConditionExpression?.includes('#status') ? { ExpressionAttributeNames: { '#status': 'status' } } : {};
    const command = new UpdateItemCommand({ TableName: table, Key: runKey(id), ...side, ...names, ReturnValues: 'ALL_NEW' });
    await held(
      client.send(command).then((answer) => {
        there = runFromItem(answer.Attributes ?? {});
      }),
    );
    return there;
  };

  const expire = async (id: string, key: string, now: number): Promise<void> => {
    await held(
      client.send(
        new UpdateItemCommand({
          TableName: table,
          Key: inboxKey(id, key),
          UpdateExpression: `SET ${TTL_ATTRIBUTE}=:at`,
          ConditionExpression: 'attribute_exists(pk)',
          ExpressionAttributeValues: { ':at': n(runExpiresAt(now, retentionDays)) },
        }),
      ),
    );
  };

  return {
    async deliver(id: string, item: InboxItem, now: number) {
      // A second delivery of the same key finds the item there and still raises the counter: the first may have died in between.
      await held(
        client.send(new PutItemCommand({ TableName: table, Item: inboxItem(id, item), ConditionExpression: 'attribute_not_exists(pk)' })),
      );
      for (let attempt = 0; attempt < TRIES; attempt++) {
        for (const side of sides(id, now)) {
          const there = await raise(id, side);
          if (!there) continue;
          // Nobody will come by who gives it its time to go.
          if ('stub' in there || isFinished(there.status)) await expire(id, item.key, now);
          return there;
        }
      }
      throw new Error(`the inbox counter of ${id} could not be raised in ${TRIES} tries: the run keeps changing`);
    },
  };
}
