/** The dead-letter queue's Lambda: wiring only. A message that could not be drained stays, and comes again. */
import { Logger } from '@aws-lambda-powertools/logger';
import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware';
import middy from '@middy/core';
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { emf } from '../src/aws/emf.ts';
import { awsEnvironment } from '../src/aws/environment.ts';
import { logged } from '../src/aws/logged-error.ts';
import { type DeadMessage, drainDeadLetter } from '../src/engine/dead-letters.ts';

const { clock, runs, payloads, settings } = awsEnvironment(process.env);
const logger = new Logger({ serviceName: 'holdfast-dead-letters', persistentLogAttributes: { stage: settings.stage } });
const metrics = emf(settings.stage);

export const handler = middy<SQSEvent, SQSBatchResponse>()
  .use(injectLambdaContext(logger))
  .handler(async (event: SQSEvent): Promise<SQSBatchResponse> => {
    const batchItemFailures: SQSBatchResponse['batchItemFailures'] = [];
    await Promise.all(
      event.Records.map(async (record) => {
        try {
          const drained = await drainDeadLetter({ store: runs, payloads, clock }, messageOf(record));
          logger.info('dead letter', { message: record.messageId, ...drained });
          if (drained.outcome === 'kept') metrics.count('DeadLetters');
        } catch (error) {
          logger.error('a dead letter could not be drained', { message: record.messageId, error: logged(error) });
          batchItemFailures.push({ itemIdentifier: record.messageId });
        }
      }),
    );
    metrics.flush();
    return { batchItemFailures };
  });

function messageOf(record: SQSRecord): DeadMessage {
  return {
    messageId: record.messageId,
    body: record.body,
    sentAt: Number(record.attributes.SentTimestamp),
    ...(record.attributes.MessageGroupId === undefined ? {} : { tenant: record.attributes.MessageGroupId }),
    attributes: Object.fromEntries(Object.entries(record.messageAttributes).map(([name, { stringValue }]) => [name, stringValue])),
  };
}
