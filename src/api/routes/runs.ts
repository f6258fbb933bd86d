/** `GET /v1/runs`, `/v1/runs/{run}` and `/v1/runs/{run}/journal`: what became of what was started. */
import { readJournal } from '../../engine/read-journal.ts';
import { existing, knownRun } from '../access.ts';
import { tenantOf } from '../auth.ts';
import { journalPage } from '../journal-view.ts';
import { JournalQuery, RunsQuery, WaitQuery } from '../requests.ts';
import { Journal, Run, Runs } from '../schemas.ts';
import { route } from '../table.ts';
import { listedView, runView } from '../views.ts';
import { waitForEnd } from '../wait.ts';

export const listRuns = route({
  method: 'GET',
  path: '/v1/runs',
  operation: 'listRuns',
  tag: 'Runs',
  summary: 'Runs, newest first',
  description: 'A page may hold fewer items than asked for, even none, and still have a `next`.',
  scope: 'read',
  query: RunsQuery,
  answers: { 200: { description: 'A page of them.', schema: Runs } },
  problems: [],
  async handle({ request, query, bearer }, { store, clock }) {
    const { limit, after, workflow, status } = query;
    const tenant = tenantOf(bearer, query.tenant, { parameter: 'tenant' });
    const page = await store.list(
      {
        ...(workflow === undefined ? {} : { workflow }),
        ...(status === undefined ? {} : { status }),
        ...(tenant === undefined ? {} : { tenant }),
      },
      { limit, now: clock.now(), ...(after === undefined ? {} : { after }) },
    );
    return { status: 200, body: { ...page, items: page.items.map((run) => listedView(run, request.base)) } };
  },
});

export const getRun = route({
  method: 'GET',
  path: '/v1/runs/{run}',
  operation: 'getRun',
  tag: 'Runs',
  summary: 'One run; with `wait`, once it has ended or the time is over',
  scope: 'read',
  query: WaitQuery,
  answers: { 200: { description: 'The run.', schema: Run } },
  problems: ['E_UNKNOWN_RUN'],
  async handle({ request, params, query, bearer }, deps) {
    const found = await knownRun(deps, bearer, params.run ?? '');
    const run = existing(await waitForEnd(deps, found, query.wait * 1_000));
    return { status: 200, body: await runView(run, deps.payloads, request.base), run: run.id };
  },
});

export const getJournal = route({
  method: 'GET',
  path: '/v1/runs/{run}/journal',
  operation: 'getJournal',
  tag: 'Runs',
  summary: 'What a run has done so far, in order, with every attempt and why',
  scope: 'read',
  query: JournalQuery,
  answers: { 200: { description: 'A page of its entries.', schema: Journal } },
  problems: ['E_UNKNOWN_RUN'],
  async handle({ params, query, bearer }, deps) {
    const run = await knownRun(deps, bearer, params.run ?? '');
    const from = query.after === undefined ? 0 : query.after + 1;
    return { status: 200, body: journalPage(await readJournal(run, deps.store), from, query.limit), run: run.id };
  },
});
