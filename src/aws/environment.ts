/** The composition of all ports on AWS, from the environment. Made once, outside the handler: sockets and caches outlive invocations. */
import type { StartQueue, Uploads } from '../batch/ports.ts';
import type { Clock, Entropy, PayloadStore, RunStore, SecretSource, TokenStore, WakeQueue } from '../engine/ports.ts';
import { awsClients, type Clients } from './clients.ts';
import { systemClock } from './clock.ts';
import { type DeadLetterQueue, sqsDeadLetterQueue } from './dead-letter-queue.ts';
import type { Env } from './endpoints.ts';
import { systemEntropy } from './entropy.ts';
import { type MessageDeleter, messageDeleter } from './message-deleter.ts';
import { s3PayloadStore } from './payload-store.ts';
import { dynamoRunStore } from './run-store.ts';
import { secretSource } from './secrets.ts';
import { readSettings, type Settings } from './settings.ts';
import { sqsStartQueue } from './start-queue.ts';
import { dynamoTokenStore } from './token-store.ts';
import { s3Uploads } from './uploads.ts';
import { sqsWakeQueue } from './wake-queue.ts';

export type Environment = {
  settings: Settings;
  clients: Clients;
  clock: Clock;
  entropy: Entropy;
  runs: RunStore;
  payloads: PayloadStore;
  wakes: WakeQueue;
  starts: StartQueue;
  uploads: Uploads;
  tokens: TokenStore;
  deadLetters: DeadLetterQueue;
  secrets: SecretSource;
  deleter: MessageDeleter;
};

/** Throws `E_BAD_OPTION` naming the variables at fault. */
export function awsEnvironment(env: Env): Environment {
  const settings = readSettings(env);
  const clients = awsClients(env);
  const clock = systemClock();
  const entropy = systemEntropy();
  // Between two rounds of a request nothing else keeps the process alive.
  const waiting = { clock: systemClock({ keepAlive: true }), entropy };
  return {
    settings,
    clients,
    clock,
    entropy,
    runs: dynamoRunStore({ ...waiting, client: clients.dynamodb, table: settings.runsTable, retentionDays: settings.retentionDays }),
    payloads: s3PayloadStore(clients.s3, settings.payloadsBucket),
    wakes: sqsWakeQueue(clients.sqs, settings.wakeQueueUrl, waiting),
    starts: sqsStartQueue(clients.sqs, settings.startQueueUrl, waiting),
    uploads: s3Uploads(clients.s3, settings.payloadsBucket, { clock, entropy }),
    tokens: dynamoTokenStore(clients.dynamodb, settings.connectionsTable),
    deadLetters: sqsDeadLetterQueue(clients.sqs, settings.deadLetterQueueUrl, waiting),
    secrets: secretSource(settings.secrets, clients, clock),
    deleter: messageDeleter(clients.sqs, clock),
  };
}

/** Which of the queues an event source mapping's ARN means: both end in the queue's name. */
export function queueUrlOfArn(arn: string, urls: readonly string[]): string | undefined {
  const name = arn.slice(arn.lastIndexOf(':') + 1);
  return urls.find((url) => url.slice(url.lastIndexOf('/') + 1) === name);
}
