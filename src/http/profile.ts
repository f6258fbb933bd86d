/** What is known of a provider's API, as data: defaults beneath what the user says of his connection. Those there are: profiles/. */
import type { CommonOptions, ConnectionOptions } from './options.ts';

/** What an error body says. */
export type ApiError = {
  /** The provider's own words. */
  readonly message?: string | undefined;
  /** `card_declined`, `rate_limit_exceeded`. */
  readonly code?: string | undefined;
  readonly type?: string | undefined;
  /** The field of the request that is at fault. */
  readonly param?: string | undefined;
  /** What the provider's support asks for. */
  readonly requestId?: string | undefined;
};

type OfConnections =
  | 'idempotencyKey'
  | 'rateLimit'
  | 'routes'
  | 'connectTimeout'
  | 'successWhen'
  | 'inFlightWhen'
  | 'unavailableMeansUntouched'
  | 'hint'
  | 'shouldRetry'
  | 'readError'
  | 'paging'
  | 'graphql';

export type Profile = CommonOptions &
  Pick<ConnectionOptions, OfConnections> & {
    /** For people. */
    readonly title: string;
    /** The provider's documentation that it was made from, and when that was read. */
    readonly source: { readonly url: string; readonly read: string };
    /** How to switch off the retries of the provider's own SDK, so that only one layer retries. */
    readonly sdk: string;
  };

/** The options that it lends to a connection. `routes` lie beneath the connection's own, one by one, and are not among them. */
export function lent(profile: Profile): Partial<ConnectionOptions> {
  const { title: _title, source: _source, sdk: _sdk, routes: _routes, ...options } = profile;
  return options;
}
