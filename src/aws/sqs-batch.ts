/** Sends messages in as few requests as SQS allows, and what it refused in part again. Knows nothing of what they say. */
import { type MessageAttributeValue, SendMessageBatchCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { backoff, type Waiting } from './backoff.ts';

export type Outgoing = {
  body: string;
  /** MessageGroupId: SQS serves tenants of a standard queue fairly by it. */
  tenant: string;
  delaySeconds?: number;
  attributes?: Record<string, string>;
};

const MOST_ENTRIES = 10;
/** The service's own limit for one request was this for most of its life, and is still that of some emulators. */
const MOST_BYTES = 256 * 1024;
const ROUNDS = 4;

/** Resolves when the queue has all of them; throws when some are still refused after four rounds. */
export async function sendAll(sqs: SQSClient, queueUrl: string, messages: readonly Outgoing[], waiting: Waiting): Promise<void> {
  await Promise.all(chunks(messages).map((chunk) => sendChunk(sqs, queueUrl, chunk, waiting)));
}

async function sendChunk(sqs: SQSClient, queueUrl: string, chunk: readonly Outgoing[], waiting: Waiting): Promise<void> {
  let left = chunk.map((message, index) => entry(message, String(index)));
  for (let round = 0; ; round++) {
    if (round > 0) await backoff(waiting, round);
    const answer = await sqs.send(new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries: left }));
    const failed = new Map((answer.Failed ?? []).map((failure) => [failure.Id, failure]));
    if (failed.size === 0) return;
    left = left.filter(({ Id }) => failed.has(Id));
    const fault =
      [...failed.values()].find((failure) => failure.SenderFault) ?? (round + 1 === ROUNDS ? [...failed.values()][0] : undefined);
    if (fault) {
      throw new Error(`${left.length} of ${chunk.length} messages were refused by ${queueUrl}: ${fault.Code ?? ''} ${fault.Message ?? ''}`);
    }
  }
}

function entry({ body, tenant, delaySeconds, attributes }: Outgoing, id: string) {
  return {
    Id: id,
    MessageBody: body,
    MessageGroupId: tenant,
    ...(delaySeconds ? { DelaySeconds: delaySeconds } : {}),
    ...(attributes ? { MessageAttributes: attributeValues(attributes) } : {}),
  };
}

function attributeValues(attributes: Record<string, string>): Record<string, MessageAttributeValue> {
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, { DataType: 'String', StringValue: value }]));
}

function chunks(messages: readonly Outgoing[]): Outgoing[][] {
  const all: Outgoing[][] = [];
  let bytes = 0;
  for (const message of messages) {
    const size = sizeOf(message);
    const last = all.at(-1);
    if (last && last.length < MOST_ENTRIES && bytes + size <= MOST_BYTES) {
      last.push(message);
      bytes += size;
    } else {
      all.push([message]);
      bytes = size;
    }
  }
  return all;
}

function sizeOf({ body, attributes = {} }: Outgoing): number {
  return Object.entries(attributes).reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value) + 'String'.length,
    Buffer.byteLength(body),
  );
}
