/** Checks of the machine and the project: Node, dependencies, configuration. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Config, ConfigError, resolveStage } from '../../infra/config.ts';
import { type Finding, fail, ok, type Patient, warn } from './finding.ts';

/** What scripts and functions run on. */
const RUNTIME_MAJOR = 24;

/** `HOLDFAST_CLI_NODE`: the Node that was asked first, when it handed over to the project's own. */
export async function checkNode({ outside: { env, root } }: Patient): Promise<Finding> {
  const asked = env.HOLDFAST_CLI_NODE ?? process.versions.node;
  const { engines = {} } = (await readJson(join(root, 'package.json'))) as { engines?: { node?: string } };
  const oldest = Number(/\d+/.exec(engines.node ?? '')?.[0] ?? 0);
  if (major(asked) < oldest)
    return fail('node', `Node ${asked} is too old: it takes ${oldest} or newer`, `Install Node ${RUNTIME_MAJOR}, then: npm ci`);
  const running = process.versions.node;
  if (major(running) < RUNTIME_MAJOR) {
    return fail('node', `Node ${running} runs this, and functions run on ${RUNTIME_MAJOR}`, "Install the project's own Node: npm ci");
  }
  return ok('node', asked === running ? `Node ${running}` : `Node ${asked}, which hands over to the project's ${running}`);
}

const major = (version: string): number => Number(version.split('.')[0]);

type Lock = { packages: Record<string, { version?: string; optional?: boolean; devOptional?: boolean; peer?: boolean; link?: boolean }> };

/** npm writes what it installed into node_modules/.package-lock.json. */
export async function checkDependencies({ outside: { root } }: Patient): Promise<Finding> {
  const remedy = 'Install what the lockfile says: npm ci';
  const wanted = (await readJson(join(root, 'package-lock.json')).catch(() => undefined)) as Lock | undefined;
  if (!wanted) return fail('dependencies', 'there is no package-lock.json', 'Take it from git: git checkout package-lock.json');
  const installed = (await readJson(join(root, 'node_modules', '.package-lock.json')).catch(() => undefined)) as Lock | undefined;
  if (!installed) return fail('dependencies', 'nothing is installed', remedy);
  const differing = Object.entries(wanted.packages).filter(([path, { version, optional, devOptional }]) => {
    if (path === '') return false;
    const there = installed.packages[path];
    // What is for another platform is not installed.
    return there === undefined ? !optional && !devOptional : there.version !== version;
  });
  const [first] = differing;
  if (!first) return ok('dependencies', `${Object.keys(installed.packages).length} packages, as the lockfile says`);
  const name = first[0].replace(/^.*node_modules\//, '');
  const found = installed.packages[first[0]]?.version ?? 'missing';
  return fail('dependencies', `${differing.length} differ from the lockfile: ${name} is ${found}, wanted ${first[1].version}`, remedy);
}

export async function checkConfig({ outside: { root, env }, settings: { stage } }: Patient): Promise<Finding> {
  try {
    const { default: config } = (await import(pathToFileURL(join(root, 'holdfast.config.ts')).href)) as { default: Config };
    resolveStage(config, stage, env);
    return ok('config', `holdfast.config.ts has the stage ${stage}`);
  } catch (error) {
    const message = (error as Error).message;
    if (!(error instanceof ConfigError)) return fail('config', `holdfast.config.ts cannot be loaded: ${message}`, 'Mend the file');
    // Needed for deploying, not for operating what is deployed.
    if (error.faults.every(({ field }) => field.endsWith('.auth.tokenHashes'))) return warn('config', message, 'Set it before you deploy');
    return fail('config', message, 'Mend the file, or give another --stage');
  }
}

const readJson = async (file: string): Promise<unknown> => JSON.parse(await readFile(file, 'utf8')) as unknown;
