/** Secrets Manager, spoken to over a socket: a server that answers as the service does. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { awsClients, type Clients } from '../../src/aws/clients.ts';
import { secretSource } from '../../src/aws/secrets.ts';
import { virtualClock } from '../../src/testing/index.ts';

let server: Server;
let clients: Clients;
let values: Record<string, string>;
let asked: string[];

beforeEach(async () => {
  values = { 'holdfast/crm/token': 'one' };
  asked = [];
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { SecretId } = JSON.parse(Buffer.concat(chunks).toString()) as { SecretId: string };
      asked.push(SecretId);
      const value = values[SecretId];
      const found = request.headers['x-amz-target'] === 'secretsmanager.GetSecretValue' && value !== undefined;
      const body = found
        ? { Name: SecretId, ...(value === 'binary' ? { SecretBinary: 'AA==' } : { SecretString: value }) }
        : { __type: 'ResourceNotFoundException', Message: "Secrets Manager can't find the specified secret." };
      response.writeHead(found ? 200 : 400, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  clients = awsClients({
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_ENDPOINT_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  });
});
afterEach(async () => {
  clients.destroy();
  server.closeAllConnections();
  await new Promise<void>((resolve) => server.close(() => resolve()));
});

const open = () => {
  const clock = virtualClock();
  return { clock, secrets: secretSource({ kind: 'secrets-manager', prefix: 'holdfast/' }, clients, clock) };
};

test('a secret is read under the prefix once, however many ask for it', async () => {
  const { secrets } = open();
  expect(await Promise.all(Array.from({ length: 5 }, () => secrets.get('crm/token')))).toEqual(['one', 'one', 'one', 'one', 'one']);
  expect(asked).toEqual(['holdfast/crm/token']);
});

test('a secret is read again when it is asked for fresh, and after five minutes', async () => {
  const { clock, secrets } = open();
  expect(await secrets.get('crm/token')).toBe('one');
  values['holdfast/crm/token'] = 'two';
  expect(await secrets.get('crm/token')).toBe('one');
  expect(await secrets.get('crm/token', { fresh: true })).toBe('two');
  values['holdfast/crm/token'] = 'three';
  clock.advance(5 * 60_000 - 1);
  expect(await secrets.get('crm/token')).toBe('two');
  clock.advance(1);
  expect(await secrets.get('crm/token')).toBe('three');
});

test('a missing secret is named with where it was looked for, and found once it is there', async () => {
  const { secrets } = open();
  await expect(secrets.get('billing/key')).rejects.toMatchObject({
    code: 'E_SECRET_MISSING',
    message: 'the secret "billing/key" is missing: create holdfast/billing/key in Secrets Manager',
    detail: { secret: 'billing/key', lookedIn: 'holdfast/billing/key' },
  });
  values['holdfast/billing/key'] = 'now';
  expect(await secrets.get('billing/key')).toBe('now');
});

test('a secret without a text value is missing', async () => {
  values['holdfast/crm/token'] = 'binary';
  await expect(open().secrets.get('crm/token')).rejects.toMatchObject({
    code: 'E_SECRET_MISSING',
    message: expect.stringContaining('no text value'),
  });
});
