/** The worker's Lambda, for both queues: wiring only. */
import { Logger } from '@aws-lambda-powertools/logger';
import { injectLambdaContext } from '@aws-lambda-powertools/logger/middleware';
import middy from '@middy/core';
import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import * as z from 'zod/mini';
import en from 'zod/v4/locales/en.js';
import { createAdmission } from '../src/admission/admission.ts';
import { dynamoAdmissionStore } from '../src/aws/admission-store.ts';
import { systemClock } from '../src/aws/clock.ts';
import { awsEnvironment, queueUrlOfArn } from '../src/aws/environment.ts';
import { logged } from '../src/aws/logged-error.ts';
import { telemetry } from '../src/aws/telemetry.ts';
import { registryWith } from '../src/batch/built-in.ts';
import { batchWorkflow } from '../src/batch/workflow.ts';
import { declareWorker } from '../src/engine/context.ts';
import { watchStrays } from '../src/engine/strays.ts';
import { createWorker, type Received } from '../src/engine/worker.ts';
import { deploymentKey } from '../src/http/auth/deployment-key.ts';
import { httpRuntime, usePlainRuntime } from '../src/http/runtime.ts';
import { workflows } from '../workflows/index.ts';

// zod/mini comes without words: a dead letter's reason must say what the input must be.
z.config(en());

const environment = awsEnvironment(process.env);
const { settings, deleter, entropy } = environment;
const logger = new Logger({ serviceName: 'holdfast-worker', persistentLogAttributes: { stage: settings.stage } });
/** A run that waits a second for its next try has nothing else that keeps the process alive. */
const clock = systemClock({ keepAlive: true });

const { observe, tracer, middleware } = await telemetry({ stage: settings.stage, logger, clock });

const admission = createAdmission({
  store: dynamoAdmissionStore(environment.clients.dynamodb, settings.connectionsTable),
  clock,
  entropy,
  instances: settings.instances,
});
const isDeveloper = settings.secrets.kind === 'env-file';
const http = httpRuntime({
  clock,
  entropy,
  secrets: environment.secrets,
  allow: settings.allow,
  deploymentKey: () => deploymentKey(environment.secrets, { isDeveloper }),
  credentials,
  admission,
  tracer,
});
// What steps call is not journaled, and goes the same way.
usePlainRuntime(http);
declareWorker();
const worker = createWorker({
  store: environment.runs,
  payloads: environment.payloads,
  wake: environment.wakes,
  clock,
  entropy,
  observe,
  registry: registryWith(workflows, (registered) => batchWorkflow({ uploads, starts: environment.starts, registry: registered })),
  services: { http },
  strays: watchStrays((reason) => logger.error('a rejection that belongs to no run', { error: logged(reason) })),
});

export const handler = middy<SQSEvent, SQSBatchResponse>()
  .use(injectLambdaContext(logger))
  .use(middleware)
  .handler(async (event: SQSEvent, context: Context): Promise<SQSBatchResponse> => {
    const records = new Map(event.Records.map((record) => [received(record), record]));
    const kept = await worker.handle([...records.keys()], {
      deadline: clock.now() + context.getRemainingTimeInMillis(),
      owner: context.awsRequestId,
      done(message) {
        const record = records.get(message);
        const queue = record && queueUrlOfArn(record.eventSourceARN, [settings.startQueueUrl, settings.wakeQueueUrl]);
        // Not awaited: it is gathered with others. One that stays comes again and finds its run written.
        if (record && queue) void deleter.delete(queue, record.receiptHandle);
      },
    });
    await Promise.all([deleter.leave(), http.admission?.leave()]);
    return { batchItemFailures: kept.map((message) => ({ itemIdentifier: message.id })) };
  });

async function uploads() {
  const { s3Uploads } = await import('../src/aws/uploads.ts');
  return s3Uploads(environment.clients.s3, settings.payloadsBucket, { clock, entropy });
}

async function credentials() {
  const { dynamoCredentialStore } = await import('../src/aws/credential-store.ts');
  return dynamoCredentialStore(environment.clients.dynamodb, settings.connectionsTable);
}

function received(record: SQSRecord): Received {
  const wake = queueUrlOfArn(record.eventSourceARN, [settings.startQueueUrl]) === undefined;
  const tenant = record.attributes.MessageGroupId;
  return {
    id: record.messageId,
    queue: wake ? 'wake' : 'start',
    body: record.body,
    receiveCount: Number(record.attributes.ApproximateReceiveCount),
    ...(tenant === undefined ? {} : { tenant }),
  };
}
