/** The sweeper's and the dead letters' functions, as Lambda calls them, over real sockets. */
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import type { Context, SQSEvent, SQSRecord } from 'aws-lambda';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../src/aws/clock.ts';
import { dynamoRunStore } from '../../src/aws/run-store.ts';
import { DEAD_LETTER_ATTRIBUTES } from '../../src/engine/dead-letters.ts';
import type { ErrorData } from '../../src/engine/errors.ts';
import type { RunStore } from '../../src/engine/ports.ts';
import { seededEntropy } from '../../src/testing/index.ts';
import { type Emulators, startEmulators } from '../support/aws-emulators.ts';
import { run } from '../support/contracts/records.ts';

let aws: Emulators;
let store: RunStore;
let wakeQueue: string;
let deadLetterQueue: string;
const saved = { ...process.env };
const clock = systemClock();
const waiting = { clock, entropy: seededEntropy(1) };

beforeAll(async () => {
  aws = await startEmulators();
  const table = await aws.createRunsTable();
  store = dynamoRunStore({ ...waiting, client: aws.clients.dynamodb, table, retentionDays: 30 });
  wakeQueue = await aws.createQueue();
  deadLetterQueue = await aws.createQueue();
  Object.assign(process.env, aws.env, {
    HOLDFAST_STAGE: 'test',
    HOLDFAST_RUNS_TABLE: table,
    HOLDFAST_CONNECTIONS_TABLE: 'connections',
    HOLDFAST_START_QUEUE_URL: await aws.createQueue(),
    HOLDFAST_WAKE_QUEUE_URL: wakeQueue,
    HOLDFAST_PAYLOADS_BUCKET: await aws.createBucket(),
    HOLDFAST_SECRETS: 'env-file:.env.local',
    HOLDFAST_FUNCTION_TIMEOUT_MS: '180000',
    POWERTOOLS_LOG_LEVEL: 'SILENT',
  });
});
afterAll(async () => {
  process.env = saved;
  await aws.stop();
});

const context = { awsRequestId: 'request', functionName: 'holdfast', getRemainingTimeInMillis: () => 60_000 } as Context;

/** As the event source mapping hands them over. */
async function received(): Promise<SQSEvent> {
  const messages = await aws.receive(deadLetterQueue);
  return {
    Records: messages.map(({ MessageId, Body, Attributes, MessageAttributes = {} }) => ({
      messageId: MessageId,
      body: Body,
      attributes: Attributes,
      messageAttributes: Object.fromEntries(
        Object.entries(MessageAttributes).map(([name, { StringValue }]) => [name, { stringValue: StringValue, dataType: 'String' }]),
      ),
    })) as unknown as SQSRecord[],
  };
}

/** A message that somebody sent there with the reason beside it. */
async function refused(messageId: string, body: string, reason: ErrorData, sentAt: number): Promise<void> {
  const values = { reason: JSON.stringify(reason), messageId, sentAt: String(sentAt) };
  const attributes = (Object.keys(values) as Array<keyof typeof values>).map((name) => [
    DEAD_LETTER_ATTRIBUTES[name],
    { DataType: 'String', StringValue: values[name] },
  ]);
  const message = { QueueUrl: deadLetterQueue, MessageBody: body, MessageAttributes: Object.fromEntries(attributes) as never };
  await aws.clients.sqs.send(new SendMessageCommand(message));
}

test('the sweeper wakes what is due and moves it on', async () => {
  const { handler } = await import('../../functions/sweeper.ts');
  const now = clock.now();
  await store.create(run('run_due', { createdAt: now - 900_000, due: now - 1 }));
  await store.create(run('run_later', { createdAt: now, due: now + 1_800_000 }));
  await handler({} as never, context);
  expect((await aws.receive(wakeQueue)).map(({ Body }) => Body)).toEqual(['{"run":"run_due"}']);
  const due = await store.due(Number.MAX_SAFE_INTEGER, 10);
  expect(due.find(({ id }) => id === 'run_due')?.due).toBeGreaterThan(now + 800_000);
  await handler({} as never, context);
  expect(await aws.receive(wakeQueue)).toEqual([]);
});

test('dead letters are kept, nudge their runs, or stay when they cannot be drained', async () => {
  const { handler } = await import('../../functions/dead-letters.ts');
  const now = clock.now();
  await store.create(run('run_stuck', { createdAt: now, due: now + 86_400_000 }));
  await refused('first', '{"workflow":"gone"}', { code: 'E_UNKNOWN_WORKFLOW', message: 'no workflow "gone"' }, now - 5);
  await refused('second', 'not json', { code: 'E_MESSAGE_MALFORMED', message: 'not JSON' }, now);
  const event = await received();
  event.Records.push({ ...event.Records[0], messageId: 'wake', body: '{"run":"run_stuck"}', messageAttributes: {} } as SQSRecord);
  expect(await handler(event, context)).toEqual({ batchItemFailures: [] });
  const { items } = await store.listDeadLetters({ limit: 10 });
  expect(items.map(({ id, reason }) => [id, reason.code])).toEqual([
    ['second', 'E_MESSAGE_MALFORMED'],
    ['first', 'E_UNKNOWN_WORKFLOW'],
  ]);
  expect((await store.due(clock.now() + 1, 10)).map(({ id }) => id)).toContain('run_stuck');

  aws.faults((operation) => (operation === 'BatchGetItem' ? 'lose-request' : undefined));
  const failed = { ...event.Records[0], messageId: 'unlucky', body: '{"run":"run_stuck"}', messageAttributes: {} } as SQSRecord;
  expect(await handler({ Records: [failed, ...event.Records.slice(0, 1)] }, context)).toEqual({
    batchItemFailures: [{ itemIdentifier: 'unlucky' }],
  });
  aws.faults();
});
