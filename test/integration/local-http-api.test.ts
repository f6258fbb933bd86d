/** Requests reach the function as REST proxy events, and its answers come back whole. */
import { request } from 'node:http';
import { expect, test } from 'vitest';
import type { Resource } from '../../local/template/intrinsics.ts';
import { cloudOf, lambda } from './local-stack.ts';

function api(source: string, options: { binary?: string[] } = {}): Record<string, Resource> {
  const proxy = (resourceId: object, method: string): Resource => ({
    Type: 'AWS::ApiGateway::Method',
    Properties: {
      HttpMethod: method,
      RestApiId: { Ref: 'Api' },
      ResourceId: resourceId as never,
      Integration: {
        Type: 'AWS_PROXY',
        Uri: {
          'Fn::Join': [
            '',
            [
              'arn:',
              { Ref: 'AWS::Partition' },
              ':apigateway:us-east-1:lambda:path/2015-03-31/functions/',
              { 'Fn::GetAtt': ['Handler', 'Arn'] },
              '/invocations',
            ],
          ],
        },
      },
    },
  });
  return {
    ...lambda('Handler', { source, timeout: 5 }),
    Api: { Type: 'AWS::ApiGateway::RestApi', Properties: { Name: 'api', ...(options.binary ? { BinaryMediaTypes: options.binary } : {}) } },
    Runs: {
      Type: 'AWS::ApiGateway::Resource',
      Properties: { RestApiId: { Ref: 'Api' }, ParentId: { 'Fn::GetAtt': ['Api', 'RootResourceId'] }, PathPart: 'runs' },
    },
    Run: { Type: 'AWS::ApiGateway::Resource', Properties: { RestApiId: { Ref: 'Api' }, ParentId: { Ref: 'Runs' }, PathPart: '{id}' } },
    Rest: {
      Type: 'AWS::ApiGateway::Resource',
      Properties: { RestApiId: { Ref: 'Api' }, ParentId: { 'Fn::GetAtt': ['Api', 'RootResourceId'] }, PathPart: '{proxy+}' },
    },
    GetRun: proxy({ Ref: 'Run' }, 'GET'),
    Any: proxy({ Ref: 'Rest' }, 'ANY'),
    Stage: { Type: 'AWS::ApiGateway::Stage', Properties: { RestApiId: { Ref: 'Api' }, StageName: 'v' } },
  };
}

const ECHO = `export const handler = async (event) => ({ statusCode: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(event) });`;

type Event = Record<string, unknown> & { headers: Record<string, string> };

test('a request becomes the proxy event of the most specific route', async () => {
  const cloud = await cloudOf(api(ECHO));
  const response = await fetch(`${cloud.apiUrl}/runs/a%20b?x=1&x=2&y=%C3%A4`, { headers: { 'X-Own': 'ü'.normalize() === 'ü' ? 'v' : '' } });
  const event = (await response.json()) as Event;
  expect(response.headers.get('content-type')).toBe('application/json');
  expect(event).toMatchObject({
    resource: '/runs/{id}',
    path: '/runs/a%20b',
    httpMethod: 'GET',
    pathParameters: { id: 'a b' },
    queryStringParameters: { x: '2', y: 'ä' },
    multiValueQueryStringParameters: { x: ['1', '2'], y: ['ä'] },
    body: null,
    isBase64Encoded: false,
    stageVariables: null,
    requestContext: {
      stage: 'v',
      path: '/runs/a%20b',
      httpMethod: 'GET',
      resourcePath: '/runs/{id}',
      identity: { sourceIp: '127.0.0.1' },
    },
  });
  expect(Object.entries(event.headers).find(([name]) => name.toLowerCase() === 'x-own')?.[1]).toBe('v');

  const posted = (await (await fetch(`${cloud.apiUrl}/v1/x/y`, { method: 'POST', body: '{"ä":1}' })).json()) as Event;
  expect(posted).toMatchObject({ resource: '/{proxy+}', pathParameters: { proxy: 'v1/x/y' }, httpMethod: 'POST', body: '{"ä":1}' });
});

test('binary bodies travel as base64, both ways', async () => {
  const source = `export const handler = async ({ body, isBase64Encoded }) => ({ statusCode: 201, isBase64Encoded, body, multiValueHeaders: { 'set-cookie': ['a=1', 'b=2'] } });`;
  const cloud = await cloudOf(api(source, { binary: ['application/octet-stream'] }));
  const body = Buffer.from([0, 255, 128, 10]);
  const response = await fetch(`${cloud.apiUrl}/x`, { method: 'POST', headers: { 'content-type': 'application/octet-stream' }, body });
  expect(response.status).toBe(201);
  expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
  expect(Buffer.from(await response.arrayBuffer())).toEqual(body);
});

test('what a function gets wrong is a 502 that says what', async () => {
  const source = `
    export const handler = async ({ path }) => {
      if (path === '/throws') throw new RangeError('broken');
      if (path === '/exits') process.exit(1);
      return path === '/nothing' ? undefined : { statusCode: 200, body: { not: 'a string' } };
    };`;
  const cloud = await cloudOf(api(source));
  const answer = async (path: string) => {
    const response = await fetch(`${cloud.apiUrl}${path}`);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    return response.json();
  };
  expect(await answer('/throws')).toMatchObject({ status: 502, detail: 'the function failed: RangeError: broken' });
  expect(await answer('/exits')).toMatchObject({
    status: 502,
    detail: 'the function failed: Runtime.ExitError: the runtime exited with code 1',
  });
  expect(await answer('/nothing')).toMatchObject({ status: 502 });
  expect(await answer('/object')).toMatchObject({ status: 502 });
});

test('limits on heads and bodies are those of API Gateway', async () => {
  const cloud = await cloudOf(api(ECHO));
  expect((await fetch(`${cloud.apiUrl}/x`, { method: 'POST', body: Buffer.alloc(11 * 1024 * 1024) })).status).toBe(413);
  expect((await fetch(`${cloud.apiUrl}/x`, { method: 'POST', body: 'x'.repeat(7 * 1024 * 1024) })).status).toBe(413);
  expect((await fetch(`${cloud.apiUrl}/x`, { headers: { 'x-long': 'x'.repeat(20_000) } })).status).toBe(431);
  expect((await fetch(`${cloud.apiUrl}/`)).status).toBe(404);
});

test('several requests are answered at once by environments of their own', async () => {
  const source = `export const handler = async () => { await new Promise((r) => setTimeout(r, 300)); return { statusCode: 204 }; };`;
  const cloud = await cloudOf(api(source));
  const statuses = await Promise.all([1, 2, 3].map(async () => (await fetch(`${cloud.apiUrl}/x`)).status));
  expect(statuses).toEqual([204, 204, 204]);
  expect(cloud.stats().functions.handler?.peak).toBeGreaterThan(1);
});

test('a client that leaves does not disturb the others', async () => {
  const cloud = await cloudOf(api(ECHO));
  const leaving = request(`${cloud.apiUrl}/x`, { method: 'POST', headers: { 'content-length': 100 } });
  leaving.on('error', () => undefined);
  leaving.write('half');
  await new Promise((resolve) => leaving.once('socket', resolve));
  leaving.destroy();
  expect((await fetch(`${cloud.apiUrl}/x`)).status).toBe(200);
});
