/** What people do to a run: cancel, resume, redrive, settle, delete. The engine knows whether it applies. */
import { HoldfastError } from '../../engine/errors.ts';
import { type About, cancelRun, deleteRun, redriveRun, resumeRun, type Settlement, settleCall } from '../../engine/operate.ts';
import type { RunRecord } from '../../engine/ports.ts';
import { knownOrDeleted, knownRun } from '../access.ts';
import type { Bearer } from '../auth.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../problem.ts';
import { NoQuery, PARAMS, Reason, RedriveRequest, SettleRequest } from '../requests.ts';
import type { Answer, Documented } from '../router.ts';
import { RedrivenRun, StartedRun } from '../schemas.ts';
import { route } from '../table.ts';
import { runLinks, startedView } from '../views.ts';
import { findRun } from '../wait.ts';

const PROBLEMS = ['E_UNKNOWN_RUN', 'E_NOT_APPLICABLE'] as const;
const accepted = (what: string): Readonly<Record<number, Documented>> => ({
  202: {
    description: `${what} The status is that of before, if the run has not seen it yet.`,
    schema: StartedRun,
    headers: { Location: 'The run.' },
  },
});

export const cancel = route({
  method: 'POST',
  path: '/v1/runs/{run}/cancel',
  operation: 'cancelRun',
  tag: 'Operating',
  summary: 'Ask a run to end',
  description: 'It sees it at its next await, within five seconds while it works. Effects in flight are finished first.',
  scope: 'operate',
  query: NoQuery,
  body: { json: Reason, absent: {} },
  answers: accepted('It is asked.'),
  problems: PROBLEMS,
  async handle({ request, params, body, bearer }, deps) {
    const run = await knownRun(deps, bearer, params.run ?? '');
    await applied(run, () => cancelRun(deps, run, about(bearer, body.why)));
    return asItIs(deps, run, request.base);
  },
});

export const resume = route({
  method: 'POST',
  path: '/v1/runs/{run}/resume',
  operation: 'resumeRun',
  tag: 'Operating',
  summary: 'Let a paused run try again',
  scope: 'operate',
  query: NoQuery,
  body: { json: Reason, absent: {} },
  answers: accepted('It tries again.'),
  problems: PROBLEMS,
  async handle({ request, params, body, bearer }, deps) {
    const run = await knownRun(deps, bearer, params.run ?? '');
    await applied(run, () => resumeRun(deps, run, about(bearer, body.why)));
    return asItIs(deps, run, request.base);
  },
});

export const redrive = route({
  method: 'POST',
  path: '/v1/runs/{run}/redrive',
  operation: 'redriveRun',
  tag: 'Operating',
  summary: 'Start a failed run again from where it failed',
  description: 'What it had done before that stays done.',
  scope: 'operate',
  query: NoQuery,
  body: { json: RedriveRequest, absent: {} },
  answers: { 202: { description: 'It goes on.', schema: RedrivenRun, headers: { Location: 'The run.' } } },
  problems: PROBLEMS,
  async handle({ request, params, body, bearer }, deps) {
    const run = await knownRun(deps, bearer, params.run ?? '');
    const { from: cut, asNew: renew, why } = body;
    const how = { ...(cut === undefined ? {} : { from: cut }), ...(renew === undefined ? {} : { asNew: renew }) };
    const { from, asNew } = await applied(run, () => redriveRun(deps, run, how, about(bearer, why)));
    const links = runLinks(run.id, request.base);
    const { status } = (await findRun(deps, run.id)) ?? run;
    const renewed = asNew.length === 0 ? {} : { asNew };
    return { status: 202, body: { id: run.id, status, from, ...renewed, links }, headers: { location: links.self }, run: run.id };
  },
});

export const settle = route({
  method: 'POST',
  path: '/v1/runs/{run}/calls/{seq}/settle',
  operation: 'settleCall',
  tag: 'Operating',
  summary: 'Say what became of a call of which nobody knew',
  description: 'Of several verdicts before the run has read one, the last counts.',
  scope: 'operate',
  query: NoQuery,
  body: { json: SettleRequest },
  answers: accepted('The run goes on with it.'),
  problems: PROBLEMS,
  async handle({ request, params, body, bearer }, deps) {
    const run = await knownRun(deps, bearer, params.run ?? '');
    const { why, ...settlement } = body;
    await applied(run, () => settleCall(deps, run, seqOf(params.seq ?? ''), settlement as Settlement, about(bearer, why)));
    return asItIs(deps, run, request.base);
  },
});

export const remove = route({
  method: 'DELETE',
  path: '/v1/runs/{run}',
  operation: 'deleteRun',
  tag: 'Operating',
  summary: 'Remove a run that has ended, with its journal and payloads',
  description: 'Its idempotency key stays bound: a start with it is refused.',
  scope: 'operate',
  query: NoQuery,
  answers: { 204: { description: 'It is gone.' } },
  problems: PROBLEMS,
  async handle({ params, bearer }, deps) {
    // A tombstone too: what an interrupted deletion has left is removed by repeating it.
    const run = await knownOrDeleted(deps, bearer, params.run ?? '');
    await applied(run, () => deleteRun(deps, run));
    return { status: 204, run: run.id };
  },
});

const about = ({ name }: Bearer, why: string | undefined): About => ({ by: name, ...(why === undefined ? {} : { why }) });

/** What does not apply is told with the status that the run has. */
async function applied<T>(run: RunRecord, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'E_NOT_APPLICABLE' || error.detail.status !== undefined) throw error;
    throw new Problem('E_NOT_APPLICABLE', error.message, { runStatus: run.status, cause: error });
  }
}

async function asItIs(deps: Pick<ApiDeps, 'store'>, run: RunRecord, base: string): Promise<Answer> {
  const body = startedView((await findRun(deps, run.id)) ?? run, base);
  return { status: 202, body, headers: { location: body.links.self }, run: run.id };
}

function seqOf(text: string): number {
  const parsed = PARAMS.seq?.schema.safeParse(text);
  if (parsed?.success) return parsed.data as number;
  const message = 'must be the seq of a journal entry: a whole number from 0';
  throw new Problem('E_REQUEST_INVALID', `the part {seq} of the path ${message}`, { errors: [{ parameter: 'seq', message }] });
}
