/** A workflow as the API shows it, its input as JSON Schema where the schema's library can tell. */
import * as z from 'zod/mini';
import type { Workflow } from '../engine/workflow.ts';
import type { WorkflowItem } from './schemas.ts';

type JsonSchema = Record<string, unknown>;

/** `versions`: of all that are registered under the name. */
export function workflowView(workflow: Workflow, versions: readonly number[], base: string): WorkflowItem {
  const input = inputSchema(workflow);
  const self = `${base}/v1/workflows/${workflow.name}`;
  return {
    name: workflow.name,
    version: workflow.version,
    versions: [...versions].sort((a, b) => b - a),
    ...(workflow.description === undefined ? {} : { description: workflow.description }),
    ...(input === undefined ? {} : { input }),
    links: { self, runs: `${self}/runs` },
  };
}

/** By the library of zod 4 in any of its flavours, otherwise by Standard JSON Schema (standardschema.dev/json-schema). */
function inputSchema(workflow: Workflow): JsonSchema | undefined {
  const schema = workflow.input;
  if (!schema) return undefined;
  const standard = schema['~standard'] as (typeof schema)['~standard'] & {
    jsonSchema?: { input(options: { target: string }): JsonSchema };
  };
  try {
    if ('_zod' in schema) {
      // What JSON Schema cannot say (a refinement, a bigint) is left open, not a reason to show nothing.
      return z.toJSONSchema(schema as unknown as z.ZodMiniType, { io: 'input', unrepresentable: 'any' }) as JsonSchema;
    }
    return standard.jsonSchema?.input({ target: 'draft-2020-12' });
  } catch {
    return undefined;
  }
}
