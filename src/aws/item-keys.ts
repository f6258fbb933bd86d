/** Where each kind of item lives in the runs table. Pure. */
import { createHash } from 'node:crypto';
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { DUE_SHARDS, PARTITION_KEY, RECENT_SHARDS, SORT_KEY } from './table-schema.ts';

export type Item = Record<string, AttributeValue>;

const RUN = 'RUN#';
/** Wide enough for ten thousand redrives and a journal of a thousand million entries, so that text order is number order. */
const INCARNATION_DIGITS = 5;
const SEQ_DIGITS = 9;
const ORDER_DIGITS = 15;
const HOUR_MS = 3_600_000;

const key = (pk: string, sk: string): Item => ({ [PARTITION_KEY]: { S: pk }, [SORT_KEY]: { S: sk } });

export const runPartition = (id: string): string => `${RUN}${id}`;
export const runKey = (id: string): Item => key(runPartition(id), 'RUN');
export const segmentPrefix = (incarnation: number): string => `J#${String(incarnation).padStart(INCARNATION_DIGITS, '0')}#`;
export const segmentKey = (id: string, incarnation: number, first: number): Item =>
  key(runPartition(id), `${segmentPrefix(incarnation)}${String(first).padStart(SEQ_DIGITS, '0')}`);
export const INBOX_PREFIX = 'S#';
export const inboxKey = (id: string, itemKey: string): Item =>
  key(runPartition(id), `${INBOX_PREFIX}${createHash('sha256').update(itemKey).digest('base64url').slice(0, 22)}`);
export const deadLetterKey = (id: string): Item => key(`DEAD#${id}`, 'DEAD');

/** The run or letter that an item belongs to. */
export function idOf(item: Item): string {
  const pk = item[PARTITION_KEY]?.S ?? '';
  return pk.slice(pk.indexOf('#') + 1);
}

/** FNV-1a: cheap, and spread evenly whatever ids look like. */
function spread(text: string, shards: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % shards;
}

export const dueShard = (id: string): string => dueShardName(spread(id, DUE_SHARDS));
export const dueShardName = (shard: number): string => `due#${shard}`;

/** A place in the order of the recent index. Without an id: before everything of that millisecond. */
export const recentOrder = (at: number, id?: string): string => {
  const time = String(at).padStart(ORDER_DIGITS, '0');
  return id === undefined ? time : `${time}#${id}`;
};
export const timeOfOrder = (order: string): number => Number(order.slice(0, ORDER_DIGITS));

export const hourOf = (at: number): number => Math.floor(at / HOUR_MS) * HOUR_MS;
/** All buckets of one hour. */
export const hourBuckets = (hour: number): string[] => buckets(new Date(hour).toISOString().slice(0, 13));
export const deadBuckets = (): string[] => buckets('dead');
export const runBucket = (id: string, createdAt: number): string =>
  `${spread(id, RECENT_SHARDS)}#${new Date(createdAt).toISOString().slice(0, 13)}`;
export const deadBucket = (id: string): string => `${spread(id, RECENT_SHARDS)}#dead`;

function buckets(name: string): string[] {
  return Array.from({ length: RECENT_SHARDS }, (_, shard) => `${shard}#${name}`);
}
