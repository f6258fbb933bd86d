/**
 * What the fleet knows about each API, in the table of connections. All of a connection's are one partition: `acme#` is the record of
 * an account, `acme#place#3` one of its places.
 */
import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import type { AdmissionKey, AdmissionRecord, AdmissionStore } from '../engine/admission-ports.ts';
import { accountOrder } from '../engine/credential-ports.ts';
import { accountAt, endOf, FIRST } from './account-keys.ts';
import type { Item } from './item-keys.ts';
import { n, num, s, text } from './run-item.ts';
import { held } from './run-table.ts';
import { ADMISSION_PREFIX, PARTITION_KEY, SORT_KEY, TTL_ATTRIBUTE } from './table-schema.ts';

/** Calls wait for these answers: a table that cannot be reached has to be known soon. */
const PATIENCE_MS = 3_000;
/** Whoever looks at a lease looks at its end: the table may forget it long after. */
const LEASE_KEPT_S = 86_400;
const PLACE = 'place#';
/** So many places one account may have at most, give or take. */
const PLACES = 50;

/** `patienceMs`: how long one request may take with all that is repeated of it. Default 3 s; what takes longer rejects. */
export function dynamoAdmissionStore(
  client: DynamoDBClient,
  table: string,
  { patienceMs = PATIENCE_MS }: { patienceMs?: number } = {},
): AdmissionStore {
  const bounded = () => ({ abortSignal: AbortSignal.timeout(patienceMs) });

  async function find(key: AdmissionKey, ConsistentRead: boolean): Promise<AdmissionRecord> {
    const { Item } = await client.send(new GetItemCommand({ TableName: table, Key: keyOf(key), ConsistentRead }), bounded());
    return recordOf(Item);
  }

  async function* query(connection: string, from: string, to: string | undefined, limit: number): AsyncGenerator<Item> {
    let start: Item | undefined;
    do {
      const page = await client.send(
        new QueryCommand({
          TableName: table,
          KeyConditionExpression: `${PARTITION_KEY}=:pk AND ${to === undefined ? `${SORT_KEY} > :from` : `${SORT_KEY} BETWEEN :from AND :to`}`,
          ExpressionAttributeValues: { ':pk': partition(connection), ':from': s(from), ...(to === undefined ? {} : { ':to': s(to) }) },
          ConsistentRead: true,
          Limit: limit,
          ...(start ? { ExclusiveStartKey: start } : {}),
        }),
        bounded(),
      );
      yield* page.Items ?? [];
      start = page.LastEvaluatedKey;
    } while (start);
  }

  return {
    read: (key) => find(key, false),

    async change(key, change) {
      // Of connections without limits, whose APIs answer, nothing is written.
      const { updateOf } = await import('./admission-update.ts');
      const update = new UpdateItemCommand({
        TableName: table,
        Key: keyOf(key),
        ...updateOf(change),
        ReturnValues: 'ALL_NEW',
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      });
      try {
        return { ok: true, record: recordOf((await client.send(update, bounded())).Attributes) };
      } catch (error) {
        if (!(error instanceof ConditionalCheckFailedException)) throw error;
        // Emulators may not return the item that is there.
        return { ok: false, record: error.Item ? recordOf(error.Item) : await find(key, true) };
      }
    },

    async take(key, { place, owner, until }, now, from) {
      const put = new PutItemCommand({
        TableName: table,
        Item: {
          ...placeKey(key, place),
          owner: s(owner),
          until: n(until),
          [TTL_ATTRIBUTE]: n(Math.ceil(until / 1_000) + LEASE_KEPT_S),
        },
        // Its own as well: a request whose answer was lost is sent again.
        ConditionExpression: `attribute_not_exists(#until) OR #until<=:now OR #owner IN (:owner${from === undefined ? '' : ',:from'})`,
        ExpressionAttributeNames: { '#until': 'until', '#owner': 'owner' },
        ExpressionAttributeValues: { ':now': n(now), ':owner': s(owner), ...(from === undefined ? {} : { ':from': s(from) }) },
      });
      return held(client.send(put, bounded()));
    },

    async give(key, place, owner) {
      const remove = new DeleteItemCommand({
        TableName: table,
        Key: placeKey(key, place),
        ConditionExpression: '#owner=:owner',
        ExpressionAttributeNames: { '#owner': 'owner' },
        ExpressionAttributeValues: { ':owner': s(owner) },
      });
      await held(client.send(remove, bounded()));
    },

    async places({ connection, account = '' }) {
      const leases = [];
      for await (const item of query(connection, `${accountOrder(account)}${PLACE}`, endOf(account), 2 * PLACES)) {
        const { rest } = accountAt(text(item, SORT_KEY));
        leases.push({ place: Number(rest.slice(PLACE.length)), owner: text(item, 'owner'), until: num(item, 'until') });
      }
      return leases.sort((a, b) => a.place - b.place);
    },

    async list(connection, { limit, after }) {
      const items: Array<{ account: string; record: AdmissionRecord }> = [];
      for await (const item of query(connection, after === undefined ? FIRST : endOf(after), undefined, limit + PLACES)) {
        const { account, rest } = accountAt(text(item, SORT_KEY));
        if (rest !== '') continue;
        if (items.length === limit) return { items, next: items.at(-1)?.account as string };
        items.push({ account, record: recordOf(item) });
      }
      return { items };
    },
  };
}

const partition = (connection: string) => s(`${ADMISSION_PREFIX}${connection}`);

function keyOf({ connection, account = '' }: AdmissionKey, rest = ''): Item {
  return { [PARTITION_KEY]: partition(connection), [SORT_KEY]: s(`${accountOrder(account)}${rest}`) };
}

const placeKey = (key: AdmissionKey, place: number): Item => keyOf(key, `${PLACE}${place}`);

function recordOf(item: Item | undefined): AdmissionRecord {
  const record: Record<string, number | string> = {};
  for (const name in item) {
    if (name === PARTITION_KEY || name === SORT_KEY || name === TTL_ATTRIBUTE) continue;
    const { N, S } = item[name]!;
    if (N !== undefined) record[name] = Number(N);
    else if (S !== undefined) record[name] = S;
  }
  return record;
}
