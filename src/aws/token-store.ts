/** API tokens in the table of connections: one partition, since a stage has few of them. Expiry is kept to the second. */
import { DeleteItemCommand, type DynamoDBClient, GetItemCommand, PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { HoldfastError } from '../engine/errors.ts';
import type { Token, TokenScope, TokenStore } from '../engine/ports.ts';
import type { Item } from './item-keys.ts';
import { n, num, s, text } from './run-item.ts';
import { held } from './run-table.ts';
import { PARTITION_KEY, SORT_KEY, TTL_ATTRIBUTE } from './table-schema.ts';

const PARTITION = 'TOKENS';

export function dynamoTokenStore(client: DynamoDBClient, table: string): TokenStore {
  return {
    async find(hash) {
      // Consistent: whoever has just made a token uses it at once.
      const { Item } = await client.send(new GetItemCommand({ TableName: table, Key: keyOf(hash), ConsistentRead: true }));
      return Item && tokenOf(Item);
    },

    async list() {
      const tokens: Token[] = [];
      let start: Item | undefined;
      do {
        const page = await client.send(
          new QueryCommand({
            TableName: table,
            KeyConditionExpression: `${PARTITION_KEY}=:tokens`,
            ExpressionAttributeValues: { ':tokens': s(PARTITION) },
            ConsistentRead: true,
            ...(start ? { ExclusiveStartKey: start } : {}),
          }),
        );
        tokens.push(...(page.Items ?? []).map(tokenOf));
        start = page.LastEvaluatedKey;
      } while (start);
      return tokens;
    },

    async put(token) {
      const put = new PutItemCommand({
        TableName: table,
        Item: itemOf(token),
        ConditionExpression: `attribute_not_exists(${PARTITION_KEY})`,
      });
      if (await held(client.send(put))) return;
      throw new HoldfastError('E_BAD_OPTION', `the token "${token.name}" is there already: make another one`, {
        detail: { field: 'hash' },
      });
    },

    remove: (hash) =>
      held(
        client.send(
          new DeleteItemCommand({ TableName: table, Key: keyOf(hash), ConditionExpression: `attribute_exists(${PARTITION_KEY})` }),
        ),
      ),
  };
}

const keyOf = (hash: string): Item => ({ [PARTITION_KEY]: s(PARTITION), [SORT_KEY]: s(hash) });

function itemOf({ hash, name, scopes, tenant, createdAt, expiresAt }: Token): Item {
  return {
    ...keyOf(hash),
    name: s(name),
    scopes: { L: scopes.map(s) },
    createdAt: n(createdAt),
    ...(tenant === undefined ? {} : { tenant: s(tenant) }),
    // In whole seconds, since by it DynamoDB removes the item.
    ...(expiresAt === undefined ? {} : { [TTL_ATTRIBUTE]: n(Math.ceil(expiresAt / 1_000)) }),
  };
}

function tokenOf(item: Item): Token {
  return {
    hash: text(item, SORT_KEY),
    name: text(item, 'name'),
    scopes: (item.scopes?.L ?? []).map((scope) => scope.S as TokenScope),
    createdAt: num(item, 'createdAt'),
    ...(item.tenant === undefined ? {} : { tenant: text(item, 'tenant') }),
    ...(item[TTL_ATTRIBUTE] === undefined ? {} : { expiresAt: num(item, TTL_ATTRIBUTE) * 1_000 }),
  };
}
