/** `GET /v1/dead-letters`: messages that could not become runs, and why. */
import type { ApiDeps } from '../deps.ts';
import { route } from '../router.ts';
import { PageQuery } from '../schemas.ts';
import { deadLetterView } from '../views.ts';

export const listDeadLetters = route<ApiDeps, typeof PageQuery>({
  method: 'GET',
  path: '/v1/dead-letters',
  summary: 'Messages that could not become runs, newest first',
  query: PageQuery,
  async handle({ query }, { store }) {
    const { limit, after } = query;
    const page = await store.listDeadLetters({ limit, ...(after === undefined ? {} : { after }) });
    return { status: 200, body: { ...page, items: page.items.map(deadLetterView) } };
  },
});
