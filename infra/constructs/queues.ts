/** The queues: what starts runs, what wakes them, and what could not be worked on. */

import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Duration, RemovalPolicy } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import type { Stage } from '../config.ts';
import { TIMEOUTS } from '../settings.ts';

/** A message comes again this long after the function that had it must have ended. */
const VISIBILITY_MARGIN = Duration.seconds(30);
/** Deploying again and again under load makes receives that are nobody's fault. */
const MAX_RECEIVES = 20;

export class Queues extends Construct {
  readonly start: Queue;
  readonly wake: Queue;
  readonly deadLetters: Queue;

  constructor(scope: Construct, id: string, stage: Stage) {
    super(scope, id);
    const queue = (name: string, timeout: number, retention: Duration, redriveTo?: Queue) =>
      new Queue(
        this,
        name.replace(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase()),
        {
          queueName: `holdfast-${stage.name}-${name}`,
          visibilityTimeout: Duration.seconds(timeout).plus(VISIBILITY_MARGIN),
          retentionPeriod: retention,
          encryption: QueueEncryption.SQS_MANAGED,
          enforceSSL: true,
          // A message is somebody's run: only a disposable stage throws it away with its stack.
          removalPolicy: stage.disposable ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN,
          ...(redriveTo ? { deadLetterQueue: { queue: redriveTo, maxReceiveCount: MAX_RECEIVES } } : {}),
        },
      );
    this.deadLetters = queue('dead-letters', TIMEOUTS['dead-letters'], Duration.days(14));
    this.start = queue('start', stage.worker.timeout, Duration.days(4), this.deadLetters);
    this.wake = queue('wake', stage.worker.timeout, Duration.days(4), this.deadLetters);
  }
}
