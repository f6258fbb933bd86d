/** The shapes of what is asked: paths, queries, headers and bodies. What is not named in them is refused. */
import * as z from 'zod/mini';
import { named, told } from './named.ts';
import {
  accountName,
  connectionName,
  cursor,
  digits,
  errorCode,
  letterId,
  MAX_WAIT_SECONDS,
  runId,
  secretText,
  status,
  tenant,
  text,
  whole,
  why,
  workflowName,
} from './parts.ts';

// --- paths ---
export const PARAMS: Readonly<Record<string, { schema: z.ZodMiniType; description: string }>> = {
  run: { schema: runId, description: 'The id of a run.' },
  workflow: { schema: workflowName, description: 'The name of a registered workflow.' },
  connection: { schema: connectionName, description: 'The name of a connection.' },
  account: { schema: accountName, description: 'The account, percent-encoded.' },
  letter: { schema: letterId, description: 'The id of a dead letter: that of its SQS message.' },
  seq: {
    schema: digits(0, 1_000_000),
    description: 'The `seq` of any journal entry of the call.',
  },
};

// --- queries ---
export const NoQuery = z.strictObject({});
export const WaitQuery = z.strictObject({
  wait: told('How many seconds to wait for the end of the run.', z._default(digits(0, MAX_WAIT_SECONDS), 0)),
});
const pageLimit = () => told('How many items an answer holds at most.', z._default(digits(1, 200), 50));
export const RunsQuery = z.strictObject({
  workflow: z.optional(workflowName),
  status: z.optional(status),
  tenant: z.optional(tenant),
  after: z.optional(cursor),
  limit: pageLimit(),
});
/** A journal is read as a whole; it pages only so that ten thousand entries fit into answers. */
export const JournalQuery = z.strictObject({
  after: z.optional(told('The `seq` of the last entry that you have.', digits(0, 1_000_000))),
  limit: told('How many entries an answer holds at most.', z._default(digits(1, 1_000), 1_000)),
});
export const DeadLettersQuery = z.strictObject({
  code: z.optional(errorCode),
  workflow: z.optional(workflowName),
  tenant: z.optional(tenant),
  after: z.optional(cursor),
  limit: pageLimit(),
});

export const ConnectionsQuery = z.strictObject({
  after: z.optional(told('The `next` of an earlier answer.', connectionName)),
  limit: pageLimit(),
});
export const ConnectionQuery = z.strictObject({
  account: z.optional(told('Only this account of it.', accountName)),
  after: z.optional(cursor),
  limit: pageLimit(),
});
export const AccountsQuery = z.strictObject({ after: z.optional(cursor), limit: pageLimit() });

// --- headers ---
const key = (longest: number) =>
  text(new RegExp(`^[\\x21-\\x7e](?:[\\x20-\\x7e]{0,${longest - 2}}[\\x21-\\x7e])?$`), `must be 1–${longest} visible ASCII characters`);
const tenantHeader = z.optional(tenant);
const traceparent = z.optional(told('W3C trace context, kept with the run. One that is malformed is as if absent.', z.string()));

export const NoHeaders = z.object({});
export const StartHeaders = z.object({
  'Idempotency-Key': z.optional(
    told('A second start with the same key gets the run of the first; with another input it is refused.', key(255), ['order-1234']),
  ),
  'Holdfast-Tenant': tenantHeader,
  Prefer: z.optional(told('`wait=20`: up to 20 seconds for the end of the run (RFC 7240). What is not understood is ignored.', z.string())),
  traceparent,
});
export const BatchHeaders = z.object({
  // The line's number goes behind it, and both must fit into the key of a run.
  'Idempotency-Key': z.optional(
    told('Names the batch: line n has the key `<batch>:<n>`, so that sending it again starts nothing twice.', key(240), ['import-7']),
  ),
  'Holdfast-Tenant': tenantHeader,
  traceparent,
});
export const UploadHeaders = z.object({ 'Holdfast-Tenant': tenantHeader });

// --- bodies ---
export const AnyJson = z.unknown();
export const Reason = named('Reason', z.strictObject({ why: z.optional(why) }), { examples: [{ why: 'ordered twice' }] });
const onlyAccount = z.optional(told('Only its calls. Without it: those that are made without an account.', accountName));
/** Kept in the one record that every admission of a call reads and writes. */
const holdWhy = told(
  'What everybody is told who asks why nothing is sent.',
  text(/^[ -~\u00a0-\uffff]{1,200}$/, 'must be a text of 1–200 characters on one line'),
);
export const HoldRequest = named('HoldRequest', z.strictObject({ why: holdWhy, account: onlyAccount }), {
  examples: [{ why: 'they migrate until noon' }, { why: 'asked us to stop', account: 'acme' }],
});
export const ReleaseRequest = named('ReleaseRequest', z.strictObject({ account: onlyAccount, why: z.optional(why) }), {
  examples: [{ account: 'acme' }],
});
export const RedriveRequest = named(
  'RedriveRequest',
  z.strictObject({
    from: z.optional(
      told('The `seq` of the failure to go on from. Without it: the first of those that the run’s error came from.', whole(0, 1_000_000)),
    ),
    asNew: z.optional(
      told(
        'What is made again gets another idempotency key, so that the API does it anew. Only where it is known that it did not happen.',
        z.boolean('must be true or false'),
      ),
    ),
    why: z.optional(why),
  }),
  { examples: [{ why: 'the API is up again' }, { asNew: true, why: 'its key answers 500 for ever' }] },
);
export const SettleRequest = named(
  'SettleRequest',
  z.discriminatedUnion(
    'outcome',
    [
      z.strictObject({
        outcome: told('It did happen, and `value` is what the code gets.', z.literal('happened')),
        value: z.optional(told('Of a call `{ status, headers?, data? }`, of a step its result.', z.unknown())),
        why: z.optional(why),
      }),
      z.strictObject({ outcome: told('It did not: it is sent again as new.', z.literal('not-happened')), why: z.optional(why) }),
      z.strictObject({
        outcome: told('It will not be settled: the code gets an `UnknownOutcomeError`.', z.literal('failed')),
        message: z.optional(z.string('must be a text').check(z.maxLength(1_000, 'must have at most 1,000 characters'))),
        why: z.optional(why),
      }),
    ],
    'must be { "outcome": "happened" | "not-happened" | "failed", … }',
  ),
  { examples: [{ outcome: 'happened', value: { status: 201, data: { id: 'ac_1' } } }] },
);
const metadata = z
  .record(
    z.string().check(z.maxLength(64, 'must have names of at most 64 characters')),
    z.string('must be a text').check(z.maxLength(1_024, 'must have at most 1,024 characters')),
  )
  .check(z.refine((given) => Object.keys(given).length <= 20, 'must have at most 20 members'));
/** All kinds in one object, since a union would tell of each fault several times; which of them it is, the route asks. */
export const CredentialRequest = named(
  'CredentialRequest',
  z.strictObject({
    token: z.optional(told('A token or key that is sent as it is, and nothing of the other kinds.', secretText)),
    username: z.optional(told('With `password`.', secretText)),
    password: z.optional(told('With `username`.', secretText)),
    refreshToken: z.optional(told('Of OAuth 2.0: access tokens are got with it.', secretText)),
    accessToken: z.optional(told('Of OAuth 2.0: used until `expiresAt`, or until it is refused.', secretText)),
    expiresAt: z.optional(
      told('When `accessToken` ends.', z.iso.datetime({ offset: true, message: 'must be a time such as 2026-01-31T12:00:00Z' })),
    ),
    metadata: z.optional(told('What is no secret: given to `baseUrl`, `tokenUrl` and `sign` of the connection.', metadata)),
  }),
  {
    description: 'Either `token`; or `username` and `password`; or `refreshToken`, `accessToken` or both.',
    examples: [{ refreshToken: 'rt_…', metadata: { instance_url: 'https://eu1.example' } }],
  },
);
const letterFilter = z.strictObject({ code: z.optional(errorCode), workflow: z.optional(workflowName), tenant: z.optional(tenant) });
const pace = {
  perSecond: z._default(told('How many runs begin a second.', whole(1, 100)), 10),
};
/** Both in one object, since a union would tell of each fault twice; which of the two it is, the route asks. */
export const RedriveLettersRequest = named(
  'RedriveLettersRequest',
  z.strictObject({
    ids: z.optional(
      told(
        'These, and no `filter`.',
        z.array(letterId, 'must be a list of ids').check(z.minLength(1, 'names none'), z.maxLength(100, 'must be at most 100')),
      ),
    ),
    filter: z.optional(told('Those that match all of it, and no `ids`; `{}` for all.', letterFilter)),
    ...pace,
    limit: z._default(told('With `filter`: how many at most.', whole(1, 100)), 100),
    after: z.optional(cursor),
  }),
  {
    description: 'Either `ids` or `filter`.',
    examples: [{ filter: { code: 'E_INPUT_INVALID' }, perSecond: 5 }],
  },
);
const uploadId = text(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'must be the "upload" of an earlier answer');
export const UploadedBatch = named('UploadedBatch', z.strictObject({ upload: told('The `upload` of an earlier answer.', uploadId) }));
