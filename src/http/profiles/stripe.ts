/** Stripe's API v1. */
import { byCursor } from '../paging/paging.ts';
import type { Profile } from '../profile.ts';
import { fieldsOf, headerOf, text } from './read.ts';

export const stripe: Profile = {
  title: 'Stripe',
  source: { url: 'https://docs.stripe.com/api', read: '2026-11-28' },
  sdk: 'new Stripe(key, { maxNetworkRetries: 0, telemetry: false, httpClient: Stripe.createFetchHttpClient(stripe.fetch) })',
  // Keys may be pruned once they are 24 hours old.
  idempotencyKey: { header: 'Idempotency-Key', format: 'raw', ttl: '23h' },
  inFlightWhen: ({ data }) => fieldsOf(data, 'error').code === 'idempotency_key_in_use',
  paging: /* @__PURE__ */ byCursor({
    param: 'starting_after',
    from({ data }) {
      const { has_more: more, data: items } = fieldsOf(data);
      return more === true && Array.isArray(items) ? text(fieldsOf(items.at(-1)).id) : undefined;
    },
  }),
  readError(reply) {
    const error = fieldsOf(reply.data, 'error');
    return {
      message: text(error.message),
      code: text(error.decline_code) ?? text(error.code),
      type: text(error.type),
      param: text(error.param),
      requestId: headerOf(reply, 'request-id'),
    };
  },
};
