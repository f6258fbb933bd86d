/** The AWS server process over real sockets, with the clients that everybody uses. */

import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { type AddressInfo, createConnection, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
} from '@aws-sdk/client-dynamodb';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { afterEach, expect, test, vi } from 'vitest';
import { type AwsProcess, startAws } from '../../local/aws/process.ts';

const cleanups: Array<() => Promise<unknown>> = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'holdfast-'));
  cleanups.push(() => rm(dir, { recursive: true, force: true, maxRetries: 10 }));
  return dir;
}

async function start(data?: string): Promise<AwsProcess> {
  const aws = await startAws({ port: 0, ...(data === undefined ? {} : { data }) });
  cleanups.push(() => aws.stop());
  return aws;
}

function clients(aws: AwsProcess) {
  const config = { endpoint: aws.url, region: 'us-east-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } };
  return { sqs: new SQSClient(config), dynamodb: new DynamoDBClient(config), s3: new S3Client(config) };
}

const receive = async (sqs: SQSClient, QueueUrl: string): Promise<Message[]> =>
  (await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, MessageSystemAttributeNames: ['All'] }))).Messages ?? [];

const table = (TableName: string) =>
  new CreateTableCommand({
    TableName,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [
      { AttributeName: 'pk', AttributeType: 'S' },
      { AttributeName: 'due', AttributeType: 'N' },
      { AttributeName: 'lane', AttributeType: 'S' },
    ],
    KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
    GlobalSecondaryIndexes: [
      {
        IndexName: 'due',
        KeySchema: [
          { AttributeName: 'lane', KeyType: 'HASH' },
          { AttributeName: 'due', KeyType: 'RANGE' },
        ],
        Projection: { ProjectionType: 'KEYS_ONLY' },
      },
    ],
  });

async function createTable(dynamodb: DynamoDBClient, name: string): Promise<void> {
  await dynamodb.send(table(name));
  await vi.waitUntil(async () => (await dynamodb.send(new DescribeTableCommand({ TableName: name }))).Table?.TableStatus === 'ACTIVE');
}

const byDue = (TableName: string) =>
  new QueryCommand({
    TableName,
    IndexName: 'due',
    KeyConditionExpression: 'lane = :s',
    ExpressionAttributeValues: { ':s': { S: '0' } },
  });

type Store = {
  iterator(range: { gte: string; lt: string }): { all(): Promise<Array<[string, object]>> };
  put(key: string, value: object): Promise<void>;
  del(key: string): Promise<void>;
  close(): Promise<void>;
};

/** dynalite's own file, opened behind its back. */
const openStore = (path: string): Store => createRequire(import.meta.url)('dynalite/db').create({ path }).db;

const visible = (aws: AwsProcess, queue: string) =>
  new Promise<void>((resolve) => aws.onVisible((queues) => queues.includes(queue) && resolve()));

test('SQS, DynamoDB and S3 answer their own clients on one port', async () => {
  const aws = await start();
  const { sqs, dynamodb, s3 } = clients(aws);
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'one' }));
  expect(QueueUrl).toBe(`${aws.url}/000000000000/one`);
  await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'hello' }));
  expect((await receive(sqs, QueueUrl as string)).map((message) => message.Body)).toEqual(['hello']);

  await createTable(dynamodb, 'items');
  await dynamodb.send(new PutItemCommand({ TableName: 'items', Item: { pk: { S: 'a' } } }));
  expect((await dynamodb.send(new GetItemCommand({ TableName: 'items', Key: { pk: { S: 'a' } } }))).Item).toEqual({ pk: { S: 'a' } });

  await s3.send(new CreateBucketCommand({ Bucket: 'payloads' }));
  await s3.send(new PutObjectCommand({ Bucket: 'payloads', Key: 'a/b', Body: Buffer.from([0, 255, 10]) }));
  const object = await s3.send(new GetObjectCommand({ Bucket: 'payloads', Key: 'a/b' }));
  expect(Buffer.from((await object.Body?.transformToByteArray()) ?? [])).toEqual(Buffer.from([0, 255, 10]));

  expect(await (await fetch(`${aws.url}/_holdfast/health`)).json()).toMatchObject({ status: 'ok' });
});

test('a message that becomes visible is announced: sent, delayed, timed out, handed back', async () => {
  const aws = await start();
  const { sqs } = clients(aws);
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'q', Attributes: { VisibilityTimeout: '1' } }));
  const sent = visible(aws, 'q');
  await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'now' }));
  await sent;
  const [first] = await receive(sqs, QueueUrl as string);
  expect(first?.Body).toBe('now');

  const timedOut = visible(aws, 'q');
  await timedOut;
  const [again] = await receive(sqs, QueueUrl as string);
  expect(again?.Attributes?.ApproximateReceiveCount).toBe('2');

  const back = visible(aws, 'q');
  await sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle: again?.ReceiptHandle, VisibilityTimeout: 0 }));
  await back;
  expect(await receive(sqs, QueueUrl as string)).toHaveLength(1);

  const { QueueUrl: later } = await sqs.send(new CreateQueueCommand({ QueueName: 'later' }));
  const delayed = visible(aws, 'later');
  const entries = [{ Id: 'a', MessageBody: 'in a second', DelaySeconds: 1 }];
  await sqs.send(new SendMessageBatchCommand({ QueueUrl: later, Entries: entries }));
  expect(await receive(sqs, later as string)).toHaveLength(0);
  await delayed;
  expect(await receive(sqs, later as string)).toHaveLength(1);
});

test('what was stored, sent and in flight is there again after kill -9', async () => {
  const data = await folder();
  const before = await start(data);
  const { sqs, dynamodb, s3 } = clients(before);
  const { QueueUrl } = await sqs.send(new CreateQueueCommand({ QueueName: 'kept', Attributes: { VisibilityTimeout: '900' } }));
  await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'in flight' }));
  expect(await receive(sqs, QueueUrl as string)).toHaveLength(1);
  await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'handed back' }));
  const [held] = await receive(sqs, QueueUrl as string);
  await sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle: held?.ReceiptHandle, VisibilityTimeout: 0 }));
  await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'delayed', DelaySeconds: 1 }));
  await createTable(dynamodb, 'runs');
  await dynamodb.send(new PutItemCommand({ TableName: 'runs', Item: { pk: { S: 'r1' }, lane: { S: '0' }, due: { N: '7' } } }));
  await s3.send(new CreateBucketCommand({ Bucket: 'payloads' }));
  await s3.send(new PutObjectCommand({ Bucket: 'payloads', Key: 'k', Body: 'kept' }));

  const lost = new Promise<Error>((resolve) => before.onLost(resolve));
  process.kill(before.pid, 'SIGKILL');
  expect((await lost).message).toMatch('SIGKILL');

  const after = await start(data);
  const delayed = visible(after, 'kept');
  const again = clients(after);
  const url = `${after.url}/000000000000/kept`;
  const received = await receive(again.sqs, url);
  const counts = Object.fromEntries(received.map((message) => [message.Body, message.Attributes?.ApproximateReceiveCount]));
  expect(counts).toMatchObject({ 'in flight': '2', 'handed back': '2' });
  if (!('delayed' in counts)) {
    await delayed;
    const [late] = await receive(again.sqs, url);
    expect(late?.Body).toBe('delayed');
  }
  expect((await again.dynamodb.send(byDue('runs'))).Items).toEqual([{ pk: { S: 'r1' }, lane: { S: '0' }, due: { N: '7' } }]);
  const object = await again.s3.send(new GetObjectCommand({ Bucket: 'payloads', Key: 'k' }));
  expect(await object.Body?.transformToString()).toBe('kept');
});

test('a client that goes away in the middle of a request does not take the server with it', async () => {
  const aws = await start();
  const { dynamodb } = clients(aws);
  await createTable(dynamodb, 'items');
  const { port } = new URL(aws.url);
  await new Promise<void>((resolve) => {
    const socket = createConnection(Number(port), '127.0.0.1', () => {
      socket.write('POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: DynamoDB_20120810.PutItem\r\nContent-Length: 100\r\n\r\n{"half":');
      setImmediate(() => socket.destroy());
    });
    socket.on('close', () => resolve());
  });
  await dynamodb.send(new PutItemCommand({ TableName: 'items', Item: { pk: { S: 'a' } } }));
});

test('a taken port names the flag that changes it', async () => {
  const blocker = createServer();
  await new Promise<void>((resolve) => blocker.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => new Promise((resolve) => blocker.close(resolve)));
  const { port } = blocker.address() as AddressInfo;
  await expect(startAws({ port })).rejects.toMatchObject({
    code: 'E_PORT_TAKEN',
    message: `port ${port} is taken by another process: choose another with --aws-port or HOLDFAST_AWS_PORT`,
  });
});

test('a data folder that another process uses is refused', { timeout: 30_000 }, async () => {
  const data = await folder();
  await start(data);
  await expect(startAws({ port: 0, data })).rejects.toMatchObject({ code: 'E_DATA_IN_USE' });
});

test('what an end between two writes left apart is repaired at the next start', async () => {
  const data = await folder();
  const before = await start(data);
  const { dynamodb } = clients(before);
  await createTable(dynamodb, 'runs');
  for (const pk of ['lost', 'kept']) {
    await dynamodb.send(new PutItemCommand({ TableName: 'runs', Item: { pk: { S: pk }, lane: { S: '0' }, due: { N: '7' } } }));
  }
  await before.stop();

  const store = openStore(join(data, 'dynamodb'));
  const index = (await store.iterator({ gte: 'index-global~runs~due~', lt: 'index-global~runs~due~\xFF' }).all()) as Array<
    [string, object]
  >;
  const [lost] = index.filter(([, item]) => JSON.stringify(item).includes('lost'));
  await store.del(lost?.[0] as string);
  const [[key, described] = ['', {}]] = await store.iterator({ gte: 'table~', lt: 'table~\xFF' }).all();
  await store.put(key, { ...described, TableStatus: 'CREATING' });
  await store.put('index-global~runs~due~stale', { pk: { S: 'stale' }, lane: { S: '0' }, due: { N: '1' } });
  await store.close();

  const after = clients(await start(data));
  const keys = ((await after.dynamodb.send(byDue('runs'))).Items ?? []).map((item) => item.pk?.S);
  expect(keys.sort()).toEqual(['kept', 'lost']);
});
