/** The composition of all ports on AWS, from the environment. Made once, outside the handler: sockets and caches outlive invocations. */
import type { StartQueue } from '../batch/ports.ts';
import type { Clock, Entropy, PayloadStore, SecretSource, WakeQueue, WorkStore } from '../engine/ports.ts';
import { awsClients, type Clients } from './clients.ts';
import { systemClock } from './clock.ts';
import type { Env } from './endpoints.ts';
import { systemEntropy } from './entropy.ts';
import { type MessageDeleter, messageDeleter } from './message-deleter.ts';
import { s3PayloadStore } from './payload-store.ts';
import { dynamoWorkStore } from './run-store.ts';
import type { RunTable } from './run-table.ts';
import { secretSource } from './secrets.ts';
import { readSettings, type Settings } from './settings.ts';
import { sqsStartQueue } from './start-queue.ts';
import { sqsWakeQueue } from './wake-queue.ts';

export type Environment = {
  settings: Settings;
  clients: Clients;
  clock: Clock;
  entropy: Entropy;
  /** Where runs are, for those who need more of it than a worker. */
  runTable: RunTable;
  runs: WorkStore;
  payloads: PayloadStore;
  wakes: WakeQueue;
  starts: StartQueue;
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
  const runTable = { ...waiting, client: clients.dynamodb, table: settings.runsTable, retentionDays: settings.retentionDays };
  return {
    settings,
    clients,
    clock,
    entropy,
    runTable,
    runs: dynamoWorkStore(runTable),
    payloads: s3PayloadStore(clients.s3, settings.payloadsBucket),
    wakes: sqsWakeQueue(clients.sqs, settings.wakeQueueUrl, waiting),
    starts: sqsStartQueue(clients.sqs, settings.startQueueUrl, waiting),
    secrets: secretSource(settings.secrets, clients, clock),
    deleter: messageDeleter(clients.sqs, clock),
  };
}

/** Which of the queues an event source mapping's ARN means: both end in the queue's name. */
export function queueUrlOfArn(arn: string, urls: readonly string[]): string | undefined {
  const name = arn.slice(arn.lastIndexOf(':') + 1);
  return urls.find((url) => url.slice(url.lastIndexOf('/') + 1) === name);
}
