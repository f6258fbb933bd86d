/** The stage `localstack` of holdfast.config.ts as a cloud assembly: under a name of its own, with test workflows in place of the examples. */
import { join } from 'node:path';
import { App } from 'aws-cdk-lib/core';
import { build, type Plugin } from 'esbuild';
import config from '../../../holdfast.config.ts';
import { bundleOptions } from '../../../infra/bundle.ts';
import { resolveStage, type Stage } from '../../../infra/config.ts';
import { CONTEXT } from '../../../infra/context.ts';
import { FUNCTIONS, type FunctionName } from '../../../infra/settings.ts';
import { HoldfastStack } from '../../../infra/stack.ts';
import { deployedVersion } from '../../../infra/version.ts';

/** As it is deployed by `npm run deploy:local`, but for its name, what it calls and, where that is given, the worker's timeout in seconds. */
export function testStage(name: string, apiUrl: string, timeout?: number): Stage {
  const { localstack } = config.stages;
  if (!localstack) throw new Error('holdfast.config.ts has no stage "localstack": the suite deploys it under names of its own');
  const given = {
    ...localstack,
    vars: { 'test-api': apiUrl },
    worker: { ...localstack.worker, ...(timeout === undefined ? {} : { timeout }) },
  };
  return resolveStage({ stages: { [name]: given } }, name, process.env);
}

/** `workflows`: the file whose `workflows` are deployed. `dir` gets the assembly; resolves with its folder and the version that it deploys. */
export async function assemble(stage: Stage, workflows: string, dir: string): Promise<{ assembly: string; version: string }> {
  const bundles = Object.fromEntries(FUNCTIONS.map((name) => [name, join(dir, 'bundles', name)])) as Record<FunctionName, string>;
  await Promise.all(FUNCTIONS.map((name) => build(withWorkflows(name, bundles[name], workflows))));
  const outdir = join(dir, 'assembly');
  const version = await deployedVersion(bundles);
  const app = new App({ outdir, context: CONTEXT, analyticsReporting: false, autoSynth: false });
  new HoldfastStack(app, stage, { bundles, version });
  app.synth();
  return { assembly: outdir, version };
}

const CONNECTIONS = join(import.meta.dirname, 'workflows', 'connections.ts');

function withWorkflows(name: FunctionName, dir: string, workflows: string) {
  const options = bundleOptions(join('functions', `${name}.ts`), dir);
  const swap: Plugin = {
    name: 'test workflows',
    setup({ onResolve }) {
      onResolve({ filter: /^\.\.\/workflows\/index\.ts$/ }, () => ({ path: workflows }));
      onResolve({ filter: /^\.\.\/connections\/index\.ts$/ }, () => ({ path: CONNECTIONS }));
    },
  };
  return { ...options, plugins: [swap, ...(options.plugins ?? [])] };
}
