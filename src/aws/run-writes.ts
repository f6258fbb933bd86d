/**
 * The writes of a run and its journal: one conditional request each.
 * The client repeats the same bytes after a network failure, so a condition may fail because our own write came through:
 * the nonce that is there tells.
 */
import { PutItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import type { RunRecord, RunStore, Written } from '../engine/ports.ts';
import { runKey, segmentKey } from './item-keys.ts';
import { expireParts } from './run-expiry.ts';
import { isFinished, n, RUN_ATTRIBUTES, runAttributes, runItem, s } from './run-item.ts';
import { getItem, getRun, held, type RunTable } from './run-table.ts';
import { deadLetterItem, segmentFromItem, segmentItem } from './small-items.ts';

/** Many attribute names are reserved words; all of them are named here, and every update mentions all of them. */
const NAMES: Record<string, string> = Object.fromEntries(RUN_ATTRIBUTES.map((name) => [`#${name}`, name]));

export function runWrites(runs: RunTable): Pick<RunStore, 'create' | 'replace' | 'append' | 'putDeadLetter' | 'pushDue'> {
  const { client, table, retentionDays } = runs;

  const outcome = async (record: RunRecord, ok: boolean): Promise<Written> => {
    if (ok) return { ok };
    const found = await getRun(runs, record.id);
    return found && !('stub' in found) && found.nonce === record.nonce ? { ok: true } : { ok, found };
  };

  /** The inbox counter is left alone: it belongs to those who deliver. */
  const update = (record: RunRecord, expect: string): UpdateItemCommand => {
    const attributes = runAttributes(record, retentionDays);
    const set = RUN_ATTRIBUTES.filter((name) => attributes[name] !== undefined);
    const remove = RUN_ATTRIBUTES.filter((name) => attributes[name] === undefined);
    return new UpdateItemCommand({
      TableName: table,
      Key: runKey(record.id),
      UpdateExpression: `SET ${set.map((name) => `#${name}=:${name}`).join(',')} REMOVE ${remove.map((name) => `#${name}`).join(',')}`,
      ConditionExpression: '#nonce=:expect',
      ExpressionAttributeNames: NAMES,
      ExpressionAttributeValues: { ':expect': s(expect), ...Object.fromEntries(set.map((name) => [`:${name}`, attributes[name]!])) },
    });
  };

  return {
    async create(record) {
      const ok = await held(
        client.send(
          new PutItemCommand({
            TableName: table,
            Item: runItem(record, retentionDays),
            ConditionExpression: 'attribute_not_exists(pk) OR (attribute_not_exists(nonce) AND inbox=:inbox)',
            ExpressionAttributeValues: { ':inbox': n(record.inbox) },
          }),
        ),
      );
      const written = await outcome(record, ok);
      if (written.ok) await expireParts(runs, record);
      return written;
    },

    async replace(record, expect, { anyInbox = false } = {}) {
      const command = anyInbox
        ? update(record, expect)
        : new PutItemCommand({
            TableName: table,
            Item: runItem(record, retentionDays),
            ConditionExpression: 'nonce=:expect AND inbox=:inbox',
            ExpressionAttributeValues: { ':expect': s(expect), ':inbox': n(record.inbox) },
          });
      const ok = await held(command instanceof PutItemCommand ? client.send(command) : client.send(command));
      const written = await outcome(record, ok);
      if (written.ok && isFinished(record.status)) await expireParts(runs, record);
      return written;
    },

    async append(id, segment) {
      const put = new PutItemCommand({
        TableName: table,
        Item: segmentItem(id, segment),
        ConditionExpression: 'attribute_not_exists(pk) OR (attribute_exists(life) AND life<>:life)',
        ExpressionAttributeValues: { ':life': n(segment.life) },
      });
      if (await held(client.send(put))) return { ok: true };
      const item = await getItem(runs, segmentKey(id, segment.incarnation, segment.first));
      if (!item) throw new Error(`segment ${segment.first} of ${id} was refused and is not there: was the run deleted?`);
      const found = segmentFromItem(item);
      return found.nonce === segment.nonce ? { ok: true } : { ok: false, found };
    },

    async putDeadLetter(letter) {
      await held(
        client.send(
          new PutItemCommand({ TableName: table, Item: deadLetterItem(letter), ConditionExpression: 'attribute_not_exists(pk)' }),
        ),
      );
    },

    pushDue: (id, from, to) =>
      held(
        client.send(
          new UpdateItemCommand({
            TableName: table,
            Key: runKey(id),
            UpdateExpression: 'SET due=:to',
            ConditionExpression: 'due=:from',
            ExpressionAttributeValues: { ':from': n(from), ':to': n(to) },
          }),
        ),
      ),
  };
}
