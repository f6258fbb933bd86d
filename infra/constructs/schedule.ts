/** What makes every run move: the sweeper, each minute. */
import { Rule, Schedule as RuleSchedule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction as Target } from 'aws-cdk-lib/aws-events-targets';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import { Duration } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import type { Stage } from '../config.ts';

export class Schedule extends Construct {
  constructor(scope: Construct, id: string, stage: Stage, sweeper: LambdaFunction) {
    super(scope, id);
    new Rule(this, 'Sweep', {
      ruleName: `holdfast-${stage.name}-sweep`,
      schedule: RuleSchedule.rate(Duration.minutes(1)),
      // A sweep that could not be delivered is made up for by the next.
      targets: [new Target(sweeper, { retryAttempts: 0, maxEventAge: Duration.minutes(1) })],
    });
  }
}
