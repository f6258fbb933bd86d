/**
 * Whether what the project lists can be deployed: every file of workflows/ and connections/ loads and is listed, nothing is
 * listed twice, and every call fits into the function. Gathers all faults, each with its file and field.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { maxTimeout, registry } from 'holdfast';
import { CONFIG_FILE, ConfigError, type Fault, type Stage, variableName, variables } from './config.ts';

type Named = { readonly name: string };
type Workflow = Parameters<typeof registry>[0][number];
type Connection = Parameters<typeof maxTimeout>[0];
/** A file's exports that are of the kind its folder is for. */
type Found<T> = { file: string; items: T[] };

/** The engine starts no call unless this much more than the call's timeout is left of the invocation. */
const RESERVE_MS = 2_000;

/** `root`: the project's folder. Throws `ConfigError`. The stage's variables must be in the environment: files read them as they load. */
export async function checkProject(root: string, stage: Stage): Promise<void> {
  const faults: Fault[] = [];
  // Connections first: a workflow that imports a broken one fails with the same error, which is the connection's.
  const seen = new Set<unknown>();
  const connections = await load(root, 'connections', isConnection, faults, seen);
  const workflows = await load(root, 'workflows', isWorkflow, faults, seen);
  const listedConnections = await list(root, 'connections', isConnection, faults, seen);
  const listedWorkflows = await list(root, 'workflows', isWorkflow, faults, seen);

  faults.push(...missingVariables(root, connections, stage));
  if (listedConnections) {
    faults.push(...unlisted('connections', connections, new Set(listedConnections)));
    faults.push(...twice(connections, listedConnections));
    faults.push(...tooLong(connections, listedConnections, stage));
  }
  if (listedWorkflows) {
    faults.push(...unlisted('workflows', workflows, new Set(withPrevious(listedWorkflows))));
    faults.push(...taken(workflows, listedWorkflows));
    try {
      registry(listedWorkflows);
    } catch (error) {
      const field = (error as { code?: unknown }).code === 'E_DUPLICATE_WORKFLOW' ? 'name' : 'previous';
      faults.push({ file: 'workflows/index.ts', field, problem: `${messageOf(error)}${places(workflows, listedWorkflows)}` });
    }
  }
  if (faults.length > 0) throw new ConfigError(faults);
}

/** All files of a folder but its index and tests. */
async function load<T>(
  root: string,
  folder: string,
  is: (value: unknown) => value is T,
  faults: Fault[],
  seen: Set<unknown>,
): Promise<Found<T>[]> {
  const dir = join(root, folder);
  if (!existsSync(dir)) return [];
  const files = readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .map((file) => file.split(sep).join('/'))
    .filter((file) => file.endsWith('.ts') && !/(^index|\.d|\.test)\.ts$/.test(file))
    .sort();
  const found: Found<T>[] = [];
  for (const file of files) {
    const exports = await importFile(root, `${folder}/${file}`, faults, seen);
    if (exports) found.push({ file: `${folder}/${file}`, items: [...new Set(Object.values(exports))].filter(is) });
  }
  return found;
}

/** What index.ts lists, or nothing where that cannot be known. */
async function list<T>(
  root: string,
  folder: string,
  is: (value: unknown) => value is T,
  faults: Fault[],
  seen: Set<unknown>,
): Promise<T[] | undefined> {
  const file = `${folder}/index.ts`;
  if (!existsSync(join(root, file))) {
    faults.push({ file, field: folder, problem: `the file is missing: it must export const ${folder} = [ … ]` });
    return undefined;
  }
  const exports = await importFile(root, file, faults, seen);
  if (!exports) return undefined;
  const listed = exports[folder];
  if (!Array.isArray(listed)) {
    faults.push({ file, field: folder, problem: `must be a list: export const ${folder} = [ … ]` });
    return undefined;
  }
  const items = listed.filter(is);
  for (const [at, item] of listed.entries()) {
    if (!is(item)) faults.push({ file, field: `${folder}[${at}]`, problem: `is not what ${folder.slice(0, -1)}({ … }) returns` });
  }
  return items;
}

async function importFile(root: string, file: string, faults: Fault[], seen: Set<unknown>): Promise<Record<string, unknown> | undefined> {
  try {
    return (await import(pathToFileURL(join(root, file)).href)) as Record<string, unknown>;
  } catch (error) {
    // The same error again: of a file that this one imports, and already told.
    if (!seen.has(error)) faults.push({ file, field: fieldOf(error, 'import'), problem: messageOf(error) });
    seen.add(error);
    return undefined;
  }
}

function unlisted<T extends Named>(folder: string, found: readonly Found<T>[], listed: ReadonlySet<T>): Fault[] {
  return found.flatMap(({ file, items }) =>
    items
      .filter((item) => !listed.has(item))
      .map(({ name }) => ({
        file,
        field: folder,
        problem: `"${name}" is not listed in ${folder}/index.ts: add it to the list there, or delete it`,
      })),
  );
}

function twice(found: readonly Found<Connection>[], listed: readonly Connection[]): Fault[] {
  const names = listed.map(({ name }) => name);
  return [...new Set(names.filter((name, at) => names.indexOf(name) !== at))].map((name) => ({
    file: 'connections/index.ts',
    field: 'name',
    problem: `connection "${name}" is registered twice: give one another name${placesOf(found, name)}`,
  }));
}

function tooLong(found: readonly Found<Connection>[], listed: readonly Connection[], stage: Stage): Fault[] {
  const most = stage.worker.timeout * 1_000 - RESERVE_MS;
  return listed
    .filter((connection) => maxTimeout(connection) > most)
    .map((connection) => ({
      file: found.find(({ items }) => items.includes(connection))?.file ?? 'connections/index.ts',
      field: 'timeout',
      problem:
        `a call of connection "${connection.name}" may take ${maxTimeout(connection)} ms, and the worker of stage "${stage.name}" ends after ` +
        `${stage.worker.timeout} s: shorten it to at most ${most} ms, or raise stages.${stage.name}.worker.timeout in ${CONFIG_FILE}`,
    }));
}

/** By the text of the file: which variable a connection reads is known only to itself, and it reads it when a call is made. */
function missingVariables(root: string, found: readonly Found<Connection>[], stage: Stage): Fault[] {
  const known = variables(stage);
  return found.flatMap(({ file }) =>
    [...readFileSync(join(root, file), 'utf8').matchAll(/\bvars\(\s*(['"`])([\w-]+)\1\s*\)/g)]
      .map(([, , name]) => name as string)
      .filter((name) => known[variableName(name)] === undefined)
      .map((name) => ({
        file,
        field: `vars('${name}')`,
        problem: `stage "${stage.name}" has no such variable: add stages.${stage.name}.vars.${name} to ${CONFIG_FILE}`,
      })),
  );
}

/** As the functions refuse them when they start. */
function taken(found: readonly Found<Workflow>[], listed: readonly Workflow[]): Fault[] {
  return listed
    .filter(({ name }) => name.startsWith('holdfast-'))
    .map((workflow) => ({
      file: found.find(({ items }) => items.includes(workflow))?.file ?? 'workflows/index.ts',
      field: 'name',
      problem: `"${workflow.name}" begins with "holdfast-", which built-in workflows do: give it another name`,
    }));
}

function withPrevious(workflows: readonly Workflow[]): Workflow[] {
  return workflows.flatMap((workflow) => [workflow, ...withPrevious(workflow.previous)]);
}

/** Where the workflows are that share a name. */
function places(found: readonly Found<Workflow>[], listed: readonly Workflow[]): string {
  const names = withPrevious(listed).map(({ name }) => name);
  const name = names.find((candidate, at) => names.indexOf(candidate) !== at);
  return name === undefined ? '' : placesOf(found, name);
}

function placesOf(found: readonly Found<Named>[], name: string): string {
  const files = found.filter(({ items }) => items.some((item) => item.name === name)).map(({ file }) => file);
  return files.length === 0 ? '' : ` (${files.join(', ')})`;
}

function isWorkflow(value: unknown): value is Workflow {
  const item = value as Partial<Workflow> | null;
  return (
    typeof item === 'object' &&
    item !== null &&
    typeof item.run === 'function' &&
    typeof item.version === 'number' &&
    Array.isArray(item.previous)
  );
}

function isConnection(value: unknown): value is Connection {
  const item = value as { name?: unknown; fetch?: unknown; for?: unknown } | null;
  return (
    (typeof item === 'object' || typeof item === 'function') &&
    item !== null &&
    typeof item.fetch === 'function' &&
    typeof item.for === 'function'
  );
}

const relativePaths = (text: string): string => text.replaceAll(`${process.cwd()}${sep}`, '');
const messageOf = (error: unknown): string => relativePaths(error instanceof Error ? error.message : String(error));

function fieldOf(error: unknown, otherwise: string): string {
  const field = (error as { detail?: { field?: unknown } } | null)?.detail?.field;
  return typeof field === 'string' ? field : otherwise;
}
