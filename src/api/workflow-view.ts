/** A workflow as the API shows it, its input as JSON Schema where the schema's library can tell. */
import type { Workflow } from '../engine/workflow.ts';
import type { WorkflowItem } from './schemas.ts';

type JsonSchema = Record<string, unknown>;

export async function workflowView(workflow: Workflow, base: string): Promise<WorkflowItem> {
  const input = await inputSchema(workflow);
  const self = `${base}/v1/workflows/${workflow.name}`;
  return {
    name: workflow.name,
    version: workflow.version,
    versions: versions(workflow).sort((a, b) => b - a),
    ...(workflow.description === undefined ? {} : { description: workflow.description }),
    ...(input === undefined ? {} : { input }),
    links: { self, runs: `${self}/runs` },
  };
}

function versions(workflow: Workflow): number[] {
  return [workflow.version, ...workflow.previous.flatMap(versions)];
}

/** By the library of zod 4 in any of its flavours, otherwise by Standard JSON Schema (standardschema.dev/json-schema). */
async function inputSchema(workflow: Workflow): Promise<JsonSchema | undefined> {
  const schema = workflow.input;
  if (!schema) return undefined;
  const standard = schema['~standard'] as (typeof schema)['~standard'] & {
    jsonSchema?: { input(options: { target: string }): JsonSchema };
  };
  try {
    if ('_zod' in schema) {
      const { toJSONSchema } = await import('zod/v4/core');
      // What JSON Schema cannot say (a refinement, a bigint) is left open, not a reason to show nothing.
      return toJSONSchema(schema as unknown as Parameters<typeof toJSONSchema>[0], { io: 'input', unrepresentable: 'any' }) as JsonSchema;
    }
    return standard.jsonSchema?.input({ target: 'draft-2020-12' });
  } catch {
    return undefined;
  }
}
