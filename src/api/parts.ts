/** What several shapes of the API are made of: names, numbers in queries, cursors. */
import * as z from 'zod/mini';
import { told } from './named.ts';

export const MAX_WAIT_SECONDS = 20;
export const RUN_ID = /^run_[0-9a-f]{32}$/;
/** Of a connection, from least to most stopped. */
export const STATES = ['open', 'slow-start', 'half-open', 'gated', 'broken', 'held'] as const;
export const STATUSES = ['queued', 'running', 'waiting', 'paused', 'succeeded', 'failed', 'cancelled'] as const;

/** In a query, where everything is text: digits alone, since `Number` would also take "0x10" and " ". */
export const digits = (from: number, to: number) => {
  const message = `must be a whole number from ${from} to ${to}`;
  return z.pipe(
    z.transform((given) => (typeof given === 'string' && /^\d{1,15}$/.test(given) ? Number(given) : given)),
    z.int(message).check(z.minimum(from, message), z.maximum(to, message)),
  );
};
export const whole = (from: number, to: number) => {
  const message = `must be a whole number from ${from} to ${to}`;
  return z.int(message).check(z.minimum(from, message), z.maximum(to, message));
};
export const text = (pattern: RegExp, message: string) => z.string(message).check(z.regex(pattern, message));

export const runId = told(
  'The id of a run: derived from its tenant, workflow and idempotency key.',
  text(RUN_ID, 'must be run_ and 32 hex digits'),
);
export const workflowName = told(
  'The name of a workflow.',
  text(/^[a-z][a-z0-9-]{0,63}$/, 'must be the name of a workflow: a–z, 0–9 and "-", beginning with a letter'),
);
export const tenant = told(
  'Whose run it is. Without one, the tenant is `default`, or that of the token.',
  text(/^[A-Za-z0-9_.:@-]{1,64}$/, 'must be 1–64 characters of letters, digits and _ . : @ -'),
);
export const cursor = told(
  'The `next` of an earlier answer; leave it out to begin at the newest.',
  text(/^[A-Za-z0-9_=-]{1,1024}$/, 'must be the "next" of an earlier answer; leave it out to begin at the newest'),
);
export const connectionName = told(
  'The name of a connection, as code declares it.',
  text(/^[a-z][a-z0-9-]{0,63}$/, 'must be the name of a connection: a–z, 0–9 and "-", beginning with a letter'),
);
export const accountName = told(
  'The account, as code names it in `.for(account)`.',
  text(/^[ -~\u00a0-\uffff]{1,256}$/, 'must be 1–256 characters without control characters').check(
    z.refine((given) => typeof given !== 'string' || given.isWellFormed(), 'must be well-formed Unicode'),
  ),
);
/** Of a credential. What holds a line break was copied with one, and would fail only when it is sent. */
export const secretText = z
  .string('must be a text')
  .check(
    z.minLength(1, 'must not be empty'),
    z.maxLength(16_384, 'must have at most 16,384 characters'),
    z.regex(/^[ -~\u00a0-\uffff]*$/, 'must not have line breaks or other control characters'),
  );
export const errorCode = told('The code of the reason.', text(/^E_[A-Z_]{1,64}$/, 'must be a code such as E_INPUT_INVALID'));
export const status = told(
  'Final: `succeeded`, `failed`, `cancelled`. `waiting` is for a time, `paused` for a person.',
  z.enum(STATUSES, `must be one of ${STATUSES.join(', ')}`),
);
export const letterId = text(/^[\x21-\x7e]{1,128}$/, 'must be the id of a dead letter');
export const why = told(
  'Kept with it, for people.',
  z.string('must be a text').check(z.maxLength(1_000, 'must have at most 1,000 characters')),
);
