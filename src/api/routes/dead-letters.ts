/** `/v1/dead-letters`: messages that could not become runs, why, and what becomes of them. */
import { forgetDeadLetter } from '../../engine/dead-letters.ts';
import type { DeadLetter } from '../../engine/ports.ts';
import { type Bearer, isVisible, tenantOf } from '../auth.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../problem.ts';
import { redriveLetters } from '../redrive-letters.ts';
import { DeadLettersQuery, NoQuery, RedriveLettersRequest } from '../requests.ts';
import { DeadLetters, RedrivenLetters } from '../schemas.ts';
import { route } from '../table.ts';
import { deadLetterView } from '../views.ts';

export const listDeadLetters = route({
  method: 'GET',
  path: '/v1/dead-letters',
  operation: 'listDeadLetters',
  tag: 'Dead letters',
  summary: 'Messages that could not become runs, newest first',
  description: 'With a filter a page may hold fewer items than asked for, even none, and still have a `next`.',
  scope: 'read',
  query: DeadLettersQuery,
  answers: { 200: { description: 'A page of them.', schema: DeadLetters } },
  problems: [],
  async handle({ query, bearer }, { store }) {
    const { limit, after, code, workflow } = query;
    const filter = filterOf({ code, workflow, tenant: tenantOf(bearer, query.tenant, { parameter: 'tenant' }) });
    const page = await store.listDeadLetters({ limit, filter, ...(after === undefined ? {} : { after }) });
    return { status: 200, body: { ...page, items: page.items.map(deadLetterView) } };
  },
});

export const redriveDeadLetters = route({
  method: 'POST',
  path: '/v1/dead-letters/redrive',
  operation: 'redriveDeadLetters',
  tag: 'Dead letters',
  summary: 'Start what is valid by now, so many a second',
  description:
    'Each becomes a run with the key of its message, and is a letter no longer; what is still invalid stays. Give `next` back as `after` for more, when the runs of this answer have begun.',
  scope: 'operate',
  query: NoQuery,
  body: { json: RedriveLettersRequest },
  answers: { 202: { description: 'What became of each.', schema: RedrivenLetters } },
  problems: [],
  async handle({ body, bearer }, deps) {
    const { ids, filter, after, perSecond, limit } = body;
    if ((ids === undefined) === (filter === undefined)) throw either();
    if (ids) {
      const { letters, unknown } = await byIds(deps, bearer, ids);
      const { redriven, refused } = await redriveLetters(deps, letters, perSecond);
      return { status: 202, body: { redriven, refused: [...refused, ...unknown] } };
    }
    const { tenant, ...rest } = filter ?? {};
    const { items, next } = await deps.store.listDeadLetters({
      limit,
      filter: filterOf({ ...rest, tenant: tenantOf(bearer, tenant, { pointer: '/filter/tenant' }) }),
      ...(after === undefined ? {} : { after }),
    });
    return { status: 202, body: { ...(await redriveLetters(deps, items, perSecond)), ...(next === undefined ? {} : { next }) } };
  },
});

export const deleteDeadLetter = route({
  method: 'DELETE',
  path: '/v1/dead-letters/{letter}',
  operation: 'deleteDeadLetter',
  tag: 'Dead letters',
  summary: 'Forget a message',
  scope: 'operate',
  query: NoQuery,
  answers: { 204: { description: 'It is gone.' } },
  problems: ['E_UNKNOWN_DEAD_LETTER'],
  async handle({ params, bearer }, deps) {
    const id = params.letter ?? '';
    const { letters } = await byIds(deps, bearer, [id]);
    const [letter] = letters;
    if (!letter || !(await forgetDeadLetter(deps, letter))) throw new Problem('E_UNKNOWN_DEAD_LETTER', unknownLetter(id));
    return { status: 204 };
  },
});

/** In the order of the ids; those of other tenants are as unknown as others. */
async function byIds({ store }: Pick<ApiDeps, 'store'>, bearer: Bearer, ids: readonly string[]) {
  const found = new Map((await store.deadLetters(ids.filter(isId))).map((letter) => [letter.id, letter]));
  const letters: DeadLetter[] = [];
  const unknown: RedrivenLetters['refused'] = [];
  for (const id of new Set(ids)) {
    const letter = found.get(id);
    if (letter && isVisible(bearer, letter)) letters.push(letter);
    else unknown.push({ id, code: 'E_UNKNOWN_DEAD_LETTER', reason: unknownLetter(id) });
  }
  return { letters, unknown };
}

/** What is none is not asked for: a key of the table has a length. */
const isId = (id: string): boolean => /^[\x21-\x7e]{1,128}$/.test(id);
const unknownLetter = (id: string): string =>
  `there is no dead letter ${JSON.stringify(id.slice(0, 128))}: it was redriven or deleted, or never was`;

type Filter = { code?: string | undefined; workflow?: string | undefined; tenant?: string | undefined };

function filterOf({ code, workflow, tenant }: Filter) {
  return {
    ...(code === undefined ? {} : { code }),
    ...(workflow === undefined ? {} : { workflow }),
    ...(tenant === undefined ? {} : { tenant }),
  };
}

function either(): Problem {
  const message = 'must have either "ids" or "filter"';
  return new Problem('E_REQUEST_INVALID', `the body ${message}`, { errors: [{ pointer: '', message }] });
}
