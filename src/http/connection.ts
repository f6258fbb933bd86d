/** `connection()`: one external API as user code sees it. Each verb is one durable call in a run, and a resilient client outside. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { DeployedConnection } from '../engine/admission-ports.ts';
import { currentRun } from '../engine/context.ts';
import { buildCall, type Call, capOf } from './call.ts';
import { type Core, checkAccount, forAccount, makeCore } from './core.ts';
import { overCap } from './errors.ts';
import { callOfFetch, type Fetch } from './fetch.ts';
import { givenKey, onceByKey } from './given-key.ts';
import { type GraphqlReply, graphqlCall, openEnvelope } from './graphql/graphql.ts';
import { type CallOperation, callOperation } from './operation.ts';
import type { BodyOptions, CallOptions, ConnectionOptions, GraphqlOptions, PagesOptions, PollOptions, Schema } from './options.ts';
import type { Paging } from './paging/paging.ts';
import { poll } from './paging/poll.ts';
import { callPlainly } from './plain.ts';
import type { Reply, StoredReply } from './reply.ts';
import type { DataOf, ItemOf, ReplyOf } from './reply-types.ts';
import { responseOf } from './response.ts';
import { plainRuntime } from './runtime.ts';
import { typedReply } from './schema.ts';
import { bad } from './settings.ts';

type Bodyless = <const Options extends CallOptions = CallOptions>(path: string, options?: Options) => Promise<ReplyOf<Options>>;
type WithBody = <const Options extends BodyOptions = BodyOptions>(path: string, options?: Options) => Promise<ReplyOf<Options>>;

type Pages = <const S extends Schema | undefined = undefined, One = ItemOf<DataOf<S>>>(
  path: string,
  options?: Omit<PagesOptions, 'schema' | 'items' | 'next'> & {
    schema?: S;
    items?: (reply: Reply<DataOf<S>>) => Iterable<One>;
    next?: Paging<DataOf<S>>;
  },
) => AsyncIterable<One>;

type Poll = <const S extends Schema | undefined = undefined>(
  target: string | Reply,
  options?: Omit<PollOptions, 'schema' | 'until'> & { schema?: S; until?: (reply: Reply<DataOf<S>>) => boolean | 'failed' },
) => Promise<Reply<DataOf<S>>>;
type Graphql = <const S extends StandardSchemaV1 | undefined = undefined>(
  query: string,
  variables?: { readonly [name: string]: unknown },
  options?: Omit<GraphqlOptions, 'schema'> & { schema?: S },
) => Promise<GraphqlReply<DataOf<S>>>;

export type Connection = {
  readonly name: string;
  /** Whose credentials and limits these are; absent for our own. */
  readonly account?: string;
  /** `data` is typed by `schema`. Rejects with `CallError`, `SchemaError`, `UnknownOutcomeError`, and `E_BAD_OPTION` for what is written wrongly. */
  readonly get: Bodyless;
  readonly head: Bodyless;
  readonly put: WithBody;
  readonly post: WithBody;
  readonly patch: WithBody;
  readonly delete: WithBody;
  /** Any other method, or one that is computed. */
  readonly request: <const Options extends BodyOptions = BodyOptions>(
    method: string,
    path: string,
    options?: Options,
  ) => Promise<ReplyOf<Options>>;
  /**
   * The items of a list that comes in pages, one call a page, each page asked for when it is needed. Beginning anew with every iteration.
   * Besides what calls throw: `E_PAGING` for a page that was read before, is outside the connection, or is one more than `maxPages`.
   */
  readonly pages: Pages;
  /**
   * Asks at `target` until it is done: a path, or a reply that names one in `Operation-Location` or `Location`. A 303 leads to the result.
   * Never sooner than the API's `Retry-After` allows. Besides what calls throw: `CallError` with `E_DEADLINE` after `timeout`.
   */
  readonly poll: Poll;
  /** A query is `safe`; a mutation is `keyed` where the connection has an `idempotencyKey`, otherwise `unsafe`. `errors` in the reply are a `CallError`. */
  readonly graphql: Graphql;
  /** Hand it to an SDK: a drop-in for `fetch`, for URLs below `baseUrl`. */
  readonly fetch: Fetch;
  /** The same API for one customer of ours: part of every identity and idempotency key, with the credential that is stored for it. */
  for(account: string): Connection;
};

/** For start-up checks, kept out of the type that user code sees. */
const cores = new WeakMap<Connection, Core>();

/** Declares an external API. Everything is checked here: throws `E_BAD_OPTION` or `E_BAD_DURATION`, naming connection and field. */
export function connection(options: ConnectionOptions): Connection {
  return connectionOf(makeCore(options));
}

/** The longest that one attempt of any call may take by the connection's own options, ms; a call can still set its own. */
export function maxTimeout(connection: Connection): number {
  const { settings, routes, profiled } = coreOf(connection);
  return Math.max(settings.limits.total, ...[...routes, ...profiled].map((route) => route.settings.limits.total));
}

/** Throws `E_BAD_OPTION` if the variable that `baseUrl: vars(…)` reads is not set or no URL. */
export function checkBaseUrl(connection: Connection): void {
  coreOf(connection).base();
}

/** Names of the secrets that its calls need. */
export function secretsOf(connection: Connection): readonly string[] {
  return coreOf(connection).auth?.secrets.map(({ secret }) => secret) ?? [];
}

/** What those who watch and stop it know of it. */
export function deployedConnection(connection: Connection): DeployedConnection {
  const { name, rateLimits: limits, concurrency, perAccount } = coreOf(connection);
  return { name, limits, concurrency, perAccount };
}

/** At which path a reply that names another was given: it may do so relative to its own. */
const requested = new WeakMap<Reply, string>();

function coreOf(connection: Connection): Core {
  return cores.get(connection) ?? bad('connections', 'entry', 'is not made by connection()');
}

function connectionOf(core: Core): Connection {
  const verb =
    (method: string) =>
    (path: string, options: BodyOptions = {}) =>
      send(core, method, path, options);
  const made = {
    name: core.name,
    ...(core.account === undefined ? {} : { account: core.account }),
    get: verb('GET'),
    head: verb('HEAD'),
    put: verb('PUT'),
    post: verb('POST'),
    patch: verb('PATCH'),
    delete: verb('DELETE'),
    async request(method: string, path: string, options: BodyOptions = {}) {
      if (typeof method !== 'string' || !/^[A-Za-z]+$/.test(method))
        bad(`connection "${core.name}"`, 'method', `must be an HTTP method, not ${String(method)}`);
      return send(core, method.toUpperCase(), path, options);
    },
    pages(path: string, options: PagesOptions = {}) {
      const { next = core.paging } = options;
      if (typeof next?.walk !== 'function')
        bad(
          `connection "${core.name}"`,
          'next',
          'of pages() must be byLink(), byCursor(…), byOffset(…), byPage(…), byNextUrl(…) or byFunction(…)',
        );
      return next.walk({ core, send }, path, options);
    },
    async poll(target: string | Reply, options: PollOptions = {}) {
      return poll({ core, send }, target, (typeof target === 'object' && requested.get(target)) || '/', options);
    },
    async graphql(query: string, variables?: unknown, options: GraphqlOptions = {}) {
      const call = graphqlCall(core, query, variables, options);
      const { text, operation } = await issue(call);
      const stored = operation.read(text);
      const reading = { open: openEnvelope, fetched: operation.taken(), cut: cutOf(call) };
      return typedReply(stored, { ...options, as: 'json' } as CallOptions, call.label, reading);
    },
    async fetch(input: string | URL | Request, init?: RequestInit) {
      const call = await callOfFetch(core, input, init);
      const { text, operation } = await onceByKey(call, issue);
      return responseOf(operation.open(text), call, operation.taken());
    },
    for: (account: string) => connectionOf(forAccount(core, account)),
  } as Connection;
  cores.set(made, core);
  return Object.freeze(made);
}

async function send(core: Core, method: string, path: string, options: BodyOptions): Promise<unknown> {
  const call = buildCall(core, method, path, options);
  const { text, operation } = await issue(call);
  const stored = operation.read(text);
  const reading = { gone: call.settings.goneIsDone, fetched: operation.taken(), cut: cutOf(call) };
  const checked = typedReply(stored, options, call.label, reading);
  const reply = checked instanceof Promise ? await checked : checked;
  // Of all others nobody asks: a weak map that holds every reply is most of what collecting young garbage costs.
  if (leads(stored)) requested.set(reply, call.path);
  return reply;
}

type Issued = { readonly text: string; readonly operation: CallOperation };

/** It names where to ask next. */
const leads = ({ headers }: StoredReply): boolean => headers['operation-location'] !== undefined || headers.location !== undefined;

async function issue(call: Call): Promise<Issued> {
  checkAccount(call.core);
  const here = currentRun();
  const operation = callOperation(call, here?.run.engine);
  const text = here
    ? await here.run.issue(operation)
    : await callPlainly(operation, { runtime: plainRuntime(), keyMaterial: givenKey(call) });
  return { text: text as string, operation };
}

/** Where a reply that was cut is no reply. */
function cutOf(call: Call): ((reply: Reply) => Error) | undefined {
  return call.settings.onTruncated === 'fail' ? (reply) => overCap(capOf(call), reply.status, reply) : undefined;
}
