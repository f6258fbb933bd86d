/** `GET /healthz`: that requests arrive and are answered; it asks nothing of the stores, so it tells nothing of them. */
import { NoQuery } from '../requests.ts';
import { Health } from '../schemas.ts';
import { route } from '../table.ts';

export const healthz = route({
  method: 'GET',
  path: '/healthz',
  operation: 'getHealth',
  tag: 'About',
  summary: 'Whether the API answers, and what is deployed',
  scope: 'open',
  query: NoQuery,
  answers: { 200: { description: 'It does.', schema: Health } },
  problems: [],
  handle: async (_, { version }) => ({ status: 200, body: { status: 'ok', ...(version === undefined ? {} : { version }) } }),
});
