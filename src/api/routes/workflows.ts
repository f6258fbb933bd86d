/** `GET /v1/workflows` and `/v1/workflows/{name}`: what can be started, and with which input. */
import type { Workflow } from '../../engine/workflow.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../problem.ts';
import { route } from '../router.ts';
import { NoQuery } from '../schemas.ts';
import { workflowView } from '../workflow-view.ts';

export const listWorkflows = route<ApiDeps, typeof NoQuery>({
  method: 'GET',
  path: '/v1/workflows',
  summary: 'The workflows that are registered',
  query: NoQuery,
  async handle({ request }, { registry }) {
    return { status: 200, body: { items: await Promise.all(registry.all().map((known) => workflowView(known, request.base))) } };
  },
});

export const getWorkflow = route<ApiDeps, typeof NoQuery>({
  method: 'GET',
  path: '/v1/workflows/{name}',
  summary: 'One workflow',
  query: NoQuery,
  async handle({ request, params }, deps) {
    return { status: 200, body: await workflowView(knownWorkflow(deps, params.name ?? ''), request.base) };
  },
});

/** Throws `E_UNKNOWN_WORKFLOW` naming those that are. */
export function knownWorkflow({ registry }: Pick<ApiDeps, 'registry'>, name: string): Workflow {
  const found = registry.latest(name);
  if (found) return found;
  const names = registry.all().map((known) => known.name);
  throw new Problem(
    'E_UNKNOWN_WORKFLOW',
    `no workflow ${JSON.stringify(name.slice(0, 64))} is registered: there ${names.length === 1 ? 'is' : 'are'} ${names.join(', ') || 'none'}`,
  );
}
