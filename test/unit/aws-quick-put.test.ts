/** What is put past the SDK is the SDK's to do again where it does not go well. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { S3Client } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { s3PayloadStore } from '../../src/aws/payload-store.ts';
import { undiciHandler } from '../../src/aws/undici-handler.ts';

const DATA = Buffer.from('a piece');
const seen: Array<{ path: string; body: string; bySdk: boolean }> = [];
let statuses: number[] = [];
const server = createServer((request, response) => {
  let body = '';
  request.on('data', (chunk) => {
    body += String(chunk);
  });
  request.on('end', () => {
    seen.push({ path: request.url ?? '', body, bySdk: request.headers['amz-sdk-invocation-id'] !== undefined });
    response.statusCode = statuses.shift() ?? 200;
    response.end();
  });
});
let store: ReturnType<typeof s3PayloadStore>;
beforeAll(async () => {
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const client = new S3Client({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'id', secretAccessKey: 'key' },
    forcePathStyle: true,
    maxAttempts: 1,
    requestHandler: undiciHandler({ streams: true }),
  });
  store = s3PayloadStore(async () => client, 'payloads');
});
afterEach(() => {
  seen.length = 0;
});
afterAll(() => void server.close());

it('a payload is one request, without the SDK', async () => {
  await store.put('runs/a/b', DATA);
  expect(seen).toEqual([{ path: '/payloads/runs/a/b', body: 'a piece', bySdk: false }]);
});

it('what is refused is put by the SDK', async () => {
  statuses = [503];
  await store.put('runs/a/b', DATA);
  expect(seen.map(({ bySdk, body }) => [bySdk, body])).toEqual([
    [false, 'a piece'],
    [true, 'a piece'],
  ]);
});

it('what the SDK cannot put either is its error', async () => {
  statuses = [503, 403];
  await expect(store.put('runs/a/b', DATA)).rejects.toMatchObject({ $metadata: { httpStatusCode: 403 } });
});
