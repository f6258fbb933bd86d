/** Every stage is synthesised as it would be deployed, and passes what a template must pass; each waiver is for something that is there. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type App, Validations } from 'aws-cdk-lib/core';
import { AwsSolutionsChecks } from 'cdk-nag';
import { describe, expect, it, onTestFinished } from 'vitest';
import config from '../../holdfast.config.ts';
import { ROOT } from '../../infra/bundle.ts';
import { resolveStage } from '../../infra/config.ts';
import { validate } from '../../infra/validation.ts';
import { waive, waivers } from '../../infra/waivers.ts';
import { stackOf } from './support/template.ts';

const HASH = 'ab'.repeat(32);

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-validation-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** What nag finds in a stage, as `rule at path`. */
function found(stage: string, given: typeof config, waived: boolean): string[] {
  const stack = stackOf(given, stage, { HOLDFAST_API_TOKEN_SHA256: HASH });
  if (waived) waive(stack, resolveStage(given, stage, { HOLDFAST_API_TOKEN_SHA256: HASH }));
  const { violations } = new AwsSolutionsChecks(stack.node.root).validateScope(stack);
  return violations.flatMap(({ ruleName, violatingResources }) =>
    violatingResources.map(({ constructPath = '' }) => `${ruleName} at ${constructPath.slice(stack.node.path.length + 1)}`),
  );
}

describe('synthesis', () => {
  it.each(Object.keys(config.stages))('of stage %s passes CloudFormation’s schemas and cdk-nag', async (stage) => {
    const dir = folder();
    await promisify(execFile)(process.execPath, [join(ROOT, 'infra', 'app.ts')], {
      cwd: ROOT,
      env: { ...process.env, CDK_OUTDIR: dir, CDK_VALIDATION: 'true', HOLDFAST_STAGE: stage, HOLDFAST_API_TOKEN_SHA256: HASH },
    });
    expect(JSON.parse(await readFile(join(dir, 'validation-report.json'), 'utf8'))).toMatchObject({ pluginReports: [] });
  });
});

describe('waivers', () => {
  const everything = {
    stages: {
      ...config.stages,
      full: { auth: { tokenHashes: [HASH] }, alarms: { email: 'ops@example.com', coverage: 'full' as const }, dashboard: true },
    },
  };

  it.each(Object.keys(everything.stages))('leave nothing of stage %s that nag complains of', (stage) => {
    expect(found(stage, everything, true)).toEqual([]);
  });

  it.each(Object.keys(everything.stages))('of stage %s are all for something that nag does complain of', (stage) => {
    const complaints = found(stage, everything, false);
    const stack = stackOf(everything, stage, { HOLDFAST_API_TOKEN_SHA256: HASH });
    const given = waivers(stack, resolveStage(everything, stage, { HOLDFAST_API_TOKEN_SHA256: HASH }));
    const needless = given.flatMap(({ rule, at }) =>
      at.filter((path) => !complaints.some((complaint) => complaint.startsWith(`${rule} at ${path}/`))).map((path) => `${rule} at ${path}`),
    );
    expect(needless).toEqual([]);
  });

  it.each(Object.keys(everything.stages))(
    'let stage %s through with everything checked, and without a warning for --strict to stop at',
    (stage) => {
      const env = { HOLDFAST_API_TOKEN_SHA256: HASH };
      const stack = stackOf(everything, stage, env);
      const app = stack.node.root as App;
      validate(app, stack, resolveStage(everything, stage, env));
      const assembly = app.synth();
      expect(assembly.getStackByName(`holdfast-${stage}`).messages.map(({ entry }) => entry.data)).toEqual([]);
      expect(JSON.parse(readFileSync(join(assembly.directory, 'validation-report.json'), 'utf8'))).toMatchObject({ pluginReports: [] });
    },
  );

  it('say why in a sentence', () => {
    const stack = stackOf(config, 'prod', { HOLDFAST_API_TOKEN_SHA256: HASH });
    for (const { reason } of waivers(stack, resolveStage(config, 'prod', { HOLDFAST_API_TOKEN_SHA256: HASH }))) {
      expect(reason).toMatch(/^[A-Z].{40,}\.$/);
    }
  });
});

describe('validation', () => {
  it('fails a synthesis that breaks a rule without a waiver', () => {
    const stack = stackOf(config, 'prod', { HOLDFAST_API_TOKEN_SHA256: HASH });
    const app = stack.node.root as App;
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
    expect(() => app.synth()).toThrow(/validation/i);
  });
});
