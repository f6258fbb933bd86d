/** Puts start messages on the queue that begins runs. Does not validate them: that is done where they are read. */
import type { SQSClient } from '@aws-sdk/client-sqs';
import type { StartRequest } from '../engine/start.ts';
import type { Waiting } from './backoff.ts';
import { sendAll } from './sqs-batch.ts';

export type StartQueue = {
  /** Resolves when the queue has all of them. A request without an idempotency key gets the id of its message. */
  start(requests: readonly StartRequest[]): Promise<void>;
};

export function sqsStartQueue(sqs: SQSClient, queueUrl: string, waiting: Waiting): StartQueue {
  return {
    start: (requests) =>
      sendAll(
        sqs,
        queueUrl,
        requests.map((request) => ({ body: JSON.stringify(request), tenant: request.tenant ?? 'default' })),
        waiting,
      ),
  };
}
