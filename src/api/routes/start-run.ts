/** `POST /v1/workflows/{name}/runs`: the body is the input itself, everything else stands in headers. */
import { prepareStart, type StartRequest } from '../../engine/start.ts';
import { readJson } from '../body.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../problem.ts';
import type { ApiRequest } from '../request.ts';
import { route } from '../router.ts';
import { MAX_WAIT_SECONDS, NoQuery, StartHeaders } from '../schemas.ts';
import { startRun } from '../start.ts';
import { hasEnded, runLinks, runView, startedView } from '../views.ts';
import { waitForEnd } from '../wait.ts';
import { knownWorkflow } from './workflows.ts';

export const startRunRoute = route<ApiDeps, typeof NoQuery>({
  method: 'POST',
  path: '/v1/workflows/{name}/runs',
  summary: 'Start a run',
  query: NoQuery,
  async handle({ request, params }, deps) {
    const { name } = knownWorkflow(deps, params.name ?? '');
    const given = startHeaders(request);
    const start: StartRequest = {
      workflow: name,
      // Without a body the run would get null, so null is what its schema is asked about.
      input: readJson(request) ?? null,
      ...(given['Idempotency-Key'] === undefined ? {} : { idempotencyKey: given['Idempotency-Key'] }),
      ...(given['Holdfast-Tenant'] === undefined ? {} : { tenant: given['Holdfast-Tenant'] }),
      ...traceOf(request),
    };
    const wait = preferredWait(request.header('prefer'));
    const started = await startRun(deps, await prepareStart(deps.registry, start, deps.newKey()));
    const run = await waitForEnd(deps, started, (wait ?? 0) * 1_000);
    const headers = {
      location: runLinks(run.id, request.base).self,
      ...(wait === undefined ? {} : { 'preference-applied': `wait=${wait}` }),
    };
    return hasEnded(run)
      ? { status: 200, body: await runView(run, deps.payloads, request.base), headers, run: run.id }
      : { status: 202, body: startedView(run, request.base), headers, run: run.id };
  },
});

function startHeaders(request: ApiRequest) {
  const names = ['Idempotency-Key', 'Holdfast-Tenant'] as const;
  const parsed = StartHeaders.safeParse(Object.fromEntries(names.map((name) => [name, request.header(name)])));
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.map((issue) => ({ header: issue.path.join('.'), message: issue.message }));
  throw new Problem('E_REQUEST_INVALID', errors.map(({ header, message }) => `the header ${header} ${message}`).join('; '), { errors });
}

/** A preference that is not understood is ignored (RFC 7240, section 2); `Preference-Applied` tells what was done about a longer one. */
function preferredWait(prefer: string | undefined): number | undefined {
  const seconds = /(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})"?\s*(?=$|[,;])/i.exec(prefer ?? '')?.[1];
  return seconds === undefined ? undefined : Math.min(Number(seconds), MAX_WAIT_SECONDS);
}

/** One that is malformed is as if absent (W3C Trace Context, section 3.2). */
function traceOf(request: ApiRequest): { traceparent?: string } {
  const value = request.header('traceparent')?.trim();
  const valid = value !== undefined && /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/.test(value);
  return valid ? { traceparent: value } : {};
}
