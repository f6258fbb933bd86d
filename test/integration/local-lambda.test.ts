/** Environments end as Lambda's do: one invocation is lost with them, nothing else. */
import { expect, test } from 'vitest';
import { cloudOf, triggered } from './local-stack.ts';

/** What the handler does depends on the message; a good one tells its environment. */
const source = `
  import { randomUUID } from 'node:crypto';
  import { tell } from './tell.mjs';
  const environment = randomUUID();
  export const handler = async ({ Records }) => {
    const { body, attributes } = Records[0];
    const first = attributes.ApproximateReceiveCount === '1';
    tell({ body, first, environment });
    if (body === 'exit' && first) process.exit(3);
    if (body === 'memory' && first) { const hoard = []; for (;;) hoard.push({ text: String(Math.random()).repeat(20), list: new Array(100).fill(Math.random()) }); }
    if (body === 'giant' && first) { const hoard = []; for (;;) hoard.push(new Array(1 << 25).fill(1.5)); }
    if (body === 'abort' && first) process.abort();
    if (body === 'late' && first) setTimeout(() => { throw new TypeError('thrown later'); }, 5);
    if (body === 'rejected' && first) void Promise.reject(new SyntaxError('nobody looks'));
    if (body === 'loop' && first) for (;;);
    if (first && ['late', 'rejected', 'hang'].includes(body)) await new Promise(() => setInterval(() => {}, 1000));
    return { batchItemFailures: [] };
  };`;

const cases = [
  { body: 'exit', fault: 'Runtime.ExitError' },
  { body: 'memory', fault: 'Runtime.OutOfMemory' },
  { body: 'giant', fault: 'Runtime.OutOfMemory' },
  { body: 'abort', fault: 'Runtime.ExitError' },
  { body: 'late', fault: 'TypeError' },
  { body: 'rejected', fault: 'Runtime.UnhandledPromiseRejection' },
  { body: 'loop', fault: 'Sandbox.Timedout' },
  { body: 'hang', fault: 'Sandbox.Timedout' },
];

test.each(cases)(
  'an invocation that ends its environment ($body) is a fault, and its message comes again in another',
  async ({ body, fault }) => {
    const cloud = await cloudOf(triggered({ source, memory: 128, timeout: 2 }, { visibility: 3, batchSize: 1 }));
    await cloud.send(body);
    await cloud.until(() => cloud.told.length >= 2);
    expect(cloud.faults).toEqual([fault]);
    expect(cloud.told.map(({ first }) => first)).toEqual([true, false]);
    expect(cloud.told[0]?.environment).not.toBe(cloud.told[1]?.environment);
    expect(cloud.errors).toEqual([]);
  },
);

test('a crash takes no other environment with it', async () => {
  const cloud = await cloudOf(
    triggered(
      {
        source: `
          import { tell } from './tell.mjs';
          export const handler = async ({ Records: [{ body }] }) => {
            tell({ body, at: 'start' });
            if (body === 'bad') { const hoard = []; for (;;) hoard.push(new Array(1000).fill(Math.random())); }
            await new Promise((resolve) => setTimeout(resolve, 1500));
            tell({ body, at: 'end' });
          };`,
        timeout: 10,
      },
      { batchSize: 1, maxReceiveCount: 1, visibility: 20 },
    ),
  );
  await cloud.send('good');
  await cloud.until(() => cloud.told.length >= 1);
  await cloud.send('bad');
  await cloud.until(() => cloud.faults.length >= 1 && cloud.told.length >= 3);
  expect(cloud.faults).toEqual(['Runtime.OutOfMemory']);
  expect(cloud.told.at(-1)).toEqual({ body: 'good', at: 'end' });
});

test('a warm environment is used again, and keeps what it holds', async () => {
  const cloud = await cloudOf(
    triggered({ source: `import { tell } from './tell.mjs'; let count = 0; export const handler = async () => tell({ count: ++count });` }),
  );
  for (let index = 1; index <= 5; index++) {
    await cloud.send('again');
    await cloud.until(() => cloud.told.length >= index);
  }
  expect(cloud.told.map(({ count }) => count)).toEqual([1, 2, 3, 4, 5]);
  expect(cloud.stats().functions.worker?.environments).toBe(1);
});

test('a function has the environment of the template and of Lambda, and nothing of this machine', async () => {
  process.env.HOLDFAST_TEST_LEAK = 'secret';
  const cloud = await cloudOf(
    triggered({
      source: 'export const handler = async () => process.env;',
      memory: 192,
      environment: { QUEUE: { Ref: 'Jobs' }, ARN: { 'Fn::GetAtt': ['Jobs', 'Arn'] } },
    }),
    { variables: { EXTRA: 'yes' } },
  );
  const env = (await cloud.invoke('Worker', {})) as Record<string, string>;
  expect(env).toMatchObject({
    QUEUE: `${cloud.awsUrl}/000000000000/jobs`,
    ARN: 'arn:aws:sqs:us-east-1:000000000000:jobs',
    EXTRA: 'yes',
    AWS_ENDPOINT_URL: cloud.awsUrl,
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_LAMBDA_FUNCTION_NAME: 'worker',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '192',
  });
  expect(env.HOLDFAST_TEST_LEAK).toBeUndefined();
});

test('a function that is told how many of it run at once is told how many do here', async () => {
  const told = triggered({ source: 'export const handler = async () => process.env;', environment: { HOLDFAST_INSTANCES: '50' } });
  const cloud = await cloudOf(told, { maxEnvironments: 3 });
  expect(await cloud.invoke('Worker', {})).toMatchObject({ HOLDFAST_INSTANCES: '3' });
});

test('a bundle that cannot load is an error at the start, with the reason', async () => {
  const broken = triggered({ source: `throw new Error('workflow "a" is registered twice'); export const handler = 1;` });
  await expect(cloudOf(broken)).rejects.toMatchObject({
    code: 'E_FUNCTION_START',
    message: expect.stringContaining('function worker cannot start: Error: workflow "a" is registered twice'),
  });
});

test('a module without the handler is an error at the start', async () => {
  await expect(cloudOf(triggered({ source: 'export const other = 1;' }))).rejects.toMatchObject({
    code: 'E_FUNCTION_START',
    message: expect.stringContaining('exports no function "handler"'),
  });
});
