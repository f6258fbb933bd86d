/** What the API shows of runs that the engine really ran: started over HTTP, woken by what the API sent, over the same ports. */
import { expect, it } from 'vitest';
import * as z from 'zod';
import { JournalItem, pageOf, Run } from '../../src/api/schemas.ts';
import { step } from '../../src/engine/step.ts';
import { map, sleep } from '../../src/engine/verbs.ts';
import { createWorker } from '../../src/engine/worker.ts';
import { type Workflow, workflow } from '../../src/engine/workflow.ts';
import { seededEntropy } from '../../src/testing/index.ts';
import { sha256, testApi } from '../support/api.ts';

const trial = workflow({
  name: 'trial',
  input: z.object({ domain: z.string() }),
  async run({ domain }) {
    const account = await step('open account', async () => ({ id: `account of ${domain}` }));
    await sleep('3 days');
    return { account: account.id, late: true };
  },
});
const failing = workflow({
  name: 'failing',
  async run() {
    await step('never works', async () => Promise.reject(new Error('no such table')), { attempts: 1 });
  },
});
const large = workflow({
  name: 'large',
  run: () =>
    map(
      Array.from({ length: 60 }, (_, i) => i),
      // Nothing that compression makes small, and one after the other.
      (i) => step(`part ${i}`, async () => Array.from({ length: 8 }, (_, part) => sha256(`${i} ${part}`)).join(''), { idempotent: true }),
      { concurrency: 4 },
    ),
});

/** An API and a worker that takes what it is woken with. */
function world(workflows: readonly Workflow[]) {
  const t = testApi({ workflows });
  const entropy = seededEntropy(1);
  const { store, payloads, wake, clock, registry } = t;
  const worker = createWorker({ store, payloads, wake, clock, entropy, registry, observe: () => {}, services: {} });
  const work = async () => {
    const messages = wake
      .take()
      .map(({ run }) => ({ id: entropy.id(), queue: 'wake' as const, body: JSON.stringify({ run }), receiveCount: 1 }));
    const kept = await t.whileTimePasses(worker.handle(messages, { deadline: clock.now() + 180_000, owner: entropy.id(), done: () => {} }));
    expect(kept).toEqual([]);
  };
  const journal = async (id: string) => {
    const { body } = await t.call('GET', `/v1/runs/${id}/journal`);
    return pageOf(JournalItem).parse(body).items;
  };
  return { ...t, work, journal };
}

it('a run that sleeps is shown waiting, with what it did and until when, and later with its result', async () => {
  const { call, work, wake, clock, journal } = world([trial]);
  const started = await call('POST', '/v1/workflows/trial/runs', { json: { domain: 'acme.example' } });
  const { id } = started.body;
  const began = clock.now();
  await work();
  const waiting = Run.parse((await call('GET', `/v1/runs/${id}`)).body);
  expect(waiting).toMatchObject({ status: 'waiting', startedAt: expect.any(String) });
  expect(Date.parse(waiting.wakeAt ?? '') - began).toBeGreaterThanOrEqual(3 * 86_400_000);
  const before = await journal(id);
  expect(before).toMatchObject(
    expect.arrayContaining([
      expect.objectContaining({ type: 'start', effect: 'unsafe', sending: 1, label: expect.stringContaining('open account') }),
      expect.objectContaining({ type: 'done', value: { id: 'account of acme.example' } }),
    ]),
  );

  clock.advance(3 * 86_400_000 + 60_000);
  await wake.wake([{ run: id, tenant: 'default' }]);
  await work();
  const ended = Run.parse((await call('GET', `/v1/runs/${id}`)).body);
  expect(ended).toMatchObject({ status: 'succeeded', result: { account: 'account of acme.example', late: true } });
  const after = await journal(id);
  expect(after.slice(0, before.length)).toEqual(before);
  expect(after.map(({ seq }) => seq)).toEqual(after.map((_, i) => i));
});

it('a run that failed is shown with its error and the attempt that failed', async () => {
  const { call, work, journal } = world([failing]);
  const { id } = (await call('POST', '/v1/workflows/failing/runs')).body;
  await work();
  const run = Run.parse((await call('GET', `/v1/runs/${id}`, { query: { wait: '20' } })).body);
  expect(run).toMatchObject({ status: 'failed', error: { message: expect.stringContaining('no such table') } });
  expect(await journal(id)).toMatchObject(expect.arrayContaining([expect.objectContaining({ type: 'fail', attempts: expect.any(Array) })]));
});

it('a run whose journal outgrew its item is shown whole', async () => {
  const { call, work, store, journal } = world([large]);
  const { id } = (await call('POST', '/v1/workflows/large/runs')).body;
  await work();
  expect(store.peek(id)).toMatchObject({ status: 'succeeded', spilled: true });
  const entries = await journal(id);
  expect(entries.filter(({ type }) => type === 'done')).toHaveLength(60);
  expect(entries.at(-1)).toMatchObject({ type: 'end', status: 'succeeded', truncated: true });
});
