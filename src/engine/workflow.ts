/** A workflow's definition and the registry of those that are deployed. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { HoldfastError } from './errors.ts';

export type Workflow<Input = unknown, Output = unknown> = {
  readonly name: string;
  readonly version: number;
  readonly description?: string;
  readonly input?: StandardSchemaV1<unknown, Input>;
  readonly previous: readonly Workflow[];
  /** What a divergence leads to. */
  readonly onDivergence: 'pause' | 'fail';
  // A method, so that a Workflow<X> is a Workflow<unknown>: inputs reach it only through its own schema.
  run(input: Input): Promise<Output>;
};

export type WorkflowOptions<Schema extends StandardSchemaV1, Output> = {
  /** 1–64 characters of a–z, 0–9 and `-`, beginning with a letter. Part of every run id. */
  name: string;
  /** Whole number ≥ 1, default 1. Raise it when the order of operations changes; keep the old one under `previous`. */
  version?: number;
  description?: string;
  /** Any Standard Schema. It must not transform asynchronously depending on the outside: it is applied on every replay. */
  input?: Schema;
  /** Older versions: a run stays on the version it began with while that is registered. */
  previous?: readonly Workflow[];
  /** Default `pause`. */
  onDivergence?: 'pause' | 'fail';
  run(input: StandardSchemaV1.InferOutput<Schema>): Promise<Output>;
};

const NAME = /^[a-z][a-z0-9-]{0,63}$/;

/** Defines a workflow. Throws `E_BAD_OPTION` naming the field. */
export function workflow<Schema extends StandardSchemaV1 = StandardSchemaV1<unknown, unknown>, Output = unknown>(
  options: WorkflowOptions<Schema, Output>,
): Workflow<StandardSchemaV1.InferOutput<Schema>, Output> {
  const bad = (field: string, problem: string): never => {
    throw new HoldfastError('E_BAD_OPTION', `workflow ${JSON.stringify(options.name)}: ${field} ${problem}`, { detail: { field } });
  };
  if (typeof options.name !== 'string' || !NAME.test(options.name))
    bad('name', 'must be 1–64 characters of a–z, 0–9 and "-", beginning with a letter');
  const version = options.version ?? 1;
  if (!Number.isSafeInteger(version) || version < 1) bad('version', 'must be a whole number ≥ 1');
  if (typeof options.run !== 'function') bad('run', 'must be an async function');
  if (options.input !== undefined && typeof options.input['~standard']?.validate !== 'function')
    bad('input', 'must be a Standard Schema (zod, valibot, arktype, …)');
  const onDivergence = options.onDivergence ?? 'pause';
  if (onDivergence !== 'pause' && onDivergence !== 'fail') bad('onDivergence', "must be 'pause' or 'fail'");
  return {
    name: options.name,
    version,
    ...(options.description === undefined ? {} : { description: options.description }),
    ...(options.input === undefined ? {} : { input: options.input as StandardSchemaV1<unknown, StandardSchemaV1.InferOutput<Schema>> }),
    previous: options.previous ?? [],
    onDivergence,
    run: (input) => options.run(input),
  };
}

export type Registry = {
  /** The newest version, which new runs begin with. */
  latest(name: string): Workflow | undefined;
  find(name: string, version: number): Workflow | undefined;
  all(): readonly Workflow[];
};

/** Throws `E_DUPLICATE_WORKFLOW` when two share name and version. */
export function registry(workflows: readonly Workflow[]): Registry {
  const versions = new Map<string, Map<number, Workflow>>();
  const add = (definition: Workflow, name: string) => {
    if (definition.name !== name) {
      throw new HoldfastError('E_BAD_OPTION', `workflow "${name}": previous holds a version of another workflow, "${definition.name}"`);
    }
    const known = versions.get(name) ?? new Map<number, Workflow>();
    if (known.has(definition.version)) {
      throw new HoldfastError(
        'E_DUPLICATE_WORKFLOW',
        `workflow "${name}" version ${definition.version} is registered twice: give one another name, or raise its version`,
      );
    }
    known.set(definition.version, definition);
    versions.set(name, known);
    for (const older of definition.previous) add(older, name);
  };
  for (const definition of workflows) {
    if (versions.has(definition.name)) {
      throw new HoldfastError(
        'E_DUPLICATE_WORKFLOW',
        `workflow "${definition.name}" is registered twice: give one another name, or put the older version under "previous"`,
      );
    }
    add(definition, definition.name);
  }
  return {
    latest: (name) => [...(versions.get(name)?.values() ?? [])].sort((a, b) => b.version - a.version)[0],
    find: (name, version) => versions.get(name)?.get(version),
    all: () => workflows,
  };
}
