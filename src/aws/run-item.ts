/** The `RUN` item and its record: the only place that knows which attribute holds which field. Pure. */
import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import type { ErrorData } from '../engine/errors.ts';
import type { Payload, RunRecord, RunStatus, RunSummary, Stub } from '../engine/ports.ts';
import { dueShard, type Item, idOf, recentOrder, runBucket, runKey } from './item-keys.ts';

const DAY_S = 86_400;
/** The run outlives its segments by this, so that a late message meets a finished run and not a half of one. */
const OUTLIVES_DAYS = 7;

/** Every attribute of a run but its keys and its inbox counter, which others raise. */
export const RUN_ATTRIBUTES = [
  ...['tenant', 'workflow', 'version', 'engine', 'key', 'status', 'incarnation', 'nonce', 'createdAt', 'startedAt', 'endedAt'],
  ...['leaseOwner', 'leaseUntil', 'crashes', 'idleWakes', 'inboxSeen', 'wakeAt', 'due', 'dueShard', 'fingerprint', 'spilled'],
  ...['input', 'inputRef', 'inputBytes', 'value', 'valueRef', 'valueBytes', 'error', 'reason', 'journalLength', 'journal'],
  ...['traceparent', 'recentBucket', 'recentOrder', 'expiresAt', 'deletedAt'],
] as const;

export const isFinished = (status: RunStatus): boolean => status === 'succeeded' || status === 'failed' || status === 'cancelled';

/** Seconds since the epoch at which segments and inbox of a run that ended at `at` may go. */
export const segmentsExpireAt = (at: number, retentionDays: number): number => Math.ceil(at / 1_000) + retentionDays * DAY_S;
/** The same for the run itself, and for a stub that nobody ever claimed. */
export const runExpiresAt = (at: number, retentionDays: number): number => segmentsExpireAt(at, retentionDays + OUTLIVES_DAYS);

export function runItem(record: RunRecord, retentionDays: number): Item {
  return { ...runKey(record.id), inbox: n(record.inbox), ...runAttributes(record, retentionDays) };
}

/** Of RUN_ATTRIBUTES those that the record has. */
export function runAttributes(record: RunRecord, retentionDays: number): Item {
  const item: Item = {
    tenant: s(record.tenant),
    workflow: s(record.workflow),
    version: n(record.version),
    engine: n(record.engine),
    key: s(record.key),
    status: s(record.status),
    incarnation: n(record.incarnation),
    nonce: s(record.nonce),
    createdAt: n(record.createdAt),
    crashes: n(record.crashes),
    fingerprint: s(record.fingerprint),
    spilled: { BOOL: record.spilled },
    journalLength: n(record.journalLength),
    recentBucket: s(runBucket(record.id, record.createdAt)),
    recentOrder: s(recentOrder(record.createdAt, record.id)),
  };
  put(item, 'input', record.input);
  if (record.startedAt !== undefined) item.startedAt = n(record.startedAt);
  if (record.deletedAt !== undefined) item.deletedAt = n(record.deletedAt);
  if (record.endedAt !== undefined) item.endedAt = n(record.endedAt);
  if (record.idleWakes !== undefined) item.idleWakes = n(record.idleWakes);
  if (record.inboxSeen !== undefined) item.inboxSeen = n(record.inboxSeen);
  if (record.wakeAt !== undefined) item.wakeAt = n(record.wakeAt);
  if (record.journal !== undefined) item.journal = { B: record.journal };
  if (record.reason !== undefined) item.reason = s(JSON.stringify(record.reason));
  if (record.traceparent !== undefined) item.traceparent = s(record.traceparent);
  if (record.lease !== undefined) {
    item.leaseOwner = s(record.lease.owner);
    item.leaseUntil = n(record.lease.until);
  }
  if (record.due !== undefined) {
    item.due = n(record.due);
    item.dueShard = s(dueShard(record.id));
  }
  if (record.outcome !== undefined) {
    if ('error' in record.outcome) item.error = s(JSON.stringify(record.outcome.error));
    else put(item, 'value', record.outcome.value);
  }
  if (isFinished(record.status)) item.expiresAt = n(runExpiresAt(record.endedAt ?? record.createdAt, retentionDays));
  return item;
}

export function runFromItem(item: Item): RunRecord | Stub {
  const id = idOf(item);
  if (item.nonce === undefined) return { id, stub: true, inbox: num(item, 'inbox') };
  const error = item.error?.S;
  const value = payload(item, 'value');
  const record: RunRecord = {
    id,
    tenant: text(item, 'tenant'),
    workflow: text(item, 'workflow'),
    version: num(item, 'version'),
    engine: num(item, 'engine'),
    key: text(item, 'key'),
    status: text(item, 'status') as RunStatus,
    incarnation: num(item, 'incarnation'),
    nonce: text(item, 'nonce'),
    createdAt: num(item, 'createdAt'),
    crashes: num(item, 'crashes'),
    inbox: num(item, 'inbox'),
    input: payload(item, 'input') ?? { text: '' },
    fingerprint: text(item, 'fingerprint'),
    spilled: item.spilled?.BOOL ?? false,
    journalLength: num(item, 'journalLength'),
  };
  for (const field of ['startedAt', 'endedAt', 'idleWakes', 'inboxSeen', 'wakeAt', 'due', 'deletedAt'] as const) {
    if (item[field] !== undefined) record[field] = num(item, field);
  }
  if (item.leaseOwner !== undefined) record.lease = { owner: text(item, 'leaseOwner'), until: num(item, 'leaseUntil') };
  if (item.journal?.B !== undefined) record.journal = item.journal.B;
  if (item.reason !== undefined) record.reason = JSON.parse(text(item, 'reason')) as ErrorData;
  if (item.traceparent !== undefined) record.traceparent = text(item, 'traceparent');
  if (error !== undefined) record.outcome = { error: JSON.parse(error) as ErrorData };
  else if (value !== undefined) record.outcome = { value };
  return record;
}

/** From what the recent index projects. */
export function summaryFromItem(item: Item): RunSummary {
  const summary: RunSummary = {
    id: idOf(item),
    tenant: text(item, 'tenant'),
    workflow: text(item, 'workflow'),
    version: num(item, 'version'),
    status: text(item, 'status') as RunStatus,
    createdAt: num(item, 'createdAt'),
  };
  for (const field of ['startedAt', 'endedAt', 'wakeAt'] as const) if (item[field] !== undefined) summary[field] = num(item, field);
  if (item.reason !== undefined) summary.reason = JSON.parse(text(item, 'reason')) as ErrorData;
  return summary;
}

export const s = (value: string): AttributeValue => ({ S: value });
export const n = (value: number): AttributeValue => ({ N: String(value) });
export const text = (item: Item, name: string): string => item[name]?.S ?? '';
export const num = (item: Item, name: string): number => Number(item[name]?.N ?? 0);

function put(item: Item, name: 'input' | 'value', payload: Payload): void {
  if ('text' in payload) item[name] = s(payload.text);
  else {
    item[`${name}Ref`] = s(payload.ref);
    item[`${name}Bytes`] = n(payload.bytes);
  }
}

function payload(item: Item, name: 'input' | 'value'): Payload | undefined {
  if (item[`${name}Ref`] !== undefined) return { ref: text(item, `${name}Ref`), bytes: num(item, `${name}Bytes`) };
  return item[name] === undefined ? undefined : { text: text(item, name) };
}
