import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunRecord } from '../../src/engine/ports.ts';
import { workflow } from '../../src/engine/workflow.ts';
import { continued } from '../../src/http/trace.ts';
import { applied, reconcile } from '../../src/http/unknown.ts';
import { seededEntropy } from '../../src/testing/index.ts';
import { type Harness, harness } from '../support/http.ts';
import { type Observed, observed, TRACE, TRACEPARENT } from '../support/observed.ts';

let world: Harness;
let run: Observed | undefined;
beforeEach(async () => {
  world = await harness();
});
afterEach(async () => {
  await run?.close();
  await world.close();
});

const sent = () => world.server.received.map(({ headers }) => headers.traceparent as string | undefined);

describe('a run that was started within a trace', () => {
  it('sends the trace and its flags with every attempt, each under a parent id of its own', async () => {
    const crm = world.connect();
    world.server.script({ status: 503 }, { status: 429, headers: { 'retry-after': '60' } }, {});
    const traced = workflow({ name: 'traced', run: async () => void (await crm.get('/a')) });
    run = observed(traced, { traceparent: TRACEPARENT });
    await run.deliver();
    // In another invocation, over the run's item: the trace is kept with the run.
    const [ended] = await run.deliver({ after: 120_000 });
    expect(ended?.status).toBe('succeeded');
    expect(sent()).toHaveLength(3);
    for (const one of sent()) expect(one).toMatch(new RegExp(`^00-${TRACE}-[\\da-f]{16}-01$`));
    expect(new Set([...sent(), TRACEPARENT]).size).toBe(4);
  });

  it('leaves a traceparent alone that the user sends himself', async () => {
    const own = '00-11111111111111111111111111111111-2222222222222222-00';
    const crm = world.connect({ headers: { traceparent: own } });
    const other = world.connect({ name: 'other' });
    const traced = workflow({
      name: 'traced',
      async run() {
        await crm.get('/a');
        await other.fetch('/b', { headers: { TraceParent: own } });
      },
    });
    run = observed(traced, { traceparent: TRACEPARENT });
    await run.deliver();
    expect(sent()).toEqual([own, own]);
  });

  it('gives the trace to what a reconciler asks', async () => {
    const crm = world.connect();
    world.server.script({ reset: 'after-effect' }, { body: '{"id":7}' });
    const traced = workflow({
      name: 'traced',
      async run() {
        const onUnknown = reconcile(async () => applied({ data: (await crm.get('/orders')).data }));
        return (await crm.post('/orders', { json: {}, onUnknown })).data;
      },
    });
    run = observed(traced, { traceparent: TRACEPARENT });
    const [ended] = await run.deliver();
    expect(ended?.status).toBe('succeeded');
    expect(sent().map((one) => one?.split('-')[1])).toEqual([TRACE, TRACE]);
  });
});

it('sends no traceparent for a run that was started without one', async () => {
  const crm = world.connect();
  run = observed(workflow({ name: 'plain', run: async () => void (await crm.get('/a')) }));
  await run.deliver();
  expect(sent()).toEqual([undefined]);
});

it('makes neither a run’s identity nor an idempotency key depend on the trace', async () => {
  const crm = world.connect({ idempotencyKey: { header: 'Idempotency-Key' } });
  const keyed = workflow({ name: 'keyed', run: async () => void (await crm.post('/a', { json: { n: 1 } })) });
  const runs: RunRecord[] = [];
  for (const traceparent of [undefined, TRACEPARENT]) {
    run = observed(keyed, traceparent === undefined ? {} : { traceparent });
    runs.push(...(await run.deliver()));
    await run.close();
  }
  expect(new Set(runs.map(({ id }) => id)).size).toBe(1);
  expect(new Set(runs.map(({ fingerprint }) => fingerprint)).size).toBe(1);
  expect(sent().map((one) => one !== undefined)).toEqual([false, true]);
  expect(new Set(world.server.received.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
});

describe('going on with a trace', () => {
  const parent = 'b7ad6b7169203331';
  it.each([
    ['the sampled flag', `00-${TRACE}-${parent}-01`, '01'],
    ['a trace that is not sampled', `00-${TRACE}-${parent}-00`, '00'],
    ['the flag of a random trace id', `00-${TRACE}-${parent}-03`, '03'],
    ['none of the flags that nobody has defined', `00-${TRACE}-${parent}-ff`, '03'],
    ['a later version as version 00, without what it appends', `cc-${TRACE}-${parent}-01-what`, '01'],
  ])('keeps %s', (_, given, flags) => {
    expect(continued(given, seededEntropy(1))).toMatch(new RegExp(`^00-${TRACE}-[\\da-f]{16}-${flags}$`));
  });

  it.each([
    ['nothing', undefined],
    ['version ff', `ff-${TRACE}-${parent}-01`],
    ['a trace id of zeros', `00-${'0'.repeat(32)}-${parent}-01`],
    ['a parent id of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['capital letters', `00-${TRACE.toUpperCase()}-${parent}-01`],
    ['something else', 'trace me'],
  ])('makes nothing of %s', (_, given) => {
    expect(continued(given, seededEntropy(1))).toBeUndefined();
  });
});
