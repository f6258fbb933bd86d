/** Journal segments, inbox items and dead letters as items and back. Pure. */
import type { ErrorData } from '../engine/errors.ts';
import type { Json } from '../engine/json.ts';
import type { DeadLetter, InboxItem, Segment } from '../engine/ports.ts';
import { deadBucket, deadLetterKey, type Item, idOf, inboxKey, recentOrder, segmentKey } from './item-keys.ts';
import { n, num, s, text } from './run-item.ts';

export function segmentItem(id: string, segment: Segment): Item {
  return {
    ...segmentKey(id, segment.incarnation, segment.first),
    incarnation: n(segment.incarnation),
    life: n(segment.life),
    first: n(segment.first),
    count: n(segment.count),
    nonce: s(segment.nonce),
    data: { B: segment.data },
  };
}

export function segmentFromItem(item: Item): Segment {
  return {
    incarnation: num(item, 'incarnation'),
    life: num(item, 'life'),
    first: num(item, 'first'),
    count: num(item, 'count'),
    nonce: text(item, 'nonce'),
    data: item.data?.B ?? new Uint8Array(),
  };
}

export function inboxItem(id: string, item: InboxItem): Item {
  return { ...inboxKey(id, item.key), key: s(item.key), at: n(item.at), kind: s(item.kind), data: s(JSON.stringify(item.data)) };
}

export function inboxFromItem(item: Item): InboxItem {
  return { key: text(item, 'key'), at: num(item, 'at'), kind: text(item, 'kind'), data: JSON.parse(text(item, 'data')) as Json };
}

/** Kept until somebody decides: no TTL. */
export function deadLetterItem(letter: DeadLetter): Item {
  return {
    ...deadLetterKey(letter.id),
    body: s(letter.body),
    reason: s(JSON.stringify(letter.reason)),
    firstSeen: n(letter.firstSeen),
    recentBucket: s(deadBucket(letter.id)),
    recentOrder: s(recentOrder(letter.firstSeen, letter.id)),
    ...(letter.tenant === undefined ? {} : { tenant: s(letter.tenant) }),
    ...(letter.workflow === undefined ? {} : { workflow: s(letter.workflow) }),
  };
}

export function deadLetterFromItem(item: Item): DeadLetter {
  return {
    id: idOf(item),
    body: text(item, 'body'),
    reason: JSON.parse(text(item, 'reason')) as ErrorData,
    firstSeen: num(item, 'firstSeen'),
    ...(item.tenant === undefined ? {} : { tenant: text(item, 'tenant') }),
    ...(item.workflow === undefined ? {} : { workflow: text(item, 'workflow') }),
  };
}
