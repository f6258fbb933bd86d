/** `GET /v1/runs`, `/v1/runs/{id}` and `/v1/runs/{id}/journal`: what became of what was started. */
import type { RunRecord } from '../../engine/ports.ts';
import type { ApiDeps } from '../deps.ts';
import { journalPage, readEntries } from '../journal-view.ts';
import { Problem } from '../problem.ts';
import { route } from '../router.ts';
import { JournalQuery, RUN_ID, RunsQuery, WaitQuery } from '../schemas.ts';
import { runView, summaryView } from '../views.ts';
import { findRun, waitForEnd } from '../wait.ts';

export const listRuns = route<ApiDeps, typeof RunsQuery>({
  method: 'GET',
  path: '/v1/runs',
  summary: 'Runs, newest first',
  query: RunsQuery,
  async handle({ request, query }, { store, clock }) {
    const { limit, after, workflow, status, tenant } = query;
    const page = await store.list(
      {
        ...(workflow === undefined ? {} : { workflow }),
        ...(status === undefined ? {} : { status }),
        ...(tenant === undefined ? {} : { tenant }),
      },
      { limit, now: clock.now(), ...(after === undefined ? {} : { after }) },
    );
    return { status: 200, body: { ...page, items: page.items.map((run) => summaryView(run, request.base)) } };
  },
});

export const getRun = route<ApiDeps, typeof WaitQuery>({
  method: 'GET',
  path: '/v1/runs/{id}',
  summary: 'One run; with `wait`, once it has ended or the time is over',
  query: WaitQuery,
  async handle({ request, params, query }, deps) {
    const run = await waitForEnd(deps, await knownRun(deps, params.id ?? ''), query.wait * 1_000);
    return { status: 200, body: await runView(run, deps.payloads, request.base), run: run.id };
  },
});

export const getJournal = route<ApiDeps, typeof JournalQuery>({
  method: 'GET',
  path: '/v1/runs/{id}/journal',
  summary: 'What a run has done so far, in order, with every attempt and why',
  query: JournalQuery,
  async handle({ params, query }, deps) {
    const run = await knownRun(deps, params.id ?? '');
    const from = query.after === undefined ? 0 : query.after + 1;
    return { status: 200, body: journalPage(await readEntries(run, deps.store), from, query.limit), run: run.id };
  },
});

/** Throws `E_UNKNOWN_RUN`; what has not the form of an id is not asked for. */
async function knownRun(deps: Pick<ApiDeps, 'store'>, id: string): Promise<RunRecord> {
  const run = RUN_ID.test(id) ? await findRun(deps, id) : undefined;
  if (run) return run;
  throw new Problem(
    'E_UNKNOWN_RUN',
    RUN_ID.test(id)
      ? `there is no run ${id}: it never was, or its time to be kept is over`
      : `${JSON.stringify(id.slice(0, 64))} is not the id of a run: that is run_ and 32 hex digits`,
  );
}
