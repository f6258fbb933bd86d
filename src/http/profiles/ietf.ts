/** APIs that keep to what the IETF has written: problem details, `Idempotency-Key`, `RateLimit`, `Link`. */
import { byLink } from '../paging/paging.ts';
import type { Profile } from '../profile.ts';
import { fieldsOf, headerOf, text } from './read.ts';

export const ietf: Profile = {
  title: 'IETF',
  source: { url: 'https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/', read: '2026-11-28' },
  sdk: 'none',
  headers: { accept: 'application/json, application/problem+json, */*;q=0.8' },
  // The draft: an Item of the structured fields, so a text in quotation marks.
  idempotencyKey: { header: 'Idempotency-Key', format: 'quoted' },
  // The draft, section 2.7: 409 where the first request is still being worked on, 422 where its payload was another.
  inFlightWhen: ({ status }) => status === 409,
  paging: /* @__PURE__ */ byLink(),
  readError(reply) {
    const { detail, title, type } = fieldsOf(reply.data);
    return {
      message: text(detail) ?? text(title),
      type: text(type) === 'about:blank' ? undefined : text(type),
      requestId: headerOf(reply, 'x-request-id', 'request-id'),
    };
  },
};
