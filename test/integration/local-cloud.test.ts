/** The embedded cloud as a whole: what it keeps, what it refuses, and that it leaves nothing behind. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { Resource } from '../../local/template/intrinsics.ts';
import { assemble, cloudOf, folder, lambda, triggered } from './local-stack.ts';

const empty = { visible: 0, inFlight: 0, delayed: 0 };
const TELL_ALL = `import { tell } from './tell.mjs'; export const handler = async ({ Records }) => { for (const { body, attributes } of Records) tell({ body, count: attributes.ApproximateReceiveCount }); };`;

test('with a data folder, what was in flight when everything was killed is worked on after the restart', async () => {
  const data = await folder();
  const hangs = await assemble(
    triggered(
      {
        source: `import { tell } from './tell.mjs'; export const handler = async () => { tell(process.pid); await new Promise(() => setInterval(() => {}, 1000)); };`,
        timeout: 600,
      },
      { visibility: 900 },
    ),
  );
  const script = `
    import { startCloud } from ${JSON.stringify(new URL('../../local/cloud.ts', import.meta.url).href)};
    const cloud = await startCloud({ assembly: ${JSON.stringify(hangs)}, data: ${JSON.stringify(data)}, ports: { aws: 0, http: 0 }, onOutput: (_, text) => console.log(text.trim()) });
    console.log('UP ' + cloud.awsUrl + ' ' + cloud.awsPid);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (start: string) => {
    for (;;) {
      const { value } = await lines.next();
      if (value === undefined) throw new Error(`the cloud ended before it printed ${start}`);
      if (value.startsWith(start)) return value.split(' ');
    }
  };
  const [, url, pid] = await line('UP');
  const body = JSON.stringify({ QueueUrl: `${url}/000000000000/jobs`, MessageBody: 'survivor' });
  const headers = { 'content-type': 'application/x-amz-json-1.0', 'x-amz-target': 'AmazonSQS.SendMessage' };
  expect((await fetch(url as string, { method: 'POST', headers, body })).status).toBe(200);
  const [, environment] = await line('TELL');

  child.kill('SIGKILL');
  await once(child, 'exit');
  // The AWS server and the environment were not killed: they end because their parent has.
  for (const orphan of [pid, environment]) {
    await vi.waitFor(() => expect(() => process.kill(Number(orphan), 0)).toThrow('ESRCH'), { timeout: 5_000 });
  }

  const cloud = await cloudOf(triggered({ source: TELL_ALL }, { visibility: 900 }), { data });
  await cloud.until(() => cloud.told.length > 0);
  expect(cloud.told).toEqual([{ body: 'survivor', count: '2' }]);
  await vi.waitFor(async () => expect(await cloud.counts('jobs')).toEqual(empty));
});

const table = (range: string): Record<string, Resource> => ({
  Table: {
    Type: 'AWS::DynamoDB::Table',
    Properties: {
      TableName: 'runs',
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [
        { AttributeName: 'pk', AttributeType: 'S' },
        { AttributeName: range, AttributeType: 'S' },
      ],
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: range, KeyType: 'RANGE' },
      ],
      TimeToLiveSpecification: { AttributeName: 'ttl', Enabled: true },
    },
  },
  Bucket: { Type: 'AWS::S3::Bucket', Properties: { BucketName: 'payloads' } },
});

test('a restart with the same data provides the same stack again, and takes changed queue attributes over', async () => {
  const data = await folder();
  const fn = { source: 'export const handler = async () => {};' };
  const before = await cloudOf({ ...triggered(fn, { visibility: 40 }), ...table('sk') }, { data });
  await before.aws.call('dynamodb', 'PutItem', { TableName: 'runs', Item: { pk: { S: 'a' }, sk: { S: 'b' } } });
  await before.stop();
  const after = await cloudOf({ ...triggered(fn, { visibility: 50 }), ...table('sk') }, { data });
  const { Items } = await after.aws.call<{ Items: object[] }>('dynamodb', 'Scan', { TableName: 'runs' });
  expect(Items).toEqual([{ pk: { S: 'a' }, sk: { S: 'b' } }]);
  const { Attributes } = await after.aws.call<{ Attributes: object }>('sqs', 'GetQueueAttributes', {
    QueueUrl: after.queueUrl('jobs'),
    AttributeNames: ['All'],
  });
  expect(Attributes).toMatchObject({ VisibilityTimeout: '50' });
  await after.stop();
  await expect(cloudOf(table('other'), { data })).rejects.toMatchObject({ code: 'E_DATA_OUTDATED' });
});

test('a taken port of the HTTP API names its flag', async () => {
  const blocker = createServer().listen(0, '127.0.0.1');
  await once(blocker, 'listening');
  onTestFinished(() => void blocker.close());
  const { port } = blocker.address() as AddressInfo;
  const stack = { ...lambda('Handler', { source: 'export const handler = 1' }), Api: { Type: 'AWS::ApiGateway::RestApi', Properties: {} } };
  await expect(cloudOf(stack, { ports: { http: port, aws: 0 } })).rejects.toMatchObject({
    code: 'E_PORT_TAKEN',
    message: expect.stringContaining('--port or HOLDFAST_PORT'),
  });
});

test('a scheduled function is fired at the start', async () => {
  const cloud = await cloudOf({
    ...lambda('Sweeper', { source: `import { tell } from './tell.mjs'; export const handler = async (event) => tell(event);` }),
    Rule: {
      Type: 'AWS::Events::Rule',
      Properties: {
        ScheduleExpression: 'rate(1 minute)',
        State: 'ENABLED',
        Targets: [{ Id: 't', Arn: { 'Fn::GetAtt': ['Sweeper', 'Arn'] } }],
      },
    },
  });
  await cloud.until(() => cloud.told.length > 0);
  expect(cloud.told[0]).toMatchObject({ source: 'aws.events', 'detail-type': 'Scheduled Event', detail: {} });
});
