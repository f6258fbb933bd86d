/**
 * Deletes messages as their runs end, ten at a time: waits a little for others, so that one slow run holds nobody up
 * and a hundred quick ones cost no request at all. Knows receipt handles, not runs.
 */
import { DeleteMessageBatchCommand, type SQSClient } from '@aws-sdk/client-sqs';
import type { Clock, Timer } from '../engine/ports.ts';

export type MessageDeleter = {
  /** True when the message is gone. False leaves it to Lambda, or to the queue, which delivers it again; never rejects. */
  delete(queueUrl: string, receiptHandle: string): Promise<boolean>;
  /**
   * For the end of an invocation: what is still gathered is not sent, since Lambda deletes every message of a batch that the
   * answer does not name. Resolves when the requests under way are answered.
   */
  leave(): Promise<void>;
};

type Waiting = { receiptHandle: string; resolve: (deleted: boolean) => void };

const MOST_ENTRIES = 10;
const WINDOW_MS = 200;
const TRIES = 2;

export function messageDeleter(sqs: SQSClient, clock: Clock, windowMs: number = WINDOW_MS): MessageDeleter {
  const gathered = new Map<string, { waiting: Waiting[]; timer: Timer }>();
  const underWay = new Set<Promise<void>>();

  const send = async (queueUrl: string, batch: readonly Waiting[]): Promise<void> => {
    let left = batch.map(({ receiptHandle }, index) => ({ Id: String(index), ReceiptHandle: receiptHandle }));
    for (let attempt = 0; attempt < TRIES && left.length > 0; attempt++) {
      try {
        const answer = await sqs.send(new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries: left }));
        const failed = new Set((answer.Failed ?? []).map(({ Id }) => Id));
        left = left.filter(({ Id }) => failed.has(Id));
      } catch {
        // The client has already tried several times. The message comes again and finds its run written.
        break;
      }
    }
    const kept = new Set(left.map(({ Id }) => Id));
    for (const [index, { resolve }] of batch.entries()) resolve(!kept.has(String(index)));
  };

  const release = (queueUrl: string): void => {
    const group = gathered.get(queueUrl);
    if (!group) return;
    gathered.delete(queueUrl);
    group.timer.cancel();
    for (let from = 0; from < group.waiting.length; from += MOST_ENTRIES) {
      const request = send(queueUrl, group.waiting.slice(from, from + MOST_ENTRIES)).finally(() => underWay.delete(request));
      underWay.add(request);
    }
  };

  return {
    delete: (queueUrl, receiptHandle) =>
      new Promise((resolve) => {
        const group = gathered.get(queueUrl) ?? { waiting: [], timer: clock.timer(windowMs, () => release(queueUrl)) };
        gathered.set(queueUrl, group);
        group.waiting.push({ receiptHandle, resolve });
      }),
    async leave() {
      for (const { waiting, timer } of gathered.values()) {
        timer.cancel();
        for (const { resolve } of waiting) resolve(false);
      }
      gathered.clear();
      await Promise.all(underWay);
    },
  };
}
