/** `GET /healthz`: that requests arrive and are answered; it asks nothing of the stores, so it tells nothing of them. */
import type { ApiDeps } from '../deps.ts';
import { route } from '../router.ts';
import { NoQuery } from '../schemas.ts';

export const healthz = route<ApiDeps, typeof NoQuery>({
  method: 'GET',
  path: '/healthz',
  summary: 'Whether the API answers',
  open: true,
  query: NoQuery,
  handle: async () => ({ status: 200, body: { status: 'ok' } }),
});
