/** Puts start messages on the queue that begins runs. Does not validate them: that is done where they are read. One without a key gets the id of its message. */
import type { SQSClient } from '@aws-sdk/client-sqs';
import type { StartQueue } from '../batch/ports.ts';
import type { Waiting } from './backoff.ts';
import { sendAll } from './sqs-batch.ts';

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
