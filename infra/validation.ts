/** What a template must pass before it leaves this machine, besides CloudFormation's schemas, which CDK checks by itself: cdk-nag's AWS Solutions. */
import { type App, type Stack, Validations } from 'aws-cdk-lib/core';
import { AwsSolutionsChecks } from 'cdk-nag';
import type { Stage } from './config.ts';
import { waive } from './waivers.ts';

/** Synthesis fails with what they find; what is broken on purpose is in waivers.ts. */
export function validate(app: App, stack: Stack, stage: Stage): void {
  waive(stack, stage);
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
}
