/** The secret from which idempotency keys are made: so that a new stage needs no hand-made one for its first keyed call. */
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { RemovalPolicy } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { type Stage, secretsPrefix } from '../config.ts';

/** As src/http asks for it. */
export const DEPLOYMENT_KEY = 'holdfast/deployment-key';

export class DeploymentKey extends Construct {
  constructor(scope: Construct, id: string, stage: Stage) {
    super(scope, id);
    const prefix = secretsPrefix(stage);
    if (prefix === undefined) return;
    // Made once and never rotated: with another key, an API would take a repeated call for a new one.
    new Secret(this, 'Secret', {
      secretName: `${prefix}${DEPLOYMENT_KEY}`,
      description: `Holdfast, stage ${stage.name}: idempotency keys are made from it. Do not change it while runs are under way.`,
      generateSecretString: { passwordLength: 64, excludePunctuation: true },
      removalPolicy: stage.disposable ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN,
    });
  }
}
