/** What the embedded cloud decides without touching anything. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { route } from '../../local/aws/front.ts';
import { matchRoute, proxyResponse } from '../../local/http-event.ts';
import { readOptions } from '../../local/options.ts';
import { DEMO_SECRETS, ROOT, resolveSecrets } from '../../local/secrets.ts';
import { type ReceivedMessage, succeeded } from '../../local/sqs-event.ts';

const messages = ['a', 'b', 'c'].map(
  (MessageId) => ({ MessageId, ReceiptHandle: MessageId, Body: '', MD5OfBody: '' }) satisfies ReceivedMessage,
);
const failing = (...ids: unknown[]) => JSON.stringify({ batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })) });

test.each<[string, string, string]>([
  ['no answer', 'null', 'abc'],
  ['an answer of another kind', '"ok"', 'abc'],
  ['an empty list', failing(), 'abc'],
  ['a null list', '{"batchItemFailures":null}', 'abc'],
  ['some failures', failing('b'), 'ac'],
  ['all failures', failing('a', 'b', 'c'), ''],
  ['an id that was not in the batch', failing('a', 'x'), ''],
  ['an empty id', failing(''), ''],
  ['a null id', failing(null), ''],
  ['another key', '{"batchItemFailures":[{"id":"a"}]}', ''],
  ['a list that is none', '{"batchItemFailures":"a"}', ''],
])('of a batch whose function answers with %s, Lambda deletes what was dealt with', (_name, result, deleted) => {
  expect(
    succeeded(messages, result, true)
      .map(({ MessageId }) => MessageId)
      .join(''),
  ).toBe(deleted);
});

test('without ReportBatchItemFailures an answer means success', () => {
  expect(succeeded(messages, failing('a'), false)).toHaveLength(3);
});

const routes = [
  { path: '/', method: 'ANY', functionName: 'root' },
  { path: '/runs', method: 'GET', functionName: 'list' },
  { path: '/runs/{id}', method: 'GET', functionName: 'run' },
  { path: '/runs/{id}', method: 'ANY', functionName: 'any run' },
  { path: '/runs/recent', method: 'GET', functionName: 'recent' },
  { path: '/{proxy+}', method: 'ANY', functionName: 'rest' },
];

test.each<[string, string, string | undefined, object]>([
  ['GET', '/', 'root', {}],
  ['GET', '/runs', 'list', {}],
  ['POST', '/runs', 'rest', { proxy: 'runs' }],
  ['GET', '/runs/r%2F1', 'run', { id: 'r/1' }],
  ['DELETE', '/runs/r1', 'any run', { id: 'r1' }],
  ['GET', '/runs/recent', 'recent', {}],
  ['GET', '/runs/r1/journal', 'rest', { proxy: 'runs/r1/journal' }],
  ['GET', '/runs/%E0%A4%A', 'run', { id: '%E0%A4%A' }],
])('%s %s goes to %s', (method, path, functionName, parameters) => {
  const found = matchRoute(routes, method, path);
  expect(found?.route.functionName).toBe(functionName);
  expect(found?.parameters).toEqual(parameters);
});

test('without a route that fits there is none', () => {
  expect(matchRoute([{ path: '/a', method: 'GET', functionName: 'f' }], 'GET', '/b')).toBeUndefined();
  expect(matchRoute([{ path: '/{proxy+}', method: 'GET', functionName: 'f' }], 'GET', '/')).toBeUndefined();
});

test('an answer without a usable status or with a body that is no text is no proxy response', () => {
  expect(proxyResponse('null')).toBeUndefined();
  expect(proxyResponse('{"body":"x"}')).toBeUndefined();
  expect(proxyResponse('{"statusCode":99}')).toBeUndefined();
  expect(proxyResponse('{"statusCode":200,"body":{}}')).toBeUndefined();
  expect(proxyResponse('{"statusCode":"200","headers":{"A":1,"b":"2"},"multiValueHeaders":{"B":["3","4"]}}')).toEqual({
    status: 200,
    headers: [
      ['A', '1'],
      ['B', '3'],
      ['B', '4'],
    ],
    body: Buffer.alloc(0),
  });
});

test('the head of a request says which service it is for', () => {
  expect(route({ url: '/', headers: { 'x-amz-target': 'DynamoDB_20120810.GetItem' } })).toBe('dynamodb');
  expect(route({ url: '/', headers: { 'x-amz-target': 'AmazonSQS.SendMessage' } })).toBe('sqs-s3');
  expect(route({ url: '/bucket/key', headers: {} })).toBe('sqs-s3');
  expect(route({ url: '/_holdfast/health', headers: {} })).toBe('health');
});

test('an inspector has a port by itself, and is asked for by its port as well', () => {
  expect(readOptions(['--no-demo', '--reload', '--inspect'], {})).toMatchObject({ demo: false, reload: true, inspect: 9229 });
  expect(readOptions(['--inspect-port', '9333'], {})).toMatchObject({ inspect: 9333 });
});

test('flags come before variables, variables before defaults', () => {
  expect(readOptions([], {})).toEqual({
    help: false,
    once: false,
    demo: true,
    reload: false,
    inspect: undefined,
    data: undefined,
    port: 3000,
    awsPort: 4566,
    demoPort: 3001,
  });
  const env = { HOLDFAST_PORT: '1', HOLDFAST_AWS_PORT: '2', HOLDFAST_DEMO_PORT: '3', HOLDFAST_DATA: 'there' };
  expect(readOptions([], env)).toMatchObject({ data: 'there', port: 1, awsPort: 2, demoPort: 3 });
  expect(readOptions(['--port', '0', '--aws-port=5', '--demo-port', '6', '--data', 'here', '--once'], env)).toMatchObject({
    once: true,
    data: 'here',
    port: 0,
    awsPort: 5,
    demoPort: 6,
  });
});

test.each<[string[], Record<string, string>, string]>([
  [['--port', '70000'], {}, '--port must be a port from 0 to 65535, not "70000"'],
  [[], { HOLDFAST_DEMO_PORT: 'x' }, 'HOLDFAST_DEMO_PORT must be a port from 0 to 65535, not "x"'],
  [['--nope'], {}, "Unknown option '--nope'"],
  [['--once', '--no-demo'], {}, '--once waits for the demo to end: leave out --no-demo'],
])('%j with %j is refused: %s', (args, env, message) => {
  expect(() => readOptions(args, env)).toThrow(expect.objectContaining({ code: 'E_OPTION', message: expect.stringContaining(message) }));
});

test('a file of secrets is found from everywhere, and the demo has its own while there is none', () => {
  expect(resolveSecrets('env-file:.env.local', () => true)).toBe(`env-file:${join(ROOT, '.env.local')}`);
  expect(resolveSecrets('env-file:.env.local', () => false)).toBe(`env-file:${DEMO_SECRETS}`);
  expect(resolveSecrets('env-file:/etc/secrets', () => false)).toBe('env-file:/etc/secrets');
  expect(resolveSecrets('secrets-manager:holdfast/', () => false)).toBe('secrets-manager:holdfast/');
  expect(resolveSecrets(undefined)).toBeUndefined();
});
