/** What a deployment does to runs in flight: to those it does not concern, nothing; to one whose code it changed, a pause that says why. */
import { SendMessageCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { ENDED, ended, type Letter, letter, reaches, run, statuses } from '../support/localstack/runs.ts';
import { deploy, type TestStack } from '../support/localstack/stack.ts';
import { PATIENCE_MS, until } from '../support/localstack/until.ts';

let stack: TestStack;
beforeAll(async () => {
  stack = await deploy(inject('endpoint'), 'release-1', { workerSeconds: 12 });
});
afterAll(() => stack?.destroy());

const ASLEEP = 40;
const RETRYING = 40;
const BUSY = 20;
/** A worker that the deployment ends has its messages delivered again after their visibility timeout, one that was at it for long twice. */
const ENOUGH_MS = 3 * PATIENCE_MS;

const messages = (workflow: string, count: number) =>
  Array.from({ length: count }, (_, n) => ({ workflow, input: { name: `n${n}` }, idempotencyKey: `n${n}` }));
const closed = { status: 429, headers: { 'retry-after': '8' } };

test('a deployment over a hundred runs in flight loses none, and one whose workflow it changed pauses until the fix is deployed', async () => {
  const { api } = stack;
  for (let n = 0; n < ASLEEP; n++) api.on(`/asleep/n${n}`, { body: '{"open":false}' });
  for (let n = 0; n < RETRYING; n++) api.on(`/retrying/n${n}`, closed);
  api.on('/retrying/changed', closed);
  for (let n = 0; n < BUSY; n++) {
    for (let part = 1; part <= 4; part++) api.on(`/busy/n${n}/${part}`, { delay: 400 });
    api.on(`/written/n${n}`, { status: 201, body: `{"id":"w${n}"}` });
  }
  const [changed = '', ...held] = await stack.start(
    { workflow: 'changing', input: { name: 'changed' }, idempotencyKey: 'changed' },
    ...messages('asleep', ASLEEP),
    ...messages('retrying', RETRYING),
  );
  const early = JSON.stringify({ workflow: 'newcomer', input: { name: 'early' }, idempotencyKey: 'early' });
  await stack.aws.sqs.send(new SendMessageCommand({ QueueUrl: stack.queueUrl('start'), MessageBody: early }));
  await until(
    () => statuses(stack, 'asleep', 'retrying', 'changing'),
    (seen) => [changed, ...held].every((id) => seen.has(id)),
  );
  expect(await letter(stack, early)).toMatchObject({ reason: { code: 'E_UNKNOWN_WORKFLOW' } });
  const busy = await stack.start(...messages('busy', BUSY));

  const { Version } = stack.outputs;
  await stack.redeploy('release-2');
  expect(stack.outputs.Version).not.toBe(Version);

  const inFlight = await statuses(stack, 'asleep', 'retrying');
  expect(held.filter((id) => !['waiting', 'running'].includes(inFlight.get(id) ?? ''))).toEqual([]);
  for (let n = 0; n < ASLEEP; n++) api.on(`/asleep/n${n}`, { body: '{"open":true}' });
  for (let n = 0; n < RETRYING; n++) api.on(`/retrying/n${n}`, { body: '{"served":true}' });
  api.on('/retrying/changed', { body: '{"served":true}' });

  const paused = await reaches(stack, changed, 'paused', ENOUGH_MS);
  expect(paused.reason?.code).toBe('E_DIVERGED');
  expect(paused.reason?.message).toMatch(/^- journal: GET test-api \/first\/changed$/m);
  expect(paused.reason?.message).toMatch(/^\+ code: +GET test-api \/another\/changed/m);

  const all = [...held, ...busy];
  expect(all).toHaveLength(100);
  const final = await until(
    () => statuses(stack, 'asleep', 'retrying', 'busy'),
    (seen) => all.every((id) => ENDED.has(seen.get(id) ?? '')),
    ENOUGH_MS,
  );
  expect(all.filter((id) => final.get(id) !== 'succeeded')).toEqual([]);
  for (const id of held.slice(ASLEEP)) expect((await run(stack, id)).result).toEqual({ served: true });
  for (let n = 0; n < BUSY; n++) {
    // A worker that was ended in between sends its POST again: under the same key.
    const keys = api.received(`/written/n${n}`).map(({ headers }) => headers['idempotency-key']);
    expect(new Set(keys).size).toBe(1);
  }

  const { id } = await letter(stack, early);
  const redriven = await stack.http('POST', '/v1/dead-letters/redrive', { json: { filter: { workflow: 'newcomer' } } });
  expect(redriven).toMatchObject({ status: 202, body: { redriven: [{ id, run: expect.stringMatching(/^run_/) }], refused: [] } });
  const [{ run: newcomer = '' } = {}] = (redriven.body as { redriven: Array<{ run?: string }> }).redriven;
  expect(await ended(stack, newcomer)).toMatchObject({ status: 'succeeded', result: 'welcome, early' });
  const left = (await stack.http('GET', '/v1/dead-letters')).body as { items: Letter[] };
  expect(left.items).toEqual([]);

  await stack.redeploy('release-3');
  expect((await stack.http('POST', `/v1/runs/${changed}/resume`, { json: { why: 'the fix is deployed' } })).status).toBe(202);
  expect(await ended(stack, changed, ENOUGH_MS)).toMatchObject({ status: 'succeeded', result: 'as it began' });
  expect(api.received('/first/changed')).toHaveLength(1);
  expect(api.received('/another/changed')).toEqual([]);
});
