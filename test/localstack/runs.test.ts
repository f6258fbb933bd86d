/** Runs on a deployed stage: started by messages and by requests, held up by what APIs do, moved on by queues and people. */
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { ended } from '../support/localstack/runs.ts';
import { deploy, type TestStack } from '../support/localstack/stack.ts';

let stack: TestStack;
beforeAll(async () => {
  stack = await deploy(inject('endpoint'), 'runs');
});
afterAll(() => stack?.destroy());

describe.concurrent('a run', () => {
  test('starts by a message on the start queue, calls concurrently, and keeps its result', async () => {
    for (let n = 1; n <= 5; n++) stack.api.on(`/parts/message/${n}`, { body: `{"n":${n}}` });
    stack.api.on('/sums/message', { status: 201, body: '{"id":"s1"}' });
    const [id = ''] = await stack.start({ workflow: 'gather', input: { name: 'message' }, idempotencyKey: 'message' });
    expect(await ended(stack, id)).toMatchObject({ status: 'succeeded', result: { sum: 15, id: 's1' } });
    const [post] = stack.api.received('/sums/message');
    expect(post?.headers['idempotency-key']).toMatch(/./);
    expect(stack.api.received('/sums/message')).toHaveLength(1);
  });
});
