/** The settings of a function and where its secrets come from. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { queueUrlAt } from '../../src/aws/endpoints.ts';
import { envFileSecrets, parseEnvFile, variableOf } from '../../src/aws/env-file-secrets.ts';
import { queueUrlOfArn } from '../../src/aws/environment.ts';
import { readSettings } from '../../src/aws/settings.ts';
import type { HoldfastError } from '../../src/engine/errors.ts';

const ENV = {
  HOLDFAST_STAGE: 'local',
  HOLDFAST_RUNS_TABLE: 'runs',
  HOLDFAST_CONNECTIONS_TABLE: 'connections',
  HOLDFAST_START_QUEUE_URL: 'http://sqs.us-east-1.localhost:4566/000000000000/holdfast-local-start',
  HOLDFAST_WAKE_QUEUE_URL: 'http://sqs.us-east-1.localhost:4566/000000000000/holdfast-local-wake',
  HOLDFAST_PAYLOADS_BUCKET: 'payloads',
  HOLDFAST_SECRETS: 'env-file:.env.local',
  HOLDFAST_FUNCTION_TIMEOUT_MS: '180000',
};

const faultOf = (env: Record<string, string | undefined>): HoldfastError => {
  try {
    readSettings(env);
  } catch (error) {
    return error as HoldfastError;
  }
  throw new Error('the settings were accepted');
};

describe('settings', () => {
  test('are read with their defaults', () => {
    expect(readSettings(ENV)).toEqual({
      stage: 'local',
      runsTable: 'runs',
      connectionsTable: 'connections',
      startQueueUrl: ENV.HOLDFAST_START_QUEUE_URL,
      wakeQueueUrl: ENV.HOLDFAST_WAKE_QUEUE_URL,
      payloadsBucket: 'payloads',
      secrets: { kind: 'env-file', path: '.env.local' },
      allow: [],
      functionTimeoutMs: 180_000,
      apiTokenHashes: [],
      retentionDays: 30,
      instances: 10,
    });
  });

  test('are read in full', () => {
    const hash = 'AB'.repeat(32);
    const settings = readSettings({
      ...ENV,
      HOLDFAST_SECRETS: 'secrets-manager:holdfast/prod/',
      HOLDFAST_ALLOW: '127.0.0.0/8, ::1/128',
      HOLDFAST_API_TOKEN_SHA256: `${hash},${hash}`,
      HOLDFAST_RETENTION_DAYS: '7',
      HOLDFAST_INSTANCES: '50',
    });
    expect(settings).toMatchObject({
      secrets: { kind: 'secrets-manager', prefix: 'holdfast/prod/' },
      allow: ['127.0.0.0/8', '::1/128'],
      apiTokenHashes: [hash.toLowerCase(), hash.toLowerCase()],
      retentionDays: 7,
      instances: 50,
    });
  });

  test.each(Object.keys(ENV))('%s missing is an error that names it', (field) => {
    const fault = faultOf({ ...ENV, [field]: undefined });
    expect(fault).toMatchObject({ code: 'E_BAD_OPTION', detail: { field, fields: [field] } });
    expect(fault.message).toMatch(`${field} is not set: `);
  });

  test('all that is missing is named at once', () => {
    expect(faultOf({}).detail.fields).toEqual(Object.keys(ENV));
  });

  test.each([
    ['HOLDFAST_SECRETS', 'vault:x'],
    ['HOLDFAST_SECRETS', 'env-file:'],
    ['HOLDFAST_FUNCTION_TIMEOUT_MS', '3 min'],
    ['HOLDFAST_FUNCTION_TIMEOUT_MS', '900001'],
    ['HOLDFAST_RETENTION_DAYS', '0'],
    ['HOLDFAST_INSTANCES', '0'],
    ['HOLDFAST_INSTANCES', '2.5'],
    ['HOLDFAST_ALLOW', '10.1.0.0'],
    ['HOLDFAST_API_TOKEN_SHA256', 'local-dev'],
    ['HOLDFAST_WAKE_QUEUE_URL', 'wake'],
  ])('%s = %s is refused by name', (field, value) => {
    expect(faultOf({ ...ENV, [field]: value })).toMatchObject({
      code: 'E_BAD_OPTION',
      detail: { field },
      message: expect.stringContaining(field),
    });
  });

  test('queue URLs are taken to the endpoint that is set, with their path', () => {
    const settings = readSettings({ ...ENV, AWS_ENDPOINT_URL: 'http://127.0.0.1:4567' });
    expect(settings.wakeQueueUrl).toBe('http://127.0.0.1:4567/000000000000/holdfast-local-wake');
    expect(queueUrlAt('https://sqs.eu-west-1.amazonaws.com/1/q', undefined)).toBe('https://sqs.eu-west-1.amazonaws.com/1/q');
  });

  test('the queue of an event source is found by its name', () => {
    const urls = [ENV.HOLDFAST_START_QUEUE_URL, ENV.HOLDFAST_WAKE_QUEUE_URL];
    expect(queueUrlOfArn('arn:aws:sqs:us-east-1:000000000000:holdfast-local-wake', urls)).toBe(ENV.HOLDFAST_WAKE_QUEUE_URL);
    expect(queueUrlOfArn('arn:aws:sqs:us-east-1:000000000000:wake', urls)).toBeUndefined();
  });
});

describe('secrets from a file', () => {
  const folders: string[] = [];
  afterEach(async () => {
    for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
  });
  const file = async () => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-secrets-'));
    folders.push(folder);
    return join(folder, '.env.local');
  };

  test('are found under their name in capitals', async () => {
    const path = await file();
    await writeFile(path, '# comment\n\nCRM_TOKEN=abc=def\nexport BILLING_KEY = "with space" \r\nEMPTY=\n');
    const secrets = envFileSecrets(path);
    expect(await secrets.get('crm/token')).toBe('abc=def');
    expect(await secrets.get('billing-key')).toBe('with space');
    expect(await secrets.get('empty')).toBe('');
  });

  test('are read again when asked for fresh, and when missing before', async () => {
    const path = await file();
    const secrets = envFileSecrets(path);
    await expect(secrets.get('crm/token')).rejects.toMatchObject({
      code: 'E_SECRET_MISSING',
      message: `the secret "crm/token" is missing: add a line CRM_TOKEN=… to ${path}`,
    });
    await writeFile(path, 'CRM_TOKEN=one');
    expect(await secrets.get('crm/token')).toBe('one');
    await writeFile(path, 'CRM_TOKEN=two');
    expect(await secrets.get('crm/token')).toBe('one');
    expect(await secrets.get('crm/token', { fresh: true })).toBe('two');
    expect(await secrets.get('crm/token')).toBe('two');
  });

  test('names and lines', () => {
    expect(variableOf('crm/api.v2-token')).toBe('CRM_API_V2_TOKEN');
    expect([...parseEnvFile("A=1\nnonsense\n=x\nB='q\"q'\n C = 3 ")]).toEqual([
      ['A', '1'],
      ['B', 'q"q'],
      ['C', '3'],
    ]);
  });
});
