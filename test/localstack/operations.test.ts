/** What people do to runs and dead letters of a deployed stage, through API Gateway. */

import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { CreateSecretCommand, DeleteSecretCommand } from '@aws-sdk/client-secrets-manager';
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { runId } from 'holdfast';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { ended, journal, letter, type Run, reaches, run } from '../support/localstack/runs.ts';
import { deploy, type TestStack } from '../support/localstack/stack.ts';
import { makeToken } from '../support/localstack/tokens.ts';
import { until } from '../support/localstack/until.ts';

let stack: TestStack;
beforeAll(async () => {
  stack = await deploy(inject('endpoint'), 'runs');
});
afterAll(() => stack?.destroy());

const start = async (workflow: string, input: { name: string; [field: string]: unknown }): Promise<string> => {
  const [id = ''] = await stack.start({ workflow, input, idempotencyKey: input.name });
  return id;
};
const post = (path: string, json: unknown = {}) => stack.http('POST', path, { json });

describe.concurrent('a person', () => {
  test('cancels a run that sleeps for days', async () => {
    const id = await start('nap', { name: 'cancelled', duration: '3 days' });
    await reaches(stack, id, 'waiting');
    expect((await post(`/v1/runs/${id}/cancel`, { why: 'no longer wanted' })).status).toBe(202);
    expect(await ended(stack, id)).toMatchObject({ status: 'cancelled', error: { code: 'E_CANCELLED' } });
    expect(stack.api.received('/after/cancelled')).toEqual([]);
    expect(await post(`/v1/runs/${id}/cancel`)).toMatchObject({ status: 409, body: { code: 'E_NOT_APPLICABLE' } });
  });

  test('redrives a failed run once the API is mended, and what had been done is not done again', async () => {
    stack.api.on('/after/mended', { status: 404, body: '{"error":"gone"}' });
    const id = await start('read-twice', { name: 'mended' });
    expect(await ended(stack, id)).toMatchObject({ status: 'failed' });
    stack.api.on('/after/mended', { body: '{"back":true}' });
    const redriven = await post(`/v1/runs/${id}/redrive`, { why: 'it is back' });
    expect(redriven).toMatchObject({ status: 202, body: { id } });
    expect(await ended(stack, id)).toMatchObject({ status: 'succeeded', result: { after: { back: true } } });
    expect(stack.api.received('/before/mended')).toHaveLength(1);
    expect(stack.api.received('/after/mended')).toHaveLength(2);
    expect((await post(`/v1/runs/${id}/redrive`)).status).toBe(409);
  });

  test('resumes a run that was paused for a missing secret', async () => {
    const id = await start('guarded', { name: 'paused' });
    const Name = `holdfast/${stack.stage}/locked/token`;
    const paused = await reaches(stack, id, 'paused');
    expect(paused.reason).toMatchObject({ code: 'E_SECRET_MISSING', message: expect.stringContaining(Name) });
    await stack.aws.secrets.send(new CreateSecretCommand({ Name, SecretString: 'open sesame' }));
    try {
      expect((await post(`/v1/runs/${id}/resume`)).status).toBe(202);
      expect(await ended(stack, id)).toMatchObject({ status: 'succeeded', result: { ok: true } });
    } finally {
      await stack.aws.secrets.send(new DeleteSecretCommand({ SecretId: Name, ForceDeleteWithoutRecovery: true }));
    }
    expect(stack.api.received('/guarded/paused').map(({ headers }) => headers.authorization)).toEqual(['Bearer open sesame']);
  });

  test('settles a call of which nobody knows whether it happened: it did', async () => {
    stack.api.on('/orders/happened', { reset: 'after-effect' });
    const id = await start('order', { name: 'happened' });
    const { reason } = await reaches(stack, id, 'paused');
    expect(reason?.code).toBe('E_UNKNOWN_OUTCOME');
    const settle = async () =>
      post(`/v1/runs/${id}/calls/${await unknownEntry(id)}/settle`, { outcome: 'happened', value: { status: 201, data: { id: 'o1' } } });
    expect((await settle()).status).toBe(202);
    expect(await ended(stack, id)).toMatchObject({ status: 'succeeded', result: { status: 201, data: { id: 'o1' } } });
    expect(stack.api.received('/orders/happened')).toHaveLength(1);
    expect(await settle()).toMatchObject({ status: 409, body: { code: 'E_NOT_APPLICABLE' } });
  });

  test('settles a call of which nobody knows whether it happened: it did not', async () => {
    stack.api.on('/orders/lost', { reset: 'before-effect' }, { status: 201, body: '{"id":"o2"}' });
    const id = await start('order', { name: 'lost' });
    await reaches(stack, id, 'paused');
    expect((await post(`/v1/runs/${id}/calls/${await unknownEntry(id)}/settle`, { outcome: 'not-happened' })).status).toBe(202);
    expect(await ended(stack, id)).toMatchObject({ status: 'succeeded', result: { status: 201, data: { id: 'o2' } } });
    expect(stack.api.received('/orders/lost')).toHaveLength(2);
  });

  test('deletes a run with everything that was kept of it', async () => {
    const started = await stack.http('POST', '/v1/workflows/echo/runs', { json: { text: 'x'.repeat(100_000), times: 3 } });
    const { id } = started.body as Run;
    expect((await stack.http('DELETE', `/v1/runs/${id}`)).status).toBe(409);
    await ended(stack, id);
    const kept = async () => {
      const listed = await stack.aws.s3.send(new ListObjectsV2Command({ Bucket: stack.outputs.PayloadsBucket, Prefix: `runs/${id}/` }));
      return listed.Contents?.length ?? 0;
    };
    expect(await kept()).toBeGreaterThan(0);
    expect((await stack.http('DELETE', `/v1/runs/${id}`)).status).toBe(204);
    expect(await kept()).toBe(0);
    expect((await stack.http('GET', `/v1/runs/${id}`)).status).toBe(404);
  });

  test('is told which dead letter cannot be redriven yet, and drops one', async () => {
    const body = '{"workflow":"read","input":{"name":["invalid"]}}';
    await stack.aws.sqs.send(new SendMessageCommand({ QueueUrl: stack.queueUrl('start'), MessageBody: body }));
    const { id } = await letter(stack, body);
    expect(await post('/v1/dead-letters/redrive', { ids: [id] })).toMatchObject({
      status: 202,
      body: { redriven: [], refused: [{ id, code: 'E_INPUT_INVALID' }] },
    });
    expect((await stack.http('DELETE', `/v1/dead-letters/${id}`)).status).toBe(204);
    expect((await stack.http('DELETE', `/v1/dead-letters/${id}`)).status).toBe(404);
  });

  test('starts a batch of lines, and is told which of them cannot be started', async () => {
    const lines = ['{"name":"line-1"}', '{"name":2}', '{"name":"line-3"}'].join('\n');
    const { status, body } = await stack.http('POST', '/v1/workflows/read/batches', {
      text: lines,
      headers: { 'content-type': 'application/x-ndjson', 'idempotency-key': 'lines' },
    });
    expect({ status, body }).toMatchObject({ status: 202, body: { batch: 'lines', accepted: 2, refused: 1, errors: [{ line: 2 }] } });
    const { runs } = body as { runs: Array<{ line: number; id: string }> };
    expect(runs.map(({ line, id }) => [line, id])).toEqual([1, 3].map((line) => [line, runId('default', 'read', `lines:${line}`)]));
    for (const { id } of runs) expect((await ended(stack, id)).status).toBe('succeeded');
  });

  test('starts a batch from a file that was sent to S3 by a presigned URL', async () => {
    const asked = await post('/v1/workflows/read/batches/uploads');
    expect(asked.status).toBe(201);
    const { upload, url, method, headers } = asked.body as { upload: string; url: string; method: string; headers: Record<string, string> };
    // The functions may know the endpoint by a name that only they can reach; the signature is over that name.
    const { host, pathname, search } = new URL(url);
    const file = '{"name":"file-1"}\n{"name":"file-2"}\n';
    const at = new URL(`${pathname}${search}`, inject('endpoint').url);
    const sent = await request(at, { method: method as 'PUT', headers: { ...headers, host }, body: file });
    expect([sent.statusCode, await sent.body.text()]).toEqual([200, '']);
    const started = await post('/v1/workflows/read/batches', { upload });
    expect(started.status).toBe(202);
    expect(await ended(stack, (started.body as Run).id)).toMatchObject({ status: 'succeeded' });
    for (const line of [1, 2]) {
      const id = runId('default', 'read', `${upload}:${line}`);
      await until(
        () => run(stack, id),
        ({ status }) => status === 'succeeded',
      );
    }
    expect(stack.api.received('/read/file-2')).toHaveLength(1);
  });

  test('gets no further than the scopes and the tenant of a token', async () => {
    const reader = await makeToken(stack, { name: 'reader', scopes: ['read'] });
    const acme = await makeToken(stack, { name: 'acme', scopes: ['read', 'start'], tenant: 'acme' });
    const late = await makeToken(stack, { name: 'late', scopes: ['read'], expiresAt: Date.now() - 60_000 });
    const begin = (token: string, headers: Record<string, string> = {}) =>
      stack.http('POST', '/v1/workflows/read/runs', { json: { name: 'tokens' }, headers, token });

    expect((await stack.http('GET', '/v1/runs', { token: reader })).status).toBe(200);
    expect(await begin(reader)).toMatchObject({ status: 403, body: { code: 'E_FORBIDDEN' } });
    expect((await stack.http('GET', '/v1/runs', { token: late })).status).toBe(401);

    const own = await begin(acme, { 'idempotency-key': 'own' });
    expect(own).toMatchObject({ status: 202, body: { id: runId('acme', 'read', 'own') } });
    expect(await begin(acme, { 'holdfast-tenant': 'another' })).toMatchObject({ status: 403, body: { code: 'E_FORBIDDEN' } });
    const others = await begin('local-dev', { 'holdfast-tenant': 'another' });
    const { id } = others.body as Run;
    expect((await stack.http('GET', `/v1/runs/${id}`, { token: acme })).status).toBe(404);
    expect((await stack.http('GET', `/v1/runs/${(own.body as Run).id}`, { token: acme })).status).toBe(200);
    expect((await stack.http('POST', `/v1/runs/${id}/cancel`, { json: {}, token: acme })).status).toBe(403);
    await ended(stack, id);
    const { items } = (await stack.http('GET', '/v1/runs', { token: acme })).body as { items: Array<{ tenant: string }> };
    expect(new Set(items.map(({ tenant }) => tenant))).toEqual(new Set(['acme']));
  });
});

async function unknownEntry(id: string): Promise<number> {
  const entry = (await journal(stack, id)).find(({ type }) => type === 'unknown');
  if (!entry) throw new Error(`the journal of run ${id} has no entry of an unknown call`);
  return entry.seq;
}
