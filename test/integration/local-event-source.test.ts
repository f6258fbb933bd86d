/** Messages go through the embedded cloud as they go through Lambda's SQS event sources. */
import { expect, test, vi } from 'vitest';
import { cloudOf, triggered } from './local-stack.ts';

const empty = { visible: 0, inFlight: 0, delayed: 0 };

test('a batch reaches the handler in the shape that Lambda gives it, and is deleted', async () => {
  const cloud = await cloudOf(
    triggered({
      source: `import { tell } from './tell.mjs'; export const handler = async (event, context) => tell({ event, context: { ...context, left: context.getRemainingTimeInMillis() } });`,
    }),
  );
  await cloud.aws.call('sqs', 'SendMessage', {
    QueueUrl: cloud.queueUrl('jobs'),
    MessageBody: '{"a":1}',
    MessageAttributes: { kind: { DataType: 'String', StringValue: 'x' } },
  });
  await cloud.until(() => cloud.told.length > 0);
  const { event, context } = cloud.told[0] as { event: { Records: object[] }; context: object };
  expect(event.Records).toEqual([
    {
      messageId: expect.stringMatching(/^[\da-f-]{36}$/),
      receiptHandle: expect.any(String),
      body: '{"a":1}',
      attributes: {
        ApproximateReceiveCount: '1',
        SentTimestamp: expect.stringMatching(/^\d{13}$/),
        SenderId: expect.any(String),
        ApproximateFirstReceiveTimestamp: expect.stringMatching(/^\d{13}$/),
      },
      messageAttributes: { kind: { stringValue: 'x', stringListValues: [], binaryListValues: [], dataType: 'String' } },
      md5OfBody: expect.stringMatching(/^[\da-f]{32}$/),
      eventSource: 'aws:sqs',
      eventSourceARN: 'arn:aws:sqs:us-east-1:000000000000:jobs',
      awsRegion: 'us-east-1',
    },
  ]);
  expect(context).toMatchObject({
    functionName: 'worker',
    functionVersion: '$LATEST',
    invokedFunctionArn: 'arn:aws:lambda:us-east-1:000000000000:function:worker',
    memoryLimitInMB: '128',
    awsRequestId: expect.stringMatching(/^[\da-f-]{36}$/),
  });
  expect((context as { left: number }).left).toBeGreaterThan(5_000);
  await vi.waitFor(async () => expect(await cloud.counts('jobs')).toEqual(empty));
});

test('messages reported as failed come again, alone', async () => {
  const cloud = await cloudOf(
    triggered(
      {
        source: `
          import { tell } from './tell.mjs';
          export const handler = async ({ Records }) => {
            const failed = Records.filter((r) => r.body === 'bad' && r.attributes.ApproximateReceiveCount === '1');
            tell({ bodies: Records.map((r) => r.body + r.attributes.ApproximateReceiveCount) });
            return { batchItemFailures: failed.map((r) => ({ itemIdentifier: r.messageId })) };
          };`,
      },
      { visibility: 1 },
    ),
  );
  await cloud.send('good', 'bad', 'good');
  const seen = () => cloud.told.flatMap(({ bodies }) => bodies as string[]).sort();
  await cloud.until(() => seen().length >= 4);
  expect(seen()).toEqual(['bad1', 'bad2', 'good1', 'good1']);
  await vi.waitFor(async () => expect(await cloud.counts('jobs')).toEqual(empty));
});

test('a batch whose function fails comes again until it is moved to the dead-letter queue', async () => {
  const cloud = await cloudOf(
    triggered({ source: `export const handler = async () => { throw new RangeError('no'); };` }, { visibility: 1, maxReceiveCount: 2 }),
  );
  await cloud.send('a', 'b');
  await vi.waitFor(async () => expect(await cloud.counts('dead')).toMatchObject({ visible: 2 }), { timeout: 15_000 });
  expect(await cloud.counts('jobs')).toEqual(empty);
  expect(new Set(cloud.faults)).toEqual(new Set(['RangeError']));
});

test('a handler that deletes its messages itself does no harm', async () => {
  const cloud = await cloudOf(
    triggered({
      source: `
        import { tell } from './tell.mjs';
        export const handler = async ({ Records }) => {
          for (const record of Records) {
            const response = await fetch(process.env.AWS_ENDPOINT_URL, {
              method: 'POST',
              headers: { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'AmazonSQS.DeleteMessage' },
              body: JSON.stringify({ QueueUrl: process.env.QUEUE, ReceiptHandle: record.receiptHandle }),
            });
            tell({ status: response.status });
          }
          return { batchItemFailures: [] };
        };`,
      environment: { QUEUE: { Ref: 'Jobs' } },
    }),
  );
  await cloud.send('a', 'b');
  await cloud.until(() => cloud.told.length >= 2);
  expect(cloud.told).toEqual([{ status: 200 }, { status: 200 }]);
  await vi.waitFor(async () => expect(await cloud.counts('jobs')).toEqual(empty));
  expect(cloud.errors).toEqual([]);
});

test('no more invocations run at once than the mapping allows', async () => {
  const cloud = await cloudOf(
    triggered(
      {
        source: `
          import { tell } from './tell.mjs';
          export const handler = async () => { tell({ at: 1 }); await new Promise((r) => setTimeout(r, 150)); tell({ at: -1 }); };`,
      },
      { batchSize: 1, concurrency: 2 },
    ),
  );
  await cloud.send(...Array.from({ length: 12 }, (_, index) => String(index)));
  await cloud.until(() => cloud.told.length >= 24);
  expect(cloud.stats().functions.worker).toMatchObject({ peak: 2, invocations: 12 });
});

test('a batching window gathers what comes in it, up to the batch size', async () => {
  const cloud = await cloudOf(
    triggered(
      { source: `import { tell } from './tell.mjs'; export const handler = async ({ Records }) => tell({ size: Records.length });` },
      { batchSize: 25, window: 1 },
    ),
  );
  await cloud.send(...Array.from({ length: 20 }, (_, index) => String(index)));
  await cloud.send('21', '22');
  const sum = () => cloud.told.reduce((total, { size }) => total + Number(size), 0);
  await cloud.until(() => sum() >= 22);
  expect(cloud.told.length).toBeLessThanOrEqual(2);
});

test('a send wakes the function within milliseconds', async () => {
  const cloud = await cloudOf(
    triggered({
      source: `import { tell } from './tell.mjs'; export const handler = async ({ Records }) => tell({ ms: Date.now() - Number(Records[0].body) });`,
    }),
  );
  for (let index = 1; index <= 30; index++) {
    await cloud.send(String(Date.now()));
    await cloud.until(() => cloud.told.length >= index);
  }
  const ms = cloud.told.map((fact) => Number(fact.ms)).sort((a, b) => a - b);
  expect(ms[15]).toBeLessThan(100);
});

test('a delayed message is handled when its delay has passed, without waiting for a poll', async () => {
  const cloud = await cloudOf(
    triggered({
      source: `import { tell } from './tell.mjs'; export const handler = async ({ Records }) => tell({ sent: Records[0].attributes.SentTimestamp, now: Date.now() });`,
    }),
  );
  await cloud.aws.call('sqs', 'SendMessage', { QueueUrl: cloud.queueUrl('jobs'), MessageBody: 'later', DelaySeconds: 1 });
  await cloud.until(() => cloud.told.length > 0);
  const waited = Number(cloud.told[0]?.now) - Number(cloud.told[0]?.sent);
  expect(waited).toBeGreaterThanOrEqual(1_000);
  expect(waited).toBeLessThan(1_900);
});
