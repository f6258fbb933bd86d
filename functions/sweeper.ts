/** The sweeper's Lambda: every minute, wiring only. */
import { Logger } from '@aws-lambda-powertools/logger';
import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware';
import middy from '@middy/core';
import type { Context, ScheduledEvent } from 'aws-lambda';
import { awsEnvironment } from '../src/aws/environment.ts';
import { sweep } from '../src/engine/sweep.ts';

const { clock, runs, wakes, settings } = awsEnvironment(process.env);
const logger = new Logger({ serviceName: 'holdfast-sweeper', persistentLogAttributes: { stage: settings.stage } });

/** A batch of a hundred runs takes well under this. */
const RESERVE_MS = 5_000;

export const handler = middy<ScheduledEvent, void>()
  .use(injectLambdaContext(logger))
  .handler(async (_event: ScheduledEvent, context: Context): Promise<void> => {
    const until = clock.now() + context.getRemainingTimeInMillis() - RESERVE_MS;
    const swept = await sweep({ store: runs, wakes, clock }, { until });
    if (swept.looked > 0) logger.info('swept', swept);
    if (swept.left) logger.warn('time ran out before all runs that are due were looked at: the next sweep goes on');
  });
