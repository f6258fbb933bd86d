/** Puts messages into the start queue, ten a request. */
import { SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs';

export type QueueTarget = { awsUrl: string; queueUrl: string };

const MOST_TRIES = 3;

/** Resolves when the queue has them all. Throws naming the service's reason when it keeps refusing some. */
export async function sendAll({ awsUrl, queueUrl }: QueueTarget, bodies: readonly string[], sent: (count: number) => void): Promise<void> {
  const sqs = new SQSClient({ endpoint: awsUrl, region: 'us-east-1', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } });
  try {
    for (let from = 0; from < bodies.length; from += 10) {
      await sendTen(sqs, queueUrl, bodies.slice(from, from + 10));
      sent(Math.min(from + 10, bodies.length));
    }
  } finally {
    sqs.destroy();
  }
}

async function sendTen(sqs: SQSClient, queueUrl: string, bodies: readonly string[]): Promise<void> {
  let entries = bodies.map((body, i) => ({ Id: String(i), MessageBody: body }));
  for (let tries = 1; entries.length > 0; tries++) {
    const { Failed = [] } = await sqs.send(new SendMessageBatchCommand({ QueueUrl: queueUrl, Entries: entries }));
    if (Failed.length > 0 && tries === MOST_TRIES) throw new Error(`the start queue refused a message: ${Failed[0]?.Message}`);
    entries = entries.filter(({ Id }) => Failed.some((failure) => failure.Id === Id));
  }
}
