/** WakeQueue on SQS. */
import type { SQSClient } from '@aws-sdk/client-sqs';
import { HoldfastError } from '../engine/errors.ts';
import type { WakeQueue } from '../engine/ports.ts';
import type { Waiting } from './backoff.ts';
import { sendAll } from './sqs-batch.ts';

/** SQS delays by whole seconds, at most this many. */
const MOST_SECONDS = 900;

export function sqsWakeQueue(sqs: SQSClient, queueUrl: string, waiting: Waiting): WakeQueue {
  return {
    async wake(messages) {
      const outgoing = messages.map(({ run, traceparent, tenant, delayMs = 0 }) => {
        const delaySeconds = Math.ceil(delayMs / 1_000);
        if (!(delayMs >= 0 && delaySeconds <= MOST_SECONDS)) {
          throw new HoldfastError('E_INTERNAL', `a wake of ${run} is delayed by ${delayMs} ms`);
        }
        return { body: JSON.stringify({ run, ...(traceparent === undefined ? {} : { traceparent }) }), tenant, delaySeconds };
      });
      await sendAll(sqs, queueUrl, outgoing, waiting);
    },
  };
}
