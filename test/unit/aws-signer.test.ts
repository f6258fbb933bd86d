/** Our signatures are those of the SDK, and of AWS's own example. */
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { quickPut } from '../../src/aws/quick-put.ts';
import { type Credentials, signatureOf, signer, signingKey } from '../../src/aws/signer.ts';

type Sent = {
  method: string;
  hostname: string;
  port?: number;
  path: string;
  query: Record<string, string>;
  headers: Record<string, string>;
  body: string;
};

/** What the SDK, with its own signer, would have sent. */
async function sentBySdk(send: (requestHandler: { handle(request: Sent): Promise<never> }) => Promise<unknown>): Promise<Sent> {
  let sent: Sent | undefined;
  await send({
    handle: async (request) => {
      sent = request;
      throw Object.assign(new Error('captured'), { $retryable: undefined });
    },
  }).catch(() => undefined);
  if (!sent) throw new Error('nothing was sent');
  return sent;
}

function partsOf(authorization = ''): { scope: string; signed: string[]; signature: string } {
  const [, scope = '', signed = '', signature = ''] =
    /Credential=[^/]+\/(\S+), SignedHeaders=(\S+), Signature=(\w+)/.exec(authorization) ?? [];
  return { scope, signed: signed.split(';'), signature };
}

const anyCredentials = fc.record({
  accessKeyId: fc.stringMatching(/^[A-Z0-9]{16,20}$/),
  secretAccessKey: fc.stringMatching(/^[A-Za-z0-9/+]{40}$/),
  sessionToken: fc.option(fc.stringMatching(/^[A-Za-z0-9/+=]{20,60}$/), { nil: undefined }),
});
const anyRegion = fc.constantFrom('us-east-1', 'eu-central-1', 'ap-southeast-2');
const anyEndpoint = fc.option(fc.constantFrom('http://127.0.0.1:4566', 'https://proxy.example/a b/c'), { nil: undefined });
const options = (credentials: Credentials, region: string, endpoint: string | undefined) => ({
  region,
  maxAttempts: 1,
  credentials: {
    accessKeyId: credentials.accessKeyId,
    secretAccessKey: credentials.secretAccessKey,
    ...(credentials.sessionToken === undefined ? {} : { sessionToken: credentials.sessionToken }),
  },
  ...(endpoint === undefined ? {} : { endpoint }),
});

/** Signs what the SDK signed as the SDK signed it, and as we do. */
async function check(sent: Sent, credentials: Credentials, region: string, service: string): Promise<void> {
  const { scope, signed, signature } = partsOf(sent.headers.authorization);
  const time = sent.headers['x-amz-date'] ?? '';
  expect(scope).toBe(`${time.slice(0, 8)}/${region}/${service}/aws4_request`);
  const key = signingKey(credentials.secretAccessKey, time.slice(0, 8), region, service);
  expect(signatureOf({ request: sent, signed, time, scope, key })).toBe(signature);

  const date = new Date(time.replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5'));
  const { authorization: _, 'x-amz-date': __, 'x-amz-security-token': ___, ...headers } = sent.headers;
  const ours = { ...sent, headers: { ...headers } };
  await signer({ credentials: async () => credentials, region, service }).sign(ours, { signingDate: date });
  const mine = partsOf(ours.headers.authorization);
  expect(mine.signed).toEqual(
    Object.keys(ours.headers)
      .filter((name) => /^(host|content-type|x-amz-.*)$/.test(name))
      .sort(),
  );
  expect(mine.scope).toBe(scope);
  expect(mine.signature).toBe(signatureOf({ request: ours, signed: mine.signed, time, scope, key }));
  expect(ours.headers['x-amz-security-token']).toBe(credentials.sessionToken);
}

describe('a signature', () => {
  test('of PutItem is the SDK’s', async () => {
    await fc.assert(
      fc.asyncProperty(
        anyCredentials,
        anyRegion,
        anyEndpoint,
        fc.string({ unit: 'grapheme' }),
        async (credentials, region, endpoint, text) => {
          const sent = await sentBySdk((requestHandler) =>
            new DynamoDBClient({ ...options(credentials, region, endpoint), requestHandler }).send(
              new PutItemCommand({ TableName: 'runs', Item: { pk: { S: text }, data: { B: Buffer.from(text) } } }),
            ),
          );
          await check(sent, credentials, region, 'dynamodb');
        },
      ),
      { numRuns: 40 },
    );
  });

  test('of SendMessage is the SDK’s', async () => {
    await fc.assert(
      fc.asyncProperty(
        anyCredentials,
        anyRegion,
        anyEndpoint,
        fc.string({ unit: 'grapheme' }),
        async (credentials, region, endpoint, text) => {
          const sent = await sentBySdk((requestHandler) =>
            new SQSClient({ ...options(credentials, region, endpoint), requestHandler, useQueueUrlAsEndpoint: false }).send(
              new SendMessageCommand({ QueueUrl: 'https://sqs.us-east-1.amazonaws.com/1/start', MessageBody: text }),
            ),
          );
          await check(sent, credentials, region, 'sqs');
        },
      ),
      { numRuns: 40 },
    );
  });

  test('of a payload that is put without the SDK is the SDK’s, and it goes to the same place', async () => {
    const anyKey = fc.string({ unit: 'grapheme', minLength: 1 }).filter((key) => key.isWellFormed() && !/(^|\/)\.*(\/|$)/.test(key));
    await fc.assert(
      fc.asyncProperty(anyCredentials, anyRegion, anyEndpoint, anyKey, async (credentials, region, endpoint, key) => {
        const client = (requestHandler: { handle(request: Sent): Promise<never> }) =>
          new S3Client({
            ...options(credentials, region, endpoint),
            requestHandler,
            forcePathStyle: endpoint !== undefined,
            requestChecksumCalculation: 'WHEN_REQUIRED',
          });
        const data = Buffer.from(key);
        const sdk = await sentBySdk((handler) => client(handler).send(new PutObjectCommand({ Bucket: 'payloads', Key: key, Body: data })));
        const ours = await sentBySdk(async (handler) => (await quickPut(client(handler), 'payloads'))(key, data));
        expect([ours.method, ours.hostname, ours.port, ours.path]).toEqual([sdk.method, sdk.hostname, sdk.port, sdk.path]);
        for (const sent of [sdk, ours]) {
          const { scope, signed, signature } = partsOf(sent.headers.authorization);
          const time = sent.headers['x-amz-date'] ?? '';
          const signing = signingKey(credentials.secretAccessKey, time.slice(0, 8), region, 's3');
          expect(signatureOf({ request: sent, signed, time, scope, key: signing, encodesPath: false })).toBe(signature);
        }
        expect(ours.headers['x-amz-content-sha256']).toBe(sdk.headers['x-amz-content-sha256']);
        expect(ours.headers['x-amz-security-token']).toBe(credentials.sessionToken);
      }),
      { numRuns: 40 },
    );
  });

  // From AWS's Signature Version 4 test suite: get-vanilla.
  test('of the published example is the published one', async () => {
    const request = { method: 'GET', hostname: 'example.amazonaws.com', path: '/', headers: {} as Record<string, string> };
    const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
    const sign = signer({ credentials: async () => credentials, region: 'us-east-1', service: 'service' });
    await sign.sign(request, { signingDate: new Date('2015-08-30T12:36:00Z') });
    expect(request.headers.authorization).toBe(
      'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
    );
  });
});

describe('what is remembered between requests', () => {
  const request = () => ({
    method: 'POST',
    hostname: 'x.example',
    path: '/',
    headers: { 'x-amz-target': 'T.Op' } as Record<string, string>,
    body: '{}',
  });
  const fresh = async (credentials: Credentials, at: Date, region = 'us-east-1') => {
    const one = request();
    await signer({ credentials: async () => credentials, region, service: 'dynamodb' }).sign(one, { signingDate: at });
    return one.headers;
  };

  test('never shows: over seconds, days, regions and rotated credentials it signs as one that remembers nothing', async () => {
    const all: Credentials[] = [
      { accessKeyId: 'AKIA1', secretAccessKey: 'one' },
      { accessKeyId: 'AKIA2', secretAccessKey: 'two', sessionToken: 'token' },
    ];
    let credentials = all[0] as Credentials;
    const remembering = signer({ credentials: async () => credentials, region: 'us-east-1', service: 'dynamodb' });
    const step = fc.record({
      ms: fc.constantFrom(0, 1, 999, 1_000, 86_400_000),
      other: fc.boolean(),
      region: fc.constantFrom('us-east-1', 'eu-west-1'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        let at = Date.UTC(2026, 1, 27, 23, 59, 58);
        for (const { ms, other, region } of steps) {
          at += ms;
          credentials = all[other ? 1 : 0] as Credentials;
          const one = request();
          await remembering.sign(one, { signingDate: new Date(at), signingRegion: region });
          expect(one.headers).toEqual(await fresh(credentials, new Date(at), region));
        }
      }),
    );
  });

  test('a request that is sent again is signed anew', async () => {
    const credentials = { accessKeyId: 'AKIA1', secretAccessKey: 'one' };
    const one = request();
    const sign = signer({ credentials: async () => credentials, region: 'us-east-1', service: 'dynamodb' });
    await sign.sign(one, { signingDate: new Date('2026-02-01T00:00:00Z') });
    await sign.sign(one, { signingDate: new Date('2026-02-01T00:00:05Z') });
    expect(one.headers).toEqual(await fresh(credentials, new Date('2026-02-01T00:00:05Z')));
  });
});

test('a stream is refused, since its signature would be that of something else', async () => {
  const request = { method: 'PUT', hostname: 'x.example', path: '/', headers: {}, body: new ReadableStream() };
  const sign = signer({ credentials: async () => ({ accessKeyId: 'a', secretAccessKey: 'b' }), region: 'us-east-1', service: 's3' });
  await expect(sign.sign(request, { signingDate: 0 })).rejects.toThrow(/streams/);
});
