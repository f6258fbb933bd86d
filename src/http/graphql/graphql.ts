/** A GraphQL operation as a call: a POST whose effect is read out of the document, and whose reply is judged by its `errors`. */
import { fingerprint } from '../bodies/body.ts';
import { buildCall, CALL_FIELDS, type Call } from '../call.ts';
import { type Core, settingsFor } from '../core.ts';
import type { GraphqlOptions } from '../options.ts';
import type { Reply } from '../reply.ts';
import { bad, onlyKnown } from '../settings.ts';
import { operationOf } from './graphql-document.ts';

export type GraphqlError = {
  readonly message: string;
  readonly path?: readonly (string | number)[];
  readonly extensions?: { readonly [field: string]: unknown };
};

/** `data` is the operation's. */
export type GraphqlReply<T = unknown> = Reply<T> & {
  /** With `partial: 'reply'`, where there were some. */
  readonly errors?: readonly GraphqlError[];
};

type Reader = typeof import('./graphql-errors.ts');

const NOT_ITS_OWN = new Set(['query', 'as', 'json', 'form', 'multipart', 'body']);
const FIELDS = new Set([...[...CALL_FIELDS].filter((field) => !NOT_ITS_OWN.has(field)), 'operationName', 'partial']);

/** Throws `E_BAD_OPTION` and what calls throw. */
export function graphqlCall(core: Core, document: string, variables: unknown, options: GraphqlOptions): Call {
  const { operationName, partial = 'fail', ...call } = options;
  const where = `graphql ${core.id}`;
  onlyKnown(options, FIELDS, where);
  if (partial !== 'fail' && partial !== 'reply') bad(where, 'partial', "must be 'fail' | 'reply'");
  const { type, name } = operationOf(document, operationName, where);
  const reads = type === 'query';
  const built = buildCall(core, 'POST', core.graphql, {
    ...call,
    as: 'json',
    label: call.label ?? `${type} ${name ?? '(without a name)'}`,
    // All have one path: each operation has a place of its own for its idempotency key.
    key: call.key ?? `graphql ${name ?? ''} ${fingerprint(document).slice(0, 12)}`,
    effects: call.effects ?? (reads ? 'safe' : ofMutations(core)),
    json: { query: document, ...(variables === undefined ? {} : { variables }), ...(operationName === undefined ? {} : { operationName }) },
  });
  let reader: Reader | undefined;
  const loaded = () => reader as Reader;
  const { successWhen, readError } = core.judge;
  return {
    ...built,
    async load() {
      reader ??= await import('./graphql-errors.ts');
    },
    judge: {
      ...core.judge,
      successWhen(reply) {
        const verdict = loaded().judge(reply, { reads, partial: partial === 'reply' });
        return verdict === true ? (successWhen?.(reply) ?? true) : verdict;
      },
      readError: (reply) => (built.settings.encrypt === undefined ? loaded().readErrors(reply) : undefined) ?? readError?.(reply),
    },
  };
}

/** A route that says that GraphQL's path is safe cannot mean mutations. */
function ofMutations(core: Core) {
  const { effects } = settingsFor(core, 'POST', core.graphql);
  return effects === undefined || effects === 'safe' ? (core.idempotencyKey === undefined ? 'unsafe' : 'keyed') : effects;
}

/** The operation's own data in place of the envelope. */
export function openEnvelope(reply: Reply): GraphqlReply {
  const { data, errors } = (reply.data ?? {}) as { data?: unknown; errors?: readonly GraphqlError[] };
  const told = Array.isArray(errors) && errors.length > 0;
  return Object.defineProperties(reply, {
    data: { value: data, enumerable: true, configurable: true },
    ...(told ? { errors: { value: errors, enumerable: true } } : {}),
  }) as GraphqlReply;
}
