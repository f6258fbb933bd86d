/** What a deployed stage makes of workers that die, and of wakes that are lost. Here the sweeper comes by its schedule alone. */
import { GetQueueAttributesCommand, PurgeQueueCommand } from '@aws-sdk/client-sqs';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { ended, journal, reaches, run } from '../support/localstack/runs.ts';
import { setDue } from '../support/localstack/runs-table.ts';
import { deploy, type TestStack } from '../support/localstack/stack.ts';
import { PATIENCE_MS, until } from '../support/localstack/until.ts';

/** A worker's death is noticed when its message comes again: 42 s later, and after the lease of its invocation. */
const AFTER_CRASH_MS = 2 * PATIENCE_MS;

let stack: TestStack;
beforeAll(async () => {
  stack = await deploy(inject('endpoint'), 'runs', { workerSeconds: 12 });
});
afterAll(() => stack?.destroy());

const start = async (workflow: string, input: { name: string; [field: string]: unknown }): Promise<string> => {
  const [id = ''] = await stack.start({ workflow, input, idempotencyKey: input.name });
  return id;
};
let last: Promise<unknown> = Promise.resolve();
/** Brings a worker down, once. One after the other: those that are in one batch die one at a time, and all come again each time. */
const startFatal = (name: string, safe: boolean): Promise<string> => {
  const started = last.then(async () => {
    stack.api.on(`/perilous/${name}`, { body: '{"die":true}' }, { body: '{"die":false}' });
    const id = await start('fatal', { name, safe });
    await until(
      async () => stack.api.received(`/perilous/${name}`).length,
      (times) => times > 0,
    );
    return id;
  });
  last = started.catch(() => {});
  return started;
};
const settle = async (id: string, verdict: unknown) => {
  const entry = (await journal(stack, id)).find(({ label }) => label === 'step perilous');
  return stack.http('POST', `/v1/runs/${id}/calls/${entry?.seq}/settle`, { json: verdict });
};

describe.concurrent('a run', () => {
  test('whose wake was lost is found by the sweeper on its schedule', async () => {
    const id = await start('nap', { name: 'forgotten', duration: '12s' });
    const { wakeAt = '' } = await reaches(stack, id, 'waiting');
    const QueueUrl = stack.queueUrl('wake');
    await stack.aws.sqs.send(new PurgeQueueCommand({ QueueUrl }));
    const inQueue = async () => {
      const { Attributes = {} } = await stack.aws.sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }));
      return Number(Attributes.ApproximateNumberOfMessages) + Number(Attributes.ApproximateNumberOfMessagesDelayed);
    };
    await until(inQueue, (messages) => messages === 0);
    expect((await run(stack, id)).status).toBe('waiting');
    await setDue(stack, id, Date.parse(wakeAt));
    expect(await ended(stack, id, 2 * PATIENCE_MS)).toMatchObject({ status: 'succeeded', result: 'rested' });
    expect(stack.api.received('/after/forgotten')).toHaveLength(1);
  });

  test('whose worker died in a harmless step is delivered again and ends', async () => {
    const id = await startFatal('harmless', true);
    expect(await ended(stack, id, AFTER_CRASH_MS)).toMatchObject({ status: 'succeeded', result: 'lived' });
    expect(stack.api.received('/perilous/harmless')).toHaveLength(2);
  });

  test('whose worker died in an unsafe step is paused, not repeated, and ends with what a person found out', async () => {
    const id = await startFatal('happened', false);
    const { reason } = await reaches(stack, id, 'paused', AFTER_CRASH_MS);
    expect(reason?.code).toBe('E_UNKNOWN_OUTCOME');
    expect(stack.api.received('/perilous/happened')).toHaveLength(1);
    expect((await settle(id, { outcome: 'happened', value: 'found out', why: 'seen in its log' })).status).toBe(202);
    expect(await ended(stack, id)).toMatchObject({ status: 'succeeded', result: 'found out' });
    expect(stack.api.received('/perilous/happened')).toHaveLength(1);
  });

  test('whose worker died in an unsafe step does it again when a person says that it did not happen', async () => {
    const id = await startFatal('never', false);
    await reaches(stack, id, 'paused', AFTER_CRASH_MS);
    expect((await settle(id, { outcome: 'not-happened' })).status).toBe(202);
    expect(await ended(stack, id)).toMatchObject({ status: 'succeeded', result: 'lived' });
    expect(stack.api.received('/perilous/never')).toHaveLength(2);
  });
});
