/** `POST /v1/workflows/{workflow}/runs`: the body is the input itself, everything else stands in headers. */
import type { Json } from '../../engine/json.ts';
import { prepareStart, type StartRequest } from '../../engine/start.ts';
import { tenantOf } from '../auth.ts';
import { MAX_WAIT_SECONDS } from '../parts.ts';
import { AnyJson, NoQuery, StartHeaders } from '../requests.ts';
import { Run, StartedRun } from '../schemas.ts';
import { startRun } from '../start.ts';
import { route } from '../table.ts';
import { traceOf } from '../trace.ts';
import { hasEnded, runLinks, runView, startedView } from '../views.ts';
import { waitForEnd } from '../wait.ts';
import { knownWorkflow } from './workflows.ts';

const HEADERS = { Location: 'The run.', 'Preference-Applied': 'How long was waited, where that was preferred.' };

export const startRunRoute = route({
  method: 'POST',
  path: '/v1/workflows/{workflow}/runs',
  operation: 'startRun',
  tag: 'Runs',
  summary: 'Start a run',
  description: 'The run is durable before this is answered.',
  scope: 'start',
  query: NoQuery,
  headers: StartHeaders,
  body: {
    json: AnyJson,
    description: 'The input, as the schema of the workflow has it; at most 256 KB.',
    // Without a body the run would get null, so null is what its schema is asked about.
    absent: null,
  },
  answers: {
    200: { description: 'The run, which has ended: meanwhile, or before if the key is an old one.', schema: Run, headers: HEADERS },
    202: { description: 'The run is started.', schema: StartedRun, headers: HEADERS },
  },
  problems: ['E_UNKNOWN_WORKFLOW', 'E_INPUT_INVALID', 'E_NOT_SERIALISABLE', 'E_KEY_CONFLICT', 'E_RUN_DELETED'],
  async handle({ request, params, headers, body, bearer }, deps) {
    const { name } = knownWorkflow(deps, params.workflow ?? '');
    const tenant = tenantOf(bearer, headers['Holdfast-Tenant'], { header: 'Holdfast-Tenant' });
    const start: StartRequest = {
      workflow: name,
      input: body as Json,
      ...(headers['Idempotency-Key'] === undefined ? {} : { idempotencyKey: headers['Idempotency-Key'] }),
      ...(tenant === undefined ? {} : { tenant }),
      ...traceOf(headers.traceparent),
    };
    const wait = preferredWait(headers.Prefer);
    const started = await startRun(deps, await prepareStart(deps.registry, start, deps.newKey()));
    const run = await waitForEnd(deps, started, (wait ?? 0) * 1_000);
    const answered = {
      location: runLinks(run.id, request.base).self,
      ...(wait === undefined ? {} : { 'preference-applied': `wait=${wait}` }),
    };
    return hasEnded(run)
      ? { status: 200, body: await runView(run, deps.payloads, request.base), headers: answered, run: run.id }
      : { status: 202, body: startedView(run, request.base), headers: answered, run: run.id };
  },
});

/** A preference that is not understood is ignored (RFC 7240, section 2); `Preference-Applied` tells what was done about a longer one. */
function preferredWait(prefer: string | undefined): number | undefined {
  const seconds = /(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})"?\s*(?=$|[,;])/i.exec(prefer ?? '')?.[1];
  return seconds === undefined ? undefined : Math.min(Number(seconds), MAX_WAIT_SECONDS);
}
