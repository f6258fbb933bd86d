/**
 * Credentials in the table of connections. All of a connection's are one partition, so that they are listed by one query; what
 * belongs to an account begins with its name: `acme#` is its credential, `acme#run_…` a run that waits for it.
 */
import {
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import {
  type AccountSummary,
  accountOrder,
  type CredentialChange,
  type CredentialKey,
  type CredentialStatus,
  type CredentialStore,
  MAX_WAITING,
  type StoredCredential,
} from '../engine/credential-ports.ts';
import { accountAt, endOf, FIRST } from './account-keys.ts';
import type { Item } from './item-keys.ts';
import { n, num, s, text } from './run-item.ts';
import { held } from './run-table.ts';
import { CREDENTIAL_PREFIX, PARTITION_KEY, SORT_KEY, TTL_ATTRIBUTE } from './table-schema.ts';

/** One that was removed is remembered for so long, so that no version is given twice to who still holds the first. */
const REMOVED_KEPT_S = 30 * 86_400;
const LEASE = ['leaseOwner', 'leaseUntil'] as const;
const OPTIONAL = ['sealed', 'validUntil', 'forcedAt', TTL_ATTRIBUTE] as const;
/** Several of them are reserved words. */
const NAMES = Object.fromEntries(['version', 'status', 'updatedAt', ...OPTIONAL, ...LEASE].map((name) => [`#${name}`, name]));
const namesIn = (...expressions: string[]) =>
  Object.fromEntries(Object.entries(NAMES).filter(([name]) => expressions.some((one) => one.includes(name))));
const ABSENT = 'attribute_not_exists(#version)';
const AT_VERSION = '#version=:expect';

export function dynamoCredentialStore(client: DynamoDBClient, table: string): CredentialStore {
  const find = async (key: CredentialKey): Promise<Item | undefined> =>
    (await client.send(new GetItemCommand({ TableName: table, Key: keyOf(key), ConsistentRead: true }))).Item;

  async function change(key: CredentialKey, to: CredentialChange, expect?: number): Promise<number | undefined> {
    const values: Item = { ':one': n(1), ':zero': n(0), ...valuesOf(to) };
    const optional = OPTIONAL.map((name) => [name, values[`:${name}`]] as const);
    const set = ['status', 'updatedAt', ...optional.flatMap(([name, value]) => (value === undefined ? [] : [name]))];
    const gone = [...optional.flatMap(([name, value]) => (value === undefined ? [name] : [])), ...LEASE];
    const UpdateExpression = `SET #version=if_not_exists(#version,:zero)+:one,${set.map((name) => `#${name}=:${name}`).join(',')} REMOVE ${gone.map((name) => `#${name}`).join(',')}`;
    const condition = expect === undefined ? undefined : expect === 0 ? `${ABSENT} OR #version=:zero` : AT_VERSION;
    let version: number | undefined;
    const update = client
      .send(
        new UpdateItemCommand({
          TableName: table,
          Key: keyOf(key),
          UpdateExpression,
          ...(condition === undefined ? {} : { ConditionExpression: condition }),
          ExpressionAttributeNames: namesIn(UpdateExpression, condition ?? ''),
          ExpressionAttributeValues: condition === AT_VERSION ? { ...values, ':expect': n(expect ?? 0) } : values,
          ReturnValues: 'UPDATED_NEW',
        }),
      )
      .then(({ Attributes }) => {
        version = num(Attributes ?? {}, 'version');
      });
    return (await held(update)) ? version : undefined;
  }

  /** Only keys and what a list shows: nothing sealed leaves the table. */
  async function* below(connection: string, from: string, to?: string): AsyncGenerator<Item> {
    const bounded = to === undefined ? `${SORT_KEY} > :from` : `${SORT_KEY} BETWEEN :from AND :to`;
    let start: Item | undefined;
    do {
      const page = await client.send(
        new QueryCommand({
          TableName: table,
          KeyConditionExpression: `${PARTITION_KEY}=:pk AND ${bounded}`,
          ExpressionAttributeValues: {
            ':pk': s(`${CREDENTIAL_PREFIX}${connection}`),
            ':from': s(from),
            ...(to === undefined ? {} : { ':to': s(to) }),
          },
          ProjectionExpression: `${SORT_KEY},#version,#status,#updatedAt,#validUntil`,
          ExpressionAttributeNames: namesIn('#version #status #updatedAt #validUntil'),
          ConsistentRead: true,
          ...(start ? { ExclusiveStartKey: start } : {}),
        }),
      );
      yield* page.Items ?? [];
      start = page.LastEvaluatedKey;
    } while (start);
  }

  return {
    async get(key) {
      const item = await find(key);
      // What only a lease has made is nothing yet.
      return item && num(item, 'version') > 0 ? storedOf(item) : undefined;
    },

    put: async (key, to) => (await change(key, to)) ?? 0,
    replace: async (key, expect, to) => (await change(key, to, expect)) !== undefined,

    async lease(key, expect, { owner, until, now }) {
      const version = expect === 0 ? `(${ABSENT} OR #version=:expect)` : AT_VERSION;
      const UpdateExpression = 'SET #version=:expect,#leaseOwner=:owner,#leaseUntil=:until';
      const ConditionExpression = `${version} AND (attribute_not_exists(#leaseUntil) OR #leaseUntil<=:now OR #leaseOwner=:owner)`;
      const took = await held(
        client.send(
          new UpdateItemCommand({
            TableName: table,
            Key: keyOf(key),
            UpdateExpression,
            ConditionExpression,
            ExpressionAttributeNames: namesIn(UpdateExpression, ConditionExpression),
            ExpressionAttributeValues: { ':expect': n(expect), ':owner': s(owner), ':until': n(until), ':now': n(now) },
          }),
        ),
      );
      if (took) return 'held';
      const item = await find(key);
      return (item === undefined ? 0 : num(item, 'version')) === expect ? 'taken' : 'moved';
    },

    async release(key, owner, until) {
      await held(
        client.send(
          new UpdateItemCommand({
            TableName: table,
            Key: keyOf(key),
            UpdateExpression: 'SET leaseUntil=:until',
            ConditionExpression: 'leaseOwner=:owner',
            ExpressionAttributeValues: { ':until': n(until), ':owner': s(owner) },
          }),
        ),
      );
    },

    async remove(key, now) {
      const item = await find(key);
      if (!item || num(item, 'version') === 0 || text(item, 'status') === 'none') return false;
      await change(key, { status: 'none', updatedAt: now });
      return true;
    },

    async list(connection, { limit, after }) {
      const items: Array<AccountSummary & { waiting: number }> = [];
      let from = after === undefined ? FIRST : endOf(after);
      let none: Omit<AccountSummary, 'waiting'> | undefined;
      for (let more = true; more; ) {
        more = false;
        for await (const item of below(connection, from)) {
          const { account, rest } = accountAt(text(item, SORT_KEY));
          if (account === '') continue;
          const known = items.at(-1)?.account === account ? items.at(-1) : undefined;
          const has = rest === '' ? summaryOf(account, item) : undefined;
          if (has?.status === 'none') {
            none = has;
            continue;
          }
          if (!known && items.length === limit) return { items, next: items.at(-1)?.account as string };
          const waited = none?.account === account ? none : ({ account, version: 0, status: 'none' } as const);
          if (!known) items.push(has ? { ...has, waiting: 0 } : { ...waited, waiting: 1 });
          else if (known.waiting < MAX_WAITING) known.waiting += 1;
          else {
            // Ten thousand that wait for one account need not be read for the next.
            from = endOf(account);
            more = true;
            break;
          }
        }
      }
      return { items };
    },

    async wait(key, run) {
      await client.send(new PutItemCommand({ TableName: table, Item: waitKey(key, run) }));
    },

    async waiters(key) {
      const prefix = accountOrder(key.account ?? '');
      const runs: string[] = [];
      for await (const item of below(key.connection, `${prefix}!`, endOf(key.account ?? ''))) {
        runs.push(text(item, SORT_KEY).slice(prefix.length));
        if (runs.length === MAX_WAITING) break;
      }
      return runs;
    },

    async unwait(key, runs) {
      for (const run of runs) await client.send(new DeleteItemCommand({ TableName: table, Key: waitKey(key, run) }));
    },
  };
}

/** No account has no name: that is the connection's own. */
function keyOf({ connection, account = '' }: CredentialKey): Item {
  return { [PARTITION_KEY]: s(`${CREDENTIAL_PREFIX}${connection}`), [SORT_KEY]: s(accountOrder(account)) };
}

function waitKey({ connection, account = '' }: CredentialKey, run: string): Item {
  return { [PARTITION_KEY]: s(`${CREDENTIAL_PREFIX}${connection}`), [SORT_KEY]: s(`${accountOrder(account)}${run}`) };
}

function valuesOf({ status, sealed, updatedAt, validUntil, forcedAt }: CredentialChange): Item {
  return {
    ':status': s(status),
    ':updatedAt': n(updatedAt),
    ...(sealed === undefined ? {} : { ':sealed': s(sealed) }),
    ...(validUntil === undefined ? {} : { ':validUntil': n(validUntil) }),
    ...(forcedAt === undefined ? {} : { ':forcedAt': n(forcedAt) }),
    ...(status === 'none' ? { [`:${TTL_ATTRIBUTE}`]: n(Math.ceil(updatedAt / 1_000) + REMOVED_KEPT_S) } : {}),
  };
}

function storedOf(item: Item): StoredCredential {
  return {
    version: num(item, 'version'),
    status: text(item, 'status') as CredentialStatus,
    updatedAt: num(item, 'updatedAt'),
    ...(item.sealed === undefined ? {} : { sealed: text(item, 'sealed') }),
    ...(item.validUntil === undefined ? {} : { validUntil: num(item, 'validUntil') }),
    ...(item.forcedAt === undefined ? {} : { forcedAt: num(item, 'forcedAt') }),
  };
}

function summaryOf(account: string, item: Item): Omit<AccountSummary, 'waiting'> {
  // What only a lease has made.
  if (item.status === undefined) return { account, version: 0, status: 'none' };
  const { version, status, updatedAt, validUntil } = storedOf(item);
  return { account, version, status, updatedAt, ...(validUntil === undefined ? {} : { validUntil }) };
}
