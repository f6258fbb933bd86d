/** `GET /v1/workflows` and `/v1/workflows/{workflow}`: what can be started, and with which input. */
import { isBuiltIn } from '../../batch/built-in.ts';
import type { Workflow } from '../../engine/workflow.ts';
import type { ApiDeps } from '../deps.ts';
import { Problem } from '../problem.ts';
import { NoQuery } from '../requests.ts';
import { WorkflowItem, Workflows } from '../schemas.ts';
import { route } from '../table.ts';
import { workflowView } from '../workflow-view.ts';

export const listWorkflows = route({
  method: 'GET',
  path: '/v1/workflows',
  operation: 'listWorkflows',
  tag: 'Workflows',
  summary: 'The workflows that are registered',
  scope: 'read',
  query: NoQuery,
  answers: { 200: { description: 'All of them.', schema: Workflows } },
  problems: [],
  async handle({ request }, deps) {
    return { status: 200, body: { items: users(deps).map(({ name }) => shown(deps, name, request.base)) } };
  },
});

export const getWorkflow = route({
  method: 'GET',
  path: '/v1/workflows/{workflow}',
  operation: 'getWorkflow',
  tag: 'Workflows',
  summary: 'One workflow',
  scope: 'read',
  query: NoQuery,
  answers: { 200: { description: 'The workflow.', schema: WorkflowItem } },
  problems: ['E_UNKNOWN_WORKFLOW'],
  async handle({ request, params }, deps) {
    return { status: 200, body: shown(deps, params.workflow ?? '', request.base) };
  },
});

/** Those that people start by name. */
const users = ({ registry }: Pick<ApiDeps, 'registry'>): Workflow[] => registry.all().filter(({ name }) => !isBuiltIn(name));

/** Throws `E_UNKNOWN_WORKFLOW` naming those that are. */
export function knownWorkflow(deps: Pick<ApiDeps, 'registry'>, name: string): Workflow {
  const found = deps.registry.latest(name);
  if (found && !isBuiltIn(name)) return found;
  const names = users(deps).map((known) => known.name);
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
