/** The whole public vocabulary. Nothing else of the library is meant to be imported. */

export type { Duration } from './engine/duration.ts';
export {
  CancelledError,
  HoldfastError,
  NonRetryableError,
  RetryAfterError,
  StepError,
  TimeoutError,
} from './engine/errors.ts';
export type { Json } from './engine/json.ts';
export { runId } from './engine/start.ts';
export { type StepOptions, step } from './engine/step.ts';
export { log, map, now, random, sleep, uuid } from './engine/verbs.ts';
export { type Registry, registry, type Workflow, type WorkflowOptions, workflow } from './engine/workflow.ts';
export { type AccountField, type AccountRef, accountSecret } from './http/auth/account.ts';
export { type Auth, basic, bearer, header, query } from './http/auth/auth.ts';
export {
  type OAuth2Options,
  type OAuth2RefreshOptions,
  oauth2Account,
  oauth2ClientCredentials,
  oauth2RefreshToken,
} from './http/auth/oauth.ts';
export { type SecretRef, secret } from './http/auth/secrets.ts';
export { sign, type ToSign } from './http/auth/sign.ts';
export { type AccountBaseUrl, vars } from './http/base-url.ts';
export { type Connection, connection, maxTimeout } from './http/connection.ts';
export { CallError, SchemaError, UnknownOutcomeError } from './http/errors.ts';
export type { GraphqlError, GraphqlReply } from './http/graphql/graphql.ts';
export type {
  BodyOptions,
  CallOptions,
  ConnectionOptions,
  GraphqlOptions,
  PagesOptions,
  PollOptions,
  RetryOptions,
  RouteOptions,
  UploadBody,
} from './http/options.ts';
export { byCursor, byFunction, byLink, byNextUrl, byOffset, byPage, type NextPage, type Page, type Paging } from './http/paging/paging.ts';
export type { ApiError, Profile } from './http/profile.ts';
export type { Reply, StoredBody } from './http/reply.ts';
export { applied, cannotTell, notApplied, type Reconcile, type Reconciliation, reconcile } from './http/unknown.ts';
