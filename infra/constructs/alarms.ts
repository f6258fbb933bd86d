/** What a person must hear of: queues that nobody empties. */
import { ComparisonOperator, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Duration } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import type { Stage } from '../config.ts';
import type { Queues } from './queues.ts';

/** Far above a throttled burst, far below the days after which messages are gone. */
const OLD = Duration.hours(1);

export class Alarms extends Construct {
  constructor(scope: Construct, id: string, stage: Stage, queues: Queues) {
    super(scope, id);
    const name = (queue: string) => `holdfast-${stage.name}-${queue}`;
    this.#whenOld('Start', name('start'), queues.start, 'Runs are not started: look at the worker for errors and throttling.');
    this.#whenOld('Wake', name('wake'), queues.wake, 'Runs are not woken: look at the worker for errors and throttling.');
    this.#whenOld(
      'DeadLetters',
      name('dead-letters'),
      queues.deadLetters,
      'Dead letters are not put on record: look at the dead-letters function.',
    );
  }

  #whenOld(id: string, queueName: string, queue: Queue, description: string) {
    queue.metricApproximateAgeOfOldestMessage({ period: Duration.minutes(5), statistic: 'Maximum' }).createAlarm(this, id, {
      alarmName: `${queueName}-age`,
      alarmDescription: description,
      threshold: OLD.toSeconds(),
      comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
      evaluationPeriods: 1,
      treatMissingData: TreatMissingData.NOT_BREACHING,
    });
  }
}
