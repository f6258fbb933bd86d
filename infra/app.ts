/**
 * The CDK app: one stage, its bundles, its stack. Started by the CDK's CLI, or by `CDK_OUTDIR=<dir> node infra/app.ts` without it.
 * The stage is `-c stage=<name>`, HOLDFAST_STAGE or `local`.
 */
import { join } from 'node:path';
import { App } from 'aws-cdk-lib/core';
import config from '../holdfast.config.ts';
import { bundleAll, ROOT } from './bundle.ts';
import { checkProject } from './checks.ts';
import { ConfigError, resolveStage, variables } from './config.ts';
import { CONTEXT } from './context.ts';
import { EMBEDDED_STAGE } from './names.ts';
import { FUNCTIONS } from './settings.ts';
import { HoldfastStack } from './stack.ts';
import { deployedVersion } from './version.ts';

try {
  const outdir = process.env.CDK_OUTDIR ?? join(ROOT, 'cdk.out');
  const app = new App({ outdir, context: CONTEXT, analyticsReporting: false, autoSynth: false });
  const name = (app.node.tryGetContext('stage') as string | undefined) ?? (process.env.HOLDFAST_STAGE || EMBEDDED_STAGE);
  const stage = resolveStage(config, name, process.env);
  Object.assign(process.env, variables(stage));
  const [bundles] = await Promise.all([
    bundleAll(join(outdir, 'bundles'), { sourcemap: process.env.HOLDFAST_SOURCEMAP === '1' }),
    checkProject(ROOT, stage),
  ]);
  const folders = Object.fromEntries(FUNCTIONS.map((fn) => [fn, bundles[fn].dir])) as Record<(typeof FUNCTIONS)[number], string>;
  const stack = new HoldfastStack(app, stage, { bundles: folders, version: await deployedVersion(folders) });
  // `npm start` is not kept waiting for checks of what is never deployed: a test makes them.
  if (name === EMBEDDED_STAGE && process.env.CDK_VALIDATION !== 'true') process.env.CDK_VALIDATION = 'false';
  else (await import('./validation.ts')).validate(app, stack, stage);
  app.synth();
} catch (error) {
  // What a person can mend is said without a stack.
  const mendable = error instanceof ConfigError || (error instanceof Error && 'errors' in error);
  console.error(mendable ? error.message : error);
  process.exitCode = 1;
}
