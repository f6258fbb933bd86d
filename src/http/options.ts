/** What a user may say about a connection, a route and a call. Types and their meaning; checking is settings.ts. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { Duration } from '../engine/duration.ts';
import type { Effect } from '../engine/operation.ts';
import type { Auth } from './auth/auth.ts';
import type { AccountBaseUrl, BaseUrl } from './base-url.ts';
import type { Paging } from './paging/paging.ts';
import type { ApiError, Profile } from './profile.ts';
import type { Reply, StoredBody } from './reply.ts';
import type { Reconcile } from './unknown.ts';

/** How a list in `query` is written: `a=1&a=2`, `a=1,2` or `a[]=1&a[]=2`. */
export type Arrays = 'repeat' | 'comma' | 'brackets';
/** What `data` of a reply is. `file`: a `StoredBody`, which is read when it is asked for and never all in memory. */
export type As = 'json' | 'text' | 'bytes' | 'file';
export type QueryValue = string | number | boolean | null | undefined;
export type Query = { readonly [name: string]: QueryValue | readonly QueryValue[] };
export type OnUnknown = 'pause' | 'throw' | 'retry' | Reconcile;
export type Redirects = 'error' | 'follow';
export type Schema = StandardSchemaV1 | { readonly [status: number]: StandardSchemaV1 };

export type TimeLimits = {
  /** One attempt from asking for a socket to the last byte of the body. Default 30 s. */
  total?: Duration;
  /** Until the reply begins. Default 15 s, at most `total`. */
  headers?: Duration;
  /** The longest pause between two pieces of a body. Default 5 s. */
  idle?: Duration;
  /** Bytes a second that a body which takes longer than 5 s must come with on average. Default 1,024; 0: any. */
  minRate?: number;
};

export type RetryOptions = {
  /** Attempts in all, the first included. Default 6, or one more than `schedule` has. */
  attempts?: number;
  /** Throttled answers (429 and the like) that are waited out; they use up no attempt. Default 100. */
  throttles?: number;
  /** Counted from the issue of the call: an attempt that would come later is not waited for, the call fails at once. Default 24 h. */
  deadline?: Duration;
  /** Waits between attempts, ±20 %, in place of the exponential ones. The last one repeats. */
  schedule?: readonly Duration[];
};

/** What may be said for a connection, for a route, and for one call; the nearer one counts. */
export type CommonOptions = {
  /** Sent with the request. Lower-case or not; a call's outrank a connection's. */
  headers?: { readonly [name: string]: string };
  arrays?: Arrays;
  /** Statuses other than 2xx that are replies, not errors. */
  acceptStatus?: readonly number[];
  /** What the call may change outside. Default: by method, and `keyed` for POST and PATCH where the connection has an `idempotencyKey`. */
  effects?: Effect;
  /** One attempt, its body included: a duration, within all of which the reply may begin, or several limits. Default 30 s. */
  timeout?: Duration | TimeLimits;
  retry?: RetryOptions;
  /** What is done about an unsafe call of which nobody knows whether it happened. Default `pause`. */
  onUnknown?: OnUnknown;
  /**
   * `follow`: a GET or HEAD that is not `unsafe` follows up to 3 redirects, each checked by the guard like any URL, never from https to
   * http; another origin is sent no credentials. Default `error`: a redirect fails the call.
   */
  redirects?: Redirects;
  /** Whether `fetch` gives a 2xx reply while it comes (docs/sdks.md). Default: if it is `text/event-stream`. */
  streaming?: boolean;
  /** Bytes of a body, decoded. Default 10,000,000. */
  maxBody?: number;
  /** A larger body is cut and marked `truncated` (`reply`, the default), or the call fails. */
  onTruncated?: 'reply' | 'fail';
  /**
   * What of a reply's JSON body is encrypted wherever it is kept: `['access_token', 'items[*].iban']`, or `['$']` for all of it. Your code sees it
   * in clear. Added to what connection and route say. What the paths cannot be told of, such as a body that is no JSON, is encrypted as a whole.
   */
  encrypt?: readonly string[];
  /**
   * The path is not for people: ids, labels, spans and errors have a hash of it, or nothing, in its place. Default false. Part of a call's identity: to
   * change it is a change to running workflows.
   */
  hidePath?: boolean;
  /** As how many requests it counts for `rateLimit`: a whole number from 1 to the smallest `requests`. Default 1. */
  weight?: number;
  /** Idempotent calls: `true` for 404, 410 and 412, or statuses, with which a later attempt counts as done, since an earlier one may have done it. */
  goneIsDone?: boolean | readonly number[];
};

export type RouteOptions = CommonOptions & {
  /** Default: any. */
  method?: string;
  /** `/users/:id` (one segment), `/files/*` (anything that follows). Matched without the query. The first route that matches counts. */
  path: string;
};

export type RateLimit = {
  /** Whole number from 1. */
  requests: number;
  /** In any stretch of time of this length, a `burst` aside. */
  per: Duration;
  /** How many may go at once after a quiet time: a whole number from 1 to `requests`. Default 1, which spreads them evenly. */
  burst?: number;
};

export type IdempotencyKeyOptions = {
  /** How long the API keeps a key, counted from the first sending: older ones are unknown, not sent again. Default 23 h. */
  ttl?: Duration;
} & (
  | {
      /** The header's name, such as `Idempotency-Key`. */
      header: string;
      /** `raw` (default, as Stripe has it) or `quoted` (a structured field, as the IETF draft has it). */
      format?: 'quoted' | 'raw';
      field?: undefined;
    }
  | {
      /** A field of the JSON body, such as `idempotency_key`, in place of a header. Keyed calls then need a JSON object as body. */
      field: string;
      header?: undefined;
      format?: undefined;
    }
);

export type ConnectionOptions = CommonOptions & {
  /** 1–64 characters of a–z, 0–9 and `-`, beginning with a letter. Part of every identity and idempotency key. */
  name: string;
  /**
   * `https://…`, with a path if the API has one; `vars('crm')` for the variable `HOLDFAST_VAR_CRM`; or a function of the account and its
   * credential's metadata, for APIs that are at another place for each customer. Then `fetch` takes paths, and URLs at
   * `https://<name>.invalid`.
   */
  baseUrl: string | BaseUrl | AccountBaseUrl;
  /** `bearer()`, `basic()`, `header()`, `query()`, `sign()`, `oauth2ClientCredentials()`, `oauth2RefreshToken()`, `oauth2Account()`. */
  auth?: Auth;
  /** Only for APIs that honour it: it makes POST and PATCH repeatable. */
  idempotencyKey?: IdempotencyKeyOptions;
  /**
   * What the API allows, at most 5 limits that all hold: kept over the whole fleet, for each account by itself. A call that would be one
   * too many is not sent but waits for its turn; that uses up no attempt. A throttle without a hint waits at least the longest `per`.
   * Default: none.
   */
  rateLimit?: RateLimit | readonly RateLimit[];
  /** Calls in flight at once, exactly, over the whole fleet and for each account by itself: 1–50. Default: any number. */
  concurrency?: number;
  /**
   * While what the fleet knows of the API cannot be read: calls wait (`wait`, the default), or each process keeps to its own share of
   * the limits (`local`).
   */
  onAdmissionError?: 'wait' | 'local';
  /** Addresses, CIDR ranges and hosts (`name` or `name:port`) open besides public https on port 443; they may use plain http. */
  allow?: readonly string[];
  routes?: readonly RouteOptions[];
  /** Until the TCP and TLS handshakes are done. Default 3 s. */
  connectTimeout?: Duration;
  /** Reads success out of a 2xx reply, for APIs that say no with a 200. */
  successWhen?: (reply: Reply) => boolean | 'throttle' | 'transient' | 'permanent';
  /** Whether a 409 to a keyed call says that the first one is still being worked on. */
  inFlightWhen?: (reply: Reply) => boolean;
  /** What is known of the provider's API, from `holdfast/profiles`: defaults beneath everything said here. */
  profile?: Profile;
  /** When the API wants to be called again, read out of a reply where no header says it: ms from now, or a moment. Counts as `Retry-After` does. */
  hint?: (reply: Reply) => number | Date | undefined;
  /** Whether it may be tried again, where the API says so in a body and not by `x-should-retry`. An unknown outcome stays unknown. */
  shouldRetry?: (reply: Reply) => boolean | undefined;
  /** What an error's body says, for the message and `detail.error` of a `CallError`. */
  readError?: (reply: Reply) => ApiError | undefined;
  /** The path that `graphql()` posts to. Default `/graphql`. */
  graphql?: string;
  /** How its lists hang together: what `pages()` does without `next`. */
  paging?: Paging;
  /** Whether a 503 of this API always means that nothing was done. Default false. */
  unavailableMeansUntouched?: boolean;
};

export type CallOptions = CommonOptions & {
  query?: Query;
  /** Default: by the reply's content type. */
  as?: As;
  /** Any Standard Schema, or one for each status. Statuses named here are accepted. */
  schema?: Schema;
  /** Tells this call from others of the same method and path: the scope of its idempotency key. */
  key?: string;
  /** For people: shown in place of the path. */
  label?: string;
  /** Gives the call up: it rejects with an `AbortError`. What is `unsafe` and was sent is not called back. */
  signal?: AbortSignal;
};

export type UploadBody =
  | string
  | Uint8Array
  | Blob
  | StoredBody
  | AsyncIterable<Uint8Array | string>
  | (() => AsyncIterable<Uint8Array | string>);

export type FormValue = string | number | boolean | null | undefined | Uint8Array | Blob | StoredBody;
export type FormFields = { readonly [name: string]: unknown };

export type BodyOptions = CallOptions & {
  /** Sent as JSON. Must be plain JSON. */
  json?: unknown;
  /** Sent as `application/x-www-form-urlencoded`. Lists go by `arrays`; objects within as `name[key]=…`. */
  form?: FormFields | URLSearchParams;
  /** Sent as `multipart/form-data`. Files among its fields are not held in memory. */
  multipart?: FormData | { readonly [name: string]: FormValue | readonly FormValue[] };
  /**
   * Sent as it is; give its `content-type` in `headers`, unless it is a `Blob` or a `StoredBody` that has a type of its own.
   * Texts and `Uint8Array`s are in memory and tell this call from others; a `Blob` does so by its size and type, a `StoredBody` by
   * which reply it came with. A function is called for every sending and must give the same bytes. A bare iterable is read once, into
   * the payload store, and sent from there. What an iterable gives is not part of the call's identity, and no hash of it is kept.
   */
  body?: UploadBody;
};

/** Of `connection.poll()`: those of each call, and when it is asked. */
export type PollOptions = Omit<CallOptions, 'timeout'> & {
  /** Whether it is done. `'failed'` ends it with a `CallError`. Default: any status but 202. */
  until?: (reply: never) => boolean | 'failed';
  /** How long after an answer it is asked again, unless the API's `Retry-After` says it. Default 10 s. */
  every?: Duration;
  /** Of all of it: what would be asked later fails now, with `E_DEADLINE`. Default 1 h. One attempt has the connection's `timeout`. */
  timeout?: Duration;
};

/** Of `connection.graphql()`. */
export type GraphqlOptions = Omit<CallOptions, 'as' | 'query' | 'schema'> & {
  /** Of the operation's `data`. */
  schema?: StandardSchemaV1;
  /** Which operation of a document that has several. */
  operationName?: string;
  /** Errors beside data: a failure (`fail`, the default), or a reply with both. */
  partial?: 'fail' | 'reply';
};

/** Of `connection.pages()`: those of each page's call, and how the pages hang together. */
export type PagesOptions = BodyOptions & {
  /** How the next page is found: `byLink()`, `byCursor(…)`, `byOffset(…)`, `byPage(…)`, `byNextUrl(…)`, `byFunction(…)`. Default: the connection's `paging`. */
  next?: Paging;
  /** Where the items of a page are. Default: the reply's data, which must be a list. */
  items?: (reply: never) => Iterable<unknown>;
  /** A list that goes on after so many pages is an error, `E_PAGING`. Default 5,000. */
  maxPages?: number;
  /** Default GET. */
  method?: string;
};
