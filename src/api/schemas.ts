/** The shapes of the HTTP API: what queries and headers may hold, and what answers are. The types are inferred from them. */
import * as z from 'zod/mini';

export const MAX_WAIT_SECONDS = 20;
export const RUN_ID = /^run_[0-9a-f]{32}$/;
export const STATUSES = ['queued', 'running', 'waiting', 'paused', 'succeeded', 'failed', 'cancelled'] as const;

const whole = (from: number, to: number) => {
  const message = `must be a whole number from ${from} to ${to}`;
  return z.coerce.number(message).check(z.int(message), z.minimum(from, message), z.maximum(to, message));
};

const workflowName = z
  .string()
  .check(z.regex(/^[a-z][a-z0-9-]{0,63}$/, 'must be the name of a workflow: a–z, 0–9 and "-", beginning with a letter'));
const tenant = z.string().check(z.regex(/^[\w.:@-]{1,64}$/, 'must be 1–64 characters of letters, digits and _ . : @ -'));
const cursor = z
  .string()
  .check(z.regex(/^[\w=-]{1,1024}$/, 'must be the "next" of an earlier answer; leave it out to begin at the newest'));

// --- queries ---
export const NoQuery = z.strictObject({});
export const WaitQuery = z.strictObject({ wait: z._default(whole(0, MAX_WAIT_SECONDS), 0) });
export const PageQuery = z.strictObject({ after: z.optional(cursor), limit: z._default(whole(1, 200), 50) });
export const RunsQuery = z.strictObject({
  workflow: z.optional(workflowName),
  status: z.optional(z.enum(STATUSES, `must be one of ${STATUSES.join(', ')}`)),
  tenant: z.optional(tenant),
  after: z.optional(cursor),
  limit: z._default(whole(1, 200), 50),
});
/** A journal is read as a whole; it pages only so that ten thousand entries fit into answers. */
export const JournalQuery = z.strictObject({
  after: z.optional(whole(0, 1_000_000)),
  limit: z._default(whole(1, 1_000), 1_000),
});

// --- headers of a start ---
export const StartHeaders = z.object({
  'Idempotency-Key': z.optional(
    z.string().check(z.regex(/^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/, 'must be 1–255 visible ASCII characters')),
  ),
  'Holdfast-Tenant': z.optional(tenant),
});

// --- answers ---
const time = z.iso.datetime();
const links = z.object({ self: z.string(), journal: z.string() });
const anError = z.object({
  code: z.string(),
  message: z.string(),
  name: z.optional(z.string()),
  stack: z.optional(z.string()),
  detail: z.optional(z.record(z.string(), z.unknown())),
});

export const RunItem = z.strictObject({
  id: z.string().check(z.regex(RUN_ID)),
  workflow: workflowName,
  version: z.int(),
  status: z.enum(STATUSES),
  tenant,
  createdAt: time,
  startedAt: z.optional(time),
  endedAt: z.optional(time),
  wakeAt: z.optional(time),
  reason: z.optional(anError),
  links,
});
export type RunItem = z.output<typeof RunItem>;

export const Run = z.extend(RunItem, {
  idempotencyKey: z.string(),
  crashes: z.int(),
  input: z.unknown(),
  result: z.optional(z.unknown()),
  error: z.optional(anError),
});
export type Run = z.output<typeof Run>;

export const StartedRun = z.strictObject({ id: z.string(), status: z.enum(STATUSES), links });
export type StartedRun = z.output<typeof StartedRun>;

export const JournalItem = z.strictObject({
  seq: z.int(),
  type: z.enum(['start', 'retry', 'unknown', 'unsent', 'done', 'fail', 'settled', 'cancel', 'redrive', 'park', 'end']),
  at: time,
  /** Of a call, step or sleep; the same over all its entries. */
  call: z.optional(z.string()),
  label: z.optional(z.string()),
  /** `start`: what it may change outside, and which sending this is. */
  effect: z.optional(z.enum(['safe', 'idempotent', 'keyed', 'unsafe'])),
  sending: z.optional(z.int()),
  /** `retry`: not before then; how often it was tried and throttled, since when. */
  next: z.optional(time),
  issuedAt: z.optional(time),
  attempt: z.optional(z.int()),
  throttles: z.optional(z.int()),
  /** One record for each attempt since the call's last entry: phase, timings, status, the decision and its reason. */
  attempts: z.optional(z.array(z.unknown())),
  value: z.optional(z.unknown()),
  /** The value is longer than is shown here, or kept apart; `bytes` tells how long it is. */
  truncated: z.optional(z.literal(true)),
  bytes: z.optional(z.int()),
  error: z.optional(anError),
  wakeAt: z.optional(time),
  status: z.optional(z.enum(['succeeded', 'failed', 'cancelled'])),
  /** `cancel`: what was cancelled. `redrive`: what had failed and is made again, from which entry on. Who wanted it, and why. */
  calls: z.optional(z.array(z.string())),
  from: z.optional(z.int()),
  by: z.optional(z.string()),
  why: z.optional(z.string()),
});
export type JournalItem = z.output<typeof JournalItem>;

export const DeadLetterItem = z.strictObject({
  id: z.string(),
  firstSeen: time,
  reason: anError,
  tenant: z.optional(z.string()),
  workflow: z.optional(z.string()),
  body: z.string(),
  truncated: z.optional(z.literal(true)),
  bytes: z.int(),
});
export type DeadLetterItem = z.output<typeof DeadLetterItem>;

export const WorkflowItem = z.strictObject({
  name: workflowName,
  version: z.int(),
  /** Newest first; older ones serve the runs that began with them. */
  versions: z.array(z.int()),
  description: z.optional(z.string()),
  /** JSON Schema 2020-12; absent if there is no schema, or its library cannot tell. */
  input: z.optional(z.record(z.string(), z.unknown())),
  links: z.object({ self: z.string(), runs: z.string() }),
});
export type WorkflowItem = z.output<typeof WorkflowItem>;

export const pageOf = <Item extends z.ZodMiniType>(item: Item) => z.strictObject({ items: z.array(item), next: z.optional(z.string()) });
