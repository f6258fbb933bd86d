/** The shapes of answers. The types are inferred from them. */
import * as z from 'zod/mini';
import { named, told } from './named.ts';
import { accountName, connectionName, runId, STATES, STATUSES, status, tenant, workflowName } from './parts.ts';

const time = z.iso.datetime();
const url = told('Relative to the host.', z.string());
const links = z.object({ self: url, journal: url });
export const ErrorView = named(
  'ErrorView',
  z.object({
    code: z.string(),
    message: z.string(),
    name: z.optional(z.string()),
    stack: z.optional(z.string()),
    detail: z.optional(z.record(z.string(), z.unknown())),
  }),
  { description: 'An error of a run or of a message.' },
);

export const Health = named(
  'Health',
  z.strictObject({ status: z.literal('ok'), version: z.optional(told('What is deployed.', z.string())) }),
);

export const RunItem = named(
  'RunItem',
  z.strictObject({
    id: runId,
    workflow: workflowName,
    version: z.int(),
    status,
    tenant,
    createdAt: time,
    startedAt: z.optional(time),
    endedAt: z.optional(time),
    wakeAt: z.optional(told('While it waits: until when.', z.iso.datetime())),
    reason: z.optional(ErrorView),
    links,
  }),
);
export type RunItem = z.output<typeof RunItem>;

export const Run = named(
  'Run',
  z.extend(RunItem, {
    idempotencyKey: z.string(),
    crashes: told('Workers that died in a row while they had it.', z.int()),
    input: told('As it was sent; `{ "truncated": true, "bytes": … }` above 1 MB, `{ "missing": true }` when it has expired.', z.unknown()),
    result: z.optional(told('Of a run that has succeeded; shown as `input` is.', z.unknown())),
    error: z.optional(ErrorView),
  }),
);
export type Run = z.output<typeof Run>;

export const StartedRun = named('StartedRun', z.strictObject({ id: runId, status, links }));
export type StartedRun = z.output<typeof StartedRun>;

export const RedrivenRun = named(
  'RedrivenRun',
  z.strictObject({
    id: runId,
    status,
    from: told('From before which journal entry on it goes.', z.int()),
    asNew: z.optional(told('The calls that go out with another idempotency key than before.', z.array(z.string()))),
    links,
  }),
);

export const JournalItem = named(
  'JournalItem',
  z.strictObject({
    seq: z.int(),
    type: z.enum(['start', 'retry', 'unknown', 'unsent', 'done', 'fail', 'settled', 'cancel', 'redrive', 'park', 'end']),
    at: time,
    call: z.optional(told('Of a call, step or sleep: its id, the same over all its entries.', z.string())),
    label: z.optional(z.string()),
    effect: z.optional(told('Of a `start`: what it may change outside.', z.enum(['safe', 'idempotent', 'keyed', 'unsafe']))),
    sending: z.optional(told('Of a `start`: which sending this is.', z.int())),
    next: z.optional(told('Of a `retry`: not before then.', z.iso.datetime())),
    issuedAt: z.optional(told('Of a `retry`: counted since then.', z.iso.datetime())),
    waitsFor: z.optional(
      told(
        'Of a `retry` that was not sent because it was not its turn: what held it up, one of `hold`, `breaker`, `concurrency`, `gate`, `budget`, `rate`, `unreachable`.',
        z.string(),
      ),
    ),
    attempt: z.optional(z.int()),
    throttles: z.optional(z.int()),
    attempts: z.optional(
      told(
        'One record for each attempt since the call’s last entry: phase, timings, status, the decision and its reason. Of a call with more than a dozen, those between are one record with counts: `{ rolledUp, rows, from, to }`, times in ms since the epoch.',
        z.array(z.unknown()),
      ),
    ),
    value: z.optional(z.unknown()),
    truncated: z.optional(told('The value is longer than is shown here; `bytes` tells how long.', z.literal(true))),
    bytes: z.optional(z.int()),
    error: z.optional(ErrorView),
    wakeAt: z.optional(time),
    status: z.optional(z.enum(['succeeded', 'failed', 'cancelled'])),
    calls: z.optional(told('Of a `cancel`: what was cancelled. Of a `redrive`: what had failed and is made again.', z.array(z.string()))),
    from: z.optional(told('Of a `redrive`: from which entry on.', z.int())),
    asNew: z.optional(told('Of a `redrive`: the calls that it has given another idempotency key.', z.array(z.string()))),
    epoch: z.optional(told('Of a `start`: how often the call was given another idempotency key, if it was.', z.int())),
    by: z.optional(told('Who wanted it: the name of a token.', z.string())),
    why: z.optional(z.string()),
  }),
);
export type JournalItem = z.output<typeof JournalItem>;

export const DeadLetterItem = named(
  'DeadLetterItem',
  z.strictObject({
    id: z.string(),
    firstSeen: time,
    reason: ErrorView,
    tenant: z.optional(z.string()),
    workflow: z.optional(z.string()),
    body: z.string(),
    truncated: z.optional(told('`body` is the beginning; `bytes` tells how long the whole is.', z.literal(true))),
    bytes: z.int(),
  }),
);
export type DeadLetterItem = z.output<typeof DeadLetterItem>;

export const RedrivenLetters = named(
  'RedrivenLetters',
  z.strictObject({
    redriven: told('Those that are runs now, and letters no longer.', z.array(z.strictObject({ id: z.string(), run: runId }))),
    refused: told('Those that stay, and why.', z.array(z.strictObject({ id: z.string(), code: z.string(), reason: z.string() }))),
    next: z.optional(told('Give it as `after` for those that follow.', z.string())),
  }),
);
export type RedrivenLetters = z.output<typeof RedrivenLetters>;

const lineError = z.strictObject({ line: z.int(), pointer: z.string(), message: z.string() });
export const StartedBatch = named(
  'StartedBatch',
  z.strictObject({
    batch: told('The key of line n is `<batch>:<n>`.', z.string()),
    accepted: z.int(),
    refused: z.int(),
    runs: z.array(z.strictObject({ line: z.int(), id: runId })),
    errors: told('Of the first 100 lines that were refused.', z.array(lineError)),
  }),
);

/** Of lines, and of an upload. */
export const BatchAccepted = named('BatchAccepted', z.union([StartedBatch, StartedRun]));

export const Upload = named(
  'Upload',
  z.strictObject({
    upload: z.string(),
    url: told('Where the file is sent, without a token, before `expiresAt`.', z.string()),
    method: z.literal('PUT'),
    headers: told('To be sent with it.', z.record(z.string(), z.string())),
    expiresAt: time,
  }),
);

export const WorkflowItem = named(
  'WorkflowItem',
  z.strictObject({
    name: workflowName,
    version: z.int(),
    versions: told('Newest first; older ones serve the runs that began with them.', z.array(z.int())),
    description: z.optional(z.string()),
    input: z.optional(
      told('JSON Schema 2020-12; absent if there is no schema, or its library cannot tell.', z.record(z.string(), z.unknown())),
    ),
    links: z.object({ self: url, runs: url }),
  }),
);
export type WorkflowItem = z.output<typeof WorkflowItem>;

const accountItem = {
  account: accountName,
  status: told('`needs-auth`: there is none, or the provider takes it no longer.', z.enum(['ok', 'needs-auth'])),
  version: told('Raised by every change, a renewal of its token included. 0: there has been none.', z.int()),
  updatedAt: z.optional(time),
  expiresAt: z.optional(told('When its access token ends; a new one is got before that, if it has a refresh token.', z.iso.datetime())),
  waiting: told('Runs that wait for it; at most 1,000 are counted.', z.int()),
};
export const AccountItem = named('AccountItem', z.strictObject(accountItem));
export type AccountItem = z.output<typeof AccountItem>;

export const StoredAccount = named(
  'StoredAccount',
  z.strictObject({ ...accountItem, woken: told('Runs that waited for it, and go on.', z.int()) }),
);

const state = told(
  'Whether its calls go. `slow-start`: slowly, after a stop. `half-open`: one, to try it. `gated`, `broken`, `held`: not, because the API, its failures or a person said so.',
  z.enum(STATES),
);
const connectionItem = {
  connection: connectionName,
  account: z.optional(accountName),
  perAccount: told(
    'All its calls are made through `.for(account)`: each account has a state of its own, and this one stops nothing.',
    z.boolean(),
  ),
  state,
  gate: z.optional(told('The API said: not before `until`.', z.strictObject({ until: time }))),
  hold: z.optional(
    told('A person holds it.', z.strictObject({ by: told('The name of a token.', z.string()), why: z.string(), since: time })),
  ),
  slowStart: z.optional(told('Until when it goes slower than its limits allow.', z.strictObject({ until: time }))),
  breaker: told(
    'What stops it when the API fails.',
    z.strictObject({
      state: told('`open`: nothing is sent. `half-open`: one call at a time, to try it.', z.enum(['closed', 'open', 'half-open'])),
      until: z.optional(told('Of one that is open: when it is tried.', z.iso.datetime())),
      opens: told('How often in a row it has opened.', z.int()),
      good: z.optional(told('Of one that is half-open: how many were good so far.', z.int())),
      requests: told('Of the last minute; counted from its first failure on.', z.int()),
      failures: told('Of the last minute.', z.int()),
    }),
  ),
  budget: told(
    'How many further attempts are sent in the present ten seconds. Those above it come later.',
    z.strictObject({ retries: z.int(), allowed: z.int(), windowEnds: time }),
  ),
  rate: told(
    'Its limits, in the order of the code.',
    z.array(
      z.strictObject({
        requests: z.int(),
        per: told('In so many milliseconds.', z.number()),
        burst: told('So many of them at once.', z.int()),
        waiting: told('Places that are booked and whose time has not come.', z.int()),
        nextAt: z.optional(told('When the next place is; absent while nobody knows.', z.iso.datetime())),
      }),
    ),
  ),
  concurrency: z.optional(
    told('Calls in flight. Absent: any number.', z.strictObject({ allowed: z.int(), inUse: z.optional(told('Not in lists.', z.int())) })),
  ),
};
export const ConnectionItem = named('ConnectionItem', z.strictObject(connectionItem));
export type ConnectionItem = z.output<typeof ConnectionItem>;

export const pageOf = <Item extends z.ZodMiniType>(item: Item) => z.strictObject({ items: z.array(item), next: z.optional(z.string()) });
export const Runs = named('Runs', pageOf(RunItem));
export const Journal = named('Journal', pageOf(JournalItem));
export const DeadLetters = named('DeadLetters', pageOf(DeadLetterItem));
export const Connections = named('Connections', pageOf(ConnectionItem));
export const OneConnection = named(
  'Connection',
  z.strictObject({
    ...connectionItem,
    accounts: z.optional(told('Those of which something is kept. Absent where one account was asked for.', pageOf(ConnectionItem))),
  }),
);
export const Accounts = named('Accounts', pageOf(AccountItem));
export const Workflows = named('Workflows', pageOf(WorkflowItem));

export const ProblemView = named(
  'Problem',
  z.object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string(),
    instance: told('The path of the request.', z.string()),
    requestId: z.optional(z.string()),
    pointer: z.optional(told('Where in the body the first fault is (RFC 6901); the whole body is "".', z.string())),
    errors: z.optional(
      told(
        'Every field at fault: by a pointer into the body, a query parameter, a header, or a line of a batch.',
        z.array(
          z.object({
            message: z.string(),
            pointer: z.optional(z.string()),
            parameter: z.optional(z.string()),
            header: z.optional(z.string()),
            line: z.optional(z.int()),
          }),
        ),
      ),
    ),
    connectionState: z.optional(told('Of E_NOT_HELD: the state of the connection as it is now.', z.enum(STATES))),
    runStatus: z.optional(told('Of E_NOT_APPLICABLE: the status of the run as it is now.', z.enum(STATUSES))),
  }),
  { description: 'What every error looks like (RFC 9457). `code` never changes its meaning.' },
);

export const OpenApi = named('OpenApi', z.looseObject({ openapi: z.string() }));
