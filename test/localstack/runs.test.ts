/** Runs on a deployed stage: started by messages and by requests, held up by what the API they call says, and kept. */
import { DescribeTableCommand, DescribeTimeToLiveCommand } from '@aws-sdk/client-dynamodb';
import { InvokeCommand } from '@aws-sdk/client-lambda';
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { ended, journal, letter, type Run, reaches, run } from '../support/localstack/runs.ts';
import { age } from '../support/localstack/runs-table.ts';
import { deploy, type TestStack } from '../support/localstack/stack.ts';
import { until } from '../support/localstack/until.ts';

let stack: TestStack;
beforeAll(async () => {
  stack = await deploy(inject('endpoint'), 'runs');
});
afterAll(() => stack?.destroy());

const send = (queue: 'start' | 'dead-letters', body: string) =>
  stack.aws.sqs.send(new SendMessageCommand({ QueueUrl: stack.queueUrl(queue), MessageBody: body }));

const sweep = async () => {
  const { FunctionError } = await stack.aws.lambda.send(
    new InvokeCommand({ FunctionName: `holdfast-${stack.stage}-sweeper`, Payload: '{}' }),
  );
  expect(FunctionError).toBeUndefined();
};

describe.concurrent('a deployed stage', () => {
  test('starts a run by a message, makes its calls, and keeps its result', async () => {
    for (let n = 1; n <= 5; n++) stack.api.on(`/parts/message/${n}`, { body: `{"n":${n}}`, delay: 50 });
    stack.api.on('/sums/message', { status: 201, body: '{"id":"s1"}' });
    const [id = ''] = await stack.start({ workflow: 'gather', input: { name: 'message' }, idempotencyKey: 'message' });
    expect(await ended(stack, id)).toMatchObject({ status: 'succeeded', result: { sum: 15, id: 's1' } });
    const posts = stack.api.received('/sums/message');
    expect(posts.map(({ body }) => body)).toEqual(['{"sum":15}']);
    expect(posts[0]?.headers['idempotency-key']).toMatch(/^\S{16,}$/);
    for (let n = 1; n <= 5; n++) expect(stack.api.received(`/parts/message/${n}`)).toHaveLength(1);
  });

  test('keeps calls of several runs to the limit of their API, and shows what waits', async () => {
    const names = ['limit-1', 'limit-2'];
    await Promise.all(names.map((name) => stack.start({ workflow: 'limit', input: { name, calls: 13 }, idempotencyKey: name })));
    const limited = () => stack.http('GET', '/v1/connections/limited-api');
    await until(limited, ({ body }) => (body as { rate: { waiting: number }[] }).rate[0]?.waiting !== 0);
    const at = await until(
      async () =>
        names.flatMap((name) => [...Array(13).keys()].flatMap((n) => stack.api.received(`/limited/${name}?n=${n}`).map((one) => one.at))),
      (all) => all.length >= 26,
    );
    expect(at).toHaveLength(26);
    at.sort((a, b) => a - b);
    // 1.1 times five in a second, in whole requests.
    for (const [index, time] of at.entries()) expect(at.slice(index).filter((other) => other - time < 1_000).length).toBeLessThanOrEqual(6);
    await until(limited, ({ body }) => (body as { rate: { waiting: number }[] }).rate[0]?.waiting === 0);
  });

  test('sends nothing to a connection that is held, and goes on when it is released', async () => {
    const hold = await stack.http('POST', '/v1/connections/held-api/hold', { json: { why: 'their maintenance' } });
    expect(hold).toMatchObject({ status: 200, body: { state: 'held' } });
    const [id = ''] = await stack.start({ workflow: 'visit', input: { name: 'held' }, idempotencyKey: 'visit-held' });
    await reaches(stack, id, 'waiting');
    expect(stack.api.received('/visits/held')).toEqual([]);
    expect(await journal(stack, id)).toContainEqual(expect.objectContaining({ type: 'retry', waitsFor: 'hold' }));
    expect(await stack.http('POST', '/v1/connections/held-api/release')).toMatchObject({ status: 200 });
    // It looks again within a minute.
    expect(await ended(stack, id, 90_000)).toMatchObject({ status: 'succeeded', result: 200 });
    expect(stack.api.received('/visits/held')).toHaveLength(1);
  });

  test('takes a message that was sent twice for one run', async () => {
    const message = { workflow: 'gather', input: { name: 'twice' }, idempotencyKey: 'twice' };
    for (let n = 1; n <= 5; n++) stack.api.on(`/parts/twice/${n}`, { body: '{"n":1}' });
    stack.api.on('/sums/twice', { status: 201, body: '{"id":"s2"}' });
    const [id = ''] = await stack.start(message, message);
    expect(await ended(stack, id)).toMatchObject({ status: 'succeeded', result: { sum: 5, id: 's2' } });
    const keys = stack.api.received('/sums/twice').map(({ headers }) => headers['idempotency-key']);
    expect(new Set(keys).size).toBe(1);
  });

  test('starts a run through API Gateway once for each key, and waits for it when asked to', async () => {
    stack.api.on('/read/http', { body: '{"read":true}' });
    const post = (name: string) =>
      stack.http('POST', '/v1/workflows/read/runs', { json: { name }, headers: { 'idempotency-key': 'http', prefer: 'wait=20' } });
    const first = await post('http');
    expect([200, 202]).toContain(first.status);
    expect(first.headers.get('preference-applied')).toBe('wait=20');
    const { id } = first.body as Run;
    // On a loaded machine 20 s may go by: the same request again waits for the same run.
    const answer = await until(
      () => post('http'),
      ({ status }) => status === 200,
    );
    expect(answer.body).toMatchObject({ id, status: 'succeeded', result: { read: true } });
    expect(stack.api.received('/read/http')).toHaveLength(1);
    expect(await post('another')).toMatchObject({ status: 422, body: { code: 'E_KEY_CONFLICT' } });
  });

  test('puts a run down that is told to come back later, and goes on where it was', async () => {
    stack.api.on('/after/limited', { status: 429, headers: { 'retry-after': '5' } }, { body: '{"served":true}' });
    const [id = ''] = await stack.start({ workflow: 'read-twice', input: { name: 'limited' }, idempotencyKey: 'limited' });
    expect(await ended(stack, id)).toMatchObject({ status: 'succeeded', result: { before: { ok: true }, after: { served: true } } });
    expect(stack.api.received('/before/limited')).toHaveLength(1);
    // Twice, or once more: the sweeper of another test may have sent a second wake, and a read may be repeated.
    expect(stack.api.received('/after/limited').length).toBeGreaterThanOrEqual(2);
    const entries = await journal(stack, id);
    expect(entries).toContainEqual(expect.objectContaining({ type: 'retry', label: 'GET test-api /after/limited' }));
  });

  test('wakes a run by the sweeper that waits for longer than a message can be delayed', async () => {
    const [id = ''] = await stack.start({ workflow: 'nap', input: { name: 'long', duration: '20m' }, idempotencyKey: 'long' });
    await reaches(stack, id, 'waiting');
    await sweep();
    expect((await run(stack, id)).status).toBe('waiting');
    await age(stack, id, 20 * 60_000 - 5_000);
    await sweep();
    expect(await ended(stack, id)).toMatchObject({ status: 'succeeded', result: 'rested' });
    expect(stack.api.received('/before/long')).toHaveLength(1);
    expect(stack.api.received('/after/long')).toHaveLength(1);
  });

  test('keeps a large input and a large result in S3, and gives them back whole', async () => {
    const text = 'Ä0123456789'.repeat(12_000);
    const { status, body } = await stack.http('POST', '/v1/workflows/echo/runs', { json: { text, times: 3 } });
    expect(status).toBe(202);
    const { id } = body as Run;
    const seen = (await ended(stack, id)) as Run & { input: { text: string } };
    expect(seen.status).toBe('succeeded');
    expect(seen.input.text === text).toBe(true);
    expect(seen.result === text.repeat(3)).toBe(true);
    const { Contents = [] } = await stack.aws.s3.send(
      new ListObjectsV2Command({ Bucket: stack.outputs.PayloadsBucket, Prefix: `runs/${id}/` }),
    );
    expect(Contents.length).toBeGreaterThanOrEqual(2);
  });

  test('lists what can never become a run, with the reason', async () => {
    await send('start', 'not JSON');
    await send('start', '{"workflow":"read","input":{"name":7}}');
    await send('start', '{"workflow":"nowhere"}');
    expect((await letter(stack, 'not JSON')).reason).toMatchObject({ code: 'E_MESSAGE_MALFORMED', detail: { pointer: '/' } });
    expect(await letter(stack, '{"workflow":"read","input":{"name":7}}')).toMatchObject({
      workflow: 'read',
      reason: { code: 'E_INPUT_INVALID', detail: { pointer: '/input/name' } },
    });
    expect((await letter(stack, '{"workflow":"nowhere"}')).reason.message).toMatch(/"nowhere".* read-twice/);
  });

  test('puts on record what reaches the dead-letter queue itself', async () => {
    await send('dead-letters', 'found on the dead-letter queue');
    expect((await letter(stack, 'found on the dead-letter queue')).reason.code).toBe('E_MESSAGE_MALFORMED');
  });

  test('lets nobody in without a token, or with a wrong one', async () => {
    expect(await stack.http('GET', '/v1/runs', { token: null })).toMatchObject({ status: 401, body: { code: 'E_UNAUTHORIZED' } });
    expect(await stack.http('GET', '/v1/runs', { token: 'local-de' })).toMatchObject({ status: 401, body: { code: 'E_UNAUTHORIZED' } });
    expect((await stack.http('GET', '/v1/runs')).status).toBe(200);
    expect(await stack.http('GET', '/healthz', { token: null })).toMatchObject({
      status: 200,
      body: { status: 'ok', version: stack.outputs.Version },
    });
  });

  test('says of a run that never was that there is none', async () => {
    expect(await run(stack, `run_${'0'.repeat(32)}`)).toMatchObject({ status: 'unknown' });
  });

  test('has tables that can be thrown away, whose ended runs expire', async () => {
    const { dynamodb } = stack.aws;
    const TableName = stack.outputs.RunsTable;
    const { Table } = await dynamodb.send(new DescribeTableCommand({ TableName }));
    expect(Table?.DeletionProtectionEnabled ?? false).toBe(false);
    expect(Table?.BillingModeSummary?.BillingMode).toBe('PAY_PER_REQUEST');
    expect(Table?.GlobalSecondaryIndexes?.map(({ IndexName }) => IndexName).sort()).toEqual(['due', 'recent']);
    const { TimeToLiveDescription } = await dynamodb.send(new DescribeTimeToLiveCommand({ TableName }));
    // MiniStack's CloudFormation leaves TimeToLiveSpecification out.
    if (inject('endpoint').make === 'MiniStack') expect(TimeToLiveDescription?.TimeToLiveStatus).toBe('DISABLED');
    else expect(TimeToLiveDescription).toEqual({ AttributeName: 'expiresAt', TimeToLiveStatus: 'ENABLED' });
  });
});

test('leaves nothing behind when the stage is destroyed', async () => {
  const { before, after } = await stack.destroy();
  for (const [kind, names] of Object.entries(before)) expect([kind, names.length]).not.toEqual([kind, 0]);
  for (const [kind, names] of Object.entries(after)) expect([kind, names]).toEqual([kind, []]);
});
