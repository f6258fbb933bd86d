/**
 * One event source mapping: moves messages from a queue into a function as Lambda's pollers do. It is woken when a message becomes
 * visible, receives only for an environment that is free, never waits in a receive, and leaves failed messages to their visibility timeout.
 */
import type { AwsClient } from './aws/client.ts';
import type { Lease, Pool } from './lambda/pool.ts';
import { type ReceivedMessage, sqsEvent, succeeded } from './sqs-event.ts';
import type { EventSourceDescription } from './template/description.ts';

export type EventSource = {
  readonly queue: string;
  /** Something may be there. */
  wake(): void;
  stats(): { running: number; batches: number; messages: number };
  /** Receives no more; resolves when nothing is on its way from the queue. */
  stop(): Promise<void>;
};

export type EventSourceOptions = {
  source: EventSourceDescription;
  aws: AwsClient;
  pool: Pool;
  /** An AWS call failed, which a running server does not do. */
  onError: (error: Error) => void;
};

const RECEIVE_MAX = 10;
/** Wakes can be lost with a connection; messages cannot. */
const SAFETY_POLL_MS = 1_000;
/** An invocation's payload is at most 6 MB; ten more messages must fit. */
const BATCH_BYTES = 3 * 1024 * 1024;

export function startEventSource({ source, aws, pool, onError }: EventSourceOptions): EventSource {
  const { queue, batchSize, windowMs, reportBatchItemFailures } = source;
  const QueueUrl = aws.queueUrl(queue.name);
  const limit = source.maxConcurrency ?? Number.POSITIVE_INFINITY;
  const count = { running: 0, batches: 0, messages: 0 };
  let pumping: Promise<void> | undefined;
  let again = false;
  let stopped = false;
  let woken: (() => void) | undefined;

  async function receive(most: number): Promise<ReceivedMessage[]> {
    const { Messages } = await aws.call<{ Messages?: ReceivedMessage[] }>('sqs', 'ReceiveMessage', {
      QueueUrl,
      MaxNumberOfMessages: Math.min(RECEIVE_MAX, most),
      WaitTimeSeconds: 0,
      MessageSystemAttributeNames: ['All'],
      MessageAttributeNames: ['All'],
    });
    return Messages ?? [];
  }

  const wokenOrAfter = (ms: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      woken = () => {
        clearTimeout(timer);
        resolve();
      };
    }).finally(() => {
      woken = undefined;
    });

  /** A full batch, or what there is when the window closes. */
  async function gather(): Promise<ReceivedMessage[]> {
    const batch = await receive(batchSize);
    let bytes = batch.reduce((sum, { Body }) => sum + Body.length, 0);
    let full = batch.length === RECEIVE_MAX;
    const closes = Date.now() + windowMs;
    while (batch.length > 0 && batch.length < batchSize && bytes < BATCH_BYTES && !stopped) {
      if (!full) {
        const left = closes - Date.now();
        if (left <= 0) break;
        await wokenOrAfter(left);
      }
      const more = await receive(batchSize - batch.length);
      full = more.length === RECEIVE_MAX;
      bytes += more.reduce((sum, { Body }) => sum + Body.length, 0);
      batch.push(...more);
    }
    return batch;
  }

  async function handle(lease: Lease, batch: ReceivedMessage[]): Promise<void> {
    let result: string;
    try {
      result = await lease.invoke(JSON.stringify(sqsEvent(batch, queue.arn)));
    } catch {
      // The pool has told of it. The messages come back when their visibility timeout has passed, as on Lambda.
      return;
    }
    const done = succeeded(batch, result, reportBatchItemFailures);
    const tens = Array.from({ length: Math.ceil(done.length / RECEIVE_MAX) }, (_, n) => done.slice(n * RECEIVE_MAX, (n + 1) * RECEIVE_MAX));
    await Promise.all(
      tens.map((ten) => {
        const Entries = ten.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }));
        return aws.call('sqs', 'DeleteMessageBatch', { QueueUrl, Entries });
      }),
    );
  }

  async function pump(): Promise<void> {
    do {
      again = false;
      while (!stopped && count.running < limit) {
        const lease = await pool.lease();
        const batch = await gather().catch((error: unknown) => {
          lease.release();
          throw error;
        });
        if (batch.length === 0) {
          lease.release();
          break;
        }
        count.running += 1;
        count.batches += 1;
        count.messages += batch.length;
        void handle(lease, batch)
          .catch(report)
          .finally(() => {
            count.running -= 1;
            wake();
          });
        if (batch.length < batchSize) break;
      }
    } while (again && !stopped && count.running < limit);
  }

  function report(error: unknown): void {
    // A function that cannot start is told of by the pool; the next poll tries again.
    if (!stopped && (error as Error).name !== 'FunctionError') onError(error as Error);
  }

  function wake(): void {
    woken?.();
    again = true;
    if (stopped) return;
    pumping ??= pump()
      .catch(report)
      .finally(() => {
        pumping = undefined;
        // Woken after the pump had looked for the last time.
        if (again && count.running < limit) wake();
      });
  }

  const safety = setInterval(wake, SAFETY_POLL_MS).unref();
  wake();
  return {
    queue: queue.name,
    wake,
    stats: () => ({ ...count }),
    async stop() {
      stopped = true;
      clearInterval(safety);
      woken?.();
      await pumping;
    },
  };
}
