/** An idempotency key belongs to one request: code that would send another one with it has diverged, and sends nothing. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Verdict } from '../../src/engine/operation.ts';
import type { RunRecord } from '../../src/engine/ports.ts';
import { runId } from '../../src/engine/start.ts';
import { createWorker } from '../../src/engine/worker.ts';
import { registry, workflow } from '../../src/engine/workflow.ts';
import { plainClock } from '../../src/http/plain-ports.ts';
import { memoryPayloadStore, memoryRunStore, memoryWakeQueue, seededEntropy } from '../../src/testing/index.ts';
import { done, NEVER, type RigOptions } from '../support/engine/rig.ts';
import { killedAtSending, rigOf } from '../support/engine/scenario.ts';
import { type Harness, harness } from '../support/http.ts';

/** Two keyed posts of one place, told apart by their bodies, issued in an order that nothing records, `apart` milliseconds. */
function swapping(answer: (nth: number) => Verdict | Promise<never>, more: Partial<RigOptions> = {}, apart = 0) {
  const order = ['a', 'b'];
  const rig = rigOf(async (r) => {
    const posts: Promise<unknown>[] = [];
    for (const body of order) {
      if (posts.length > 0 && apart > 0) await r.delay(apart);
      const place = { identity: `POST /orders ${body}`, keyIdentity: 'POST /orders', bodyHash: body };
      posts.push(r.call(body, 'keyed', { ...place, answer: (_env, nth) => answer(nth) }));
    }
    return Promise.all(posts);
  }, more);
  return { rig, order };
}

describe('two posts whose order was swapped before they were answered', () => {
  test('are not sent with each other’s keys by the worker that takes over: the run pauses as diverged', async () => {
    const { rig, order } = swapping((nth) => (nth === 1 ? NEVER : done(nth)));
    await killedAtSending(rig, 2);
    const keys = new Map(rig.sent.map(({ label, key }) => [label, key]));
    expect(new Set(keys.values()).size).toBe(2);
    order.reverse();
    const record = await rig.wakeToEnd('w');
    expect(record).toMatchObject({ status: 'paused', reason: { code: 'E_DIVERGED' } });
    expect(record.reason?.message).toContain("another operation's idempotency key");
    expect(rig.sent).toHaveLength(2);
  });

  test('go out with their own keys again once the order is as it was', async () => {
    const { rig, order } = swapping((nth) => (nth === 1 ? NEVER : done(nth)));
    await killedAtSending(rig, 2);
    const own = new Map(rig.sent.map(({ label, key }) => [label, key]));
    order.reverse();
    await rig.wakeToEnd('w');
    order.reverse();
    await rig.resume('w');
    expect(rig.record('w').status).toBe('succeeded');
    expect(rig.sent).toHaveLength(4);
    for (const { label, key } of rig.sent) expect(key).toBe(own.get(label));
  });

  test('are found out before the other is sent with the key of the one that was', async () => {
    // One place among the calls in flight: the second has no START yet.
    const { rig, order } = swapping(() => NEVER, { maxInFlight: 1 });
    await killedAtSending(rig, 1);
    order.reverse();
    const record = await rig.wakeToEnd('w');
    expect(record).toMatchObject({ status: 'paused', reason: { code: 'E_DIVERGED' } });
    expect(rig.sent.map(({ label }) => label)).toEqual(['a']);
  });

  test('are found out also where the one that was sent is issued seconds after the other', async () => {
    const { rig, order } = swapping(() => NEVER, {}, 3_000);
    await killedAtSending(rig, 1);
    order.reverse();
    const record = await rig.wakeToEnd('w');
    expect(record).toMatchObject({ status: 'paused', reason: { code: 'E_DIVERGED' } });
    expect(rig.sent.map(({ label }) => label)).toEqual(['a']);
  });
});

describe('over HTTP', () => {
  let world: Harness;
  beforeEach(async () => {
    world = await harness();
  });
  afterEach(() => world.close());

  test('two posts of one path that wait for their next attempt are a divergence when they change places', async () => {
    world.server.script({ status: 503, headers: { 'retry-after': '60' } });
    const crm = world.connect({ idempotencyKey: { header: 'Idempotency-Key' } });
    const order = [1, 2];
    let shift = 0;
    const clock = { now: () => Date.now() + shift, timer: plainClock.timer };
    const store = memoryRunStore();
    const worker = createWorker({
      store,
      payloads: memoryPayloadStore(),
      wake: memoryWakeQueue({ clock }),
      clock,
      entropy: seededEntropy(1),
      observe: () => {},
      registry: registry([
        workflow({ name: 'w', run: async () => void (await Promise.all(order.map((n) => crm.post('/orders', { json: { n } })))) }),
      ]),
      services: { http: world.runtime },
    });
    const deliver = async () => {
      const body = JSON.stringify({ workflow: 'w', idempotencyKey: 'k' });
      await worker.handle([{ id: 'm', queue: 'start', body, receiveCount: 1 }], {
        deadline: clock.now() + 180_000,
        owner: `o${shift}`,
        done: () => {},
      });
      const id = runId('default', 'w', 'k');
      return (await store.load([id])).get(id) as RunRecord;
    };
    expect((await deliver()).status).toBe('waiting');
    order.reverse();
    shift += 300_000;
    expect(await deliver()).toMatchObject({ status: 'paused', reason: { code: 'E_DIVERGED' } });
    expect(world.server.received).toHaveLength(2);
  });
});
