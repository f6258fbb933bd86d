/** `GET /v1/workflows` and `/v1/workflows/{name}`: what can be started, and with which input. */
import type { Workflow } from '../../engine/workflow.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../problem.ts';
import { route } from '../router.ts';
import { NoQuery, type WorkflowItem } from '../schemas.ts';
import { workflowView } from '../workflow-view.ts';

export const listWorkflows = route<ApiDeps, typeof NoQuery>({
  method: 'GET',
  path: '/v1/workflows',
  summary: 'The workflows that are registered',
  query: NoQuery,
  async handle({ request }, deps) {
    return { status: 200, body: { items: deps.registry.all().map(({ name }) => shown(deps, name, request.base)) } };
  },
});

export const getWorkflow = route<ApiDeps, typeof NoQuery>({
  method: 'GET',
  path: '/v1/workflows/{name}',
  summary: 'One workflow',
  query: NoQuery,
  async handle({ request, params }, deps) {
    return { status: 200, body: shown(deps, params.name ?? '', request.base) };
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

/** A workflow and its older versions may be registered in any nesting. */
function shown(deps: Pick<ApiDeps, 'registry'>, name: string, base: string): WorkflowItem {
  const versions = (workflow: Workflow): number[] => [workflow.version, ...workflow.previous.flatMap(versions)];
  const registered = deps.registry.all().filter((known) => known.name === name);
  return workflowView(knownWorkflow(deps, name), registered.flatMap(versions), base);
}
