/** The token store and the uploads on AWS, over real sockets. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/aws/clock.ts';
import { systemEntropy } from '../../src/aws/entropy.ts';
import { dynamoTokenStore } from '../../src/aws/token-store.ts';
import { s3Uploads } from '../../src/aws/uploads.ts';
import { type Emulators, startEmulators } from '../support/aws-emulators.ts';
import { connectionsTable } from '../support/connections-table.ts';
import { tokenStoreContract } from '../support/contracts/token-store.ts';

let aws: Emulators;
beforeAll(async () => {
  aws = await startEmulators();
});
afterEach(() => aws.faults());
afterAll(() => aws.stop());

const createTable = () => connectionsTable(aws);

describe('the token store on DynamoDB', () => {
  tokenStoreContract(async () => dynamoTokenStore(aws.clients.dynamodb, await createTable()));

  it('keeps the time at which a token expires as DynamoDB needs it to remove the token', async () => {
    const table = await createTable();
    const expiresAt = Date.UTC(2026, 5, 1);
    await dynamoTokenStore(aws.clients.dynamodb, table).put({ hash: 'a'.repeat(64), name: 'x', scopes: ['read'], createdAt: 1, expiresAt });
    const [put] = aws.inputs<{ TableName: string; Item: object }>('PutItem').filter(({ TableName }) => TableName === table);
    expect(put?.Item).toMatchObject({ pk: { S: 'TOKENS' }, sk: { S: 'a'.repeat(64) }, expiresAt: { N: String(expiresAt / 1_000) } });
  });
});

describe('the uploads on S3', () => {
  const open = async () => s3Uploads(aws.clients.s3, await aws.createBucket(), { clock: systemClock(), entropy: systemEntropy() });

  it('give a URL that takes a file without a token, and then have it', async () => {
    const uploads = await open();
    const { upload, url, headers, expiresAt } = await uploads.create('acme');
    expect(expiresAt - Date.now()).toBeGreaterThan(3_500_000);
    expect(await uploads.find('acme', upload)).toBeUndefined();
    const sent = await fetch(url, { method: 'PUT', headers, body: '{"n":1}\n{"n":2}\n' });
    expect(sent.status).toBe(200);
    const found = await uploads.find('acme', upload);
    expect(found).toMatchObject({ bytes: 16, etag: expect.stringMatching(/./) });
    const etag = found?.etag as string;
    const read = async (from: number, to: number) => Buffer.from(await uploads.read('acme', upload, { from, to, etag })).toString();
    expect(await read(0, 16)).toBe('{"n":1}\n{"n":2}\n');
    expect(await read(8, 12)).toBe('{"n"');
  });

  it('keep those of each tenant apart, whatever it is called', async () => {
    const uploads = await open();
    const { upload, url, headers } = await uploads.create('..');
    expect(decodeURIComponent(new URL(url).pathname)).toMatch(/\/uploads\/[0-9a-f]{32}\/[0-9a-f-]{36}$/);
    await fetch(url, { method: 'PUT', headers, body: '1' });
    expect(await uploads.find('..', upload)).toMatchObject({ bytes: 1 });
    for (const other of ['default', '.', 'acme']) expect(await uploads.find(other, upload)).toBeUndefined();
  });

  it('have several megabytes, and a file without anything in it', async () => {
    const uploads = await open();
    const large = await uploads.create('acme');
    await fetch(large.url, { method: 'PUT', headers: large.headers, body: Buffer.alloc(3 * 1024 * 1024, 'x') });
    const found = await uploads.find('acme', large.upload);
    expect(found?.bytes).toBe(3 * 1024 * 1024);
    const range = { from: 1024 * 1024, to: 2 * 1024 * 1024, etag: found?.etag as string };
    expect((await uploads.read('acme', large.upload, range)).length).toBe(1024 * 1024);
    const empty = await uploads.create('acme');
    await fetch(empty.url, { method: 'PUT', headers: empty.headers, body: '' });
    expect(await uploads.find('acme', empty.upload)).toMatchObject({ bytes: 0 });
  });
});
