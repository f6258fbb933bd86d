/** Sends a message that can never become a run to the dead-letter queue at once, with its reason beside it. */
import type { SQSClient } from '@aws-sdk/client-sqs';
import { DEAD_LETTER_ATTRIBUTES } from '../engine/dead-letters.ts';
import type { ErrorData } from '../engine/errors.ts';
import type { Waiting } from './backoff.ts';
import { sendAll } from './sqs-batch.ts';

export type Refused = {
  /** Of the message as it came: its new one on the dead-letter queue says nothing. */
  messageId: string;
  body: string;
  reason: ErrorData;
  /** When it was first sent, milliseconds since the epoch. */
  sentAt: number;
  tenant?: string;
};

export type DeadLetterQueue = { refuse(messages: readonly Refused[]): Promise<void> };

/** Attributes count into the message's size; a stack says nothing about a message, and details can be long. */
const LONGEST_MESSAGE = 1_000;

export function sqsDeadLetterQueue(sqs: SQSClient, queueUrl: string, waiting: Waiting): DeadLetterQueue {
  return {
    refuse: (messages) =>
      sendAll(
        sqs,
        queueUrl,
        messages.map(({ messageId, body, reason, sentAt, tenant = 'default' }) => ({
          body,
          tenant,
          attributes: {
            [DEAD_LETTER_ATTRIBUTES.reason]: JSON.stringify(brief(reason)),
            [DEAD_LETTER_ATTRIBUTES.messageId]: messageId,
            [DEAD_LETTER_ATTRIBUTES.sentAt]: String(sentAt),
          },
        })),
        waiting,
      ),
  };
}

function brief({ code, message, detail }: ErrorData): ErrorData {
  const pointer = detail?.pointer;
  return { code, message: message.slice(0, LONGEST_MESSAGE), ...(pointer === undefined ? {} : { detail: { pointer } }) };
}
