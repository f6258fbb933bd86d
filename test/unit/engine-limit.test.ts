/** The journal's limit is one for what a run still issues, never for what it has behind it. */
import { expect, it } from 'vitest';
import type { RunRecord } from '../../src/engine/ports.ts';
import { step } from '../../src/engine/step.ts';
import { sleep } from '../../src/engine/verbs.ts';
import { createWorker } from '../../src/engine/worker.ts';
import { registry, workflow } from '../../src/engine/workflow.ts';
import { memoryPayloadStore, memoryRunStore, memoryWakeQueue, seededEntropy, virtualClock } from '../../src/testing/index.ts';

const LIMIT = 10_000;
const HOUR_MS = 3_600_000;

async function twoDeliveries(steps: number): Promise<{ parked: RunRecord; ended: RunRecord; made: number }> {
  let made = 0;
  const many = workflow({
    name: 'many',
    async run() {
      for (let index = 0; index < steps; index++) await step(`read ${index}`, async () => void made++, { safe: true });
      await sleep(HOUR_MS);
      return 'awake';
    },
  });
  const clock = virtualClock();
  const store = memoryRunStore();
  let id = '';
  const worker = createWorker({
    store,
    payloads: memoryPayloadStore(),
    wake: memoryWakeQueue({ clock }),
    clock,
    entropy: seededEntropy(1),
    observe: (event) => {
      if (event.type === 'run.started') id = event.run;
    },
    registry: registry([many]),
    services: {},
  });
  const deliver = async () => {
    const message = { id: 'm', queue: 'start' as const, body: '{"workflow":"many"}', receiveCount: 1 };
    const handled = worker.handle([message], { deadline: clock.now() + 600_000, owner: 'test', done: () => undefined });
    let over = false;
    void handled.finally(() => {
      over = true;
    });
    while (!over) {
      await new Promise((turn) => setImmediate(turn));
      clock.advance(1);
    }
    await handled;
    return store.peek(id) as RunRecord;
  };
  const parked = await deliver();
  clock.advance(HOUR_MS);
  return { parked, ended: await deliver(), made };
}

it('replays a run whose journal is full to the last entry', async () => {
  const { parked, ended, made } = await twoDeliveries(LIMIT - 1);
  expect(parked).toMatchObject({ status: 'waiting' });
  expect(ended).toMatchObject({ status: 'succeeded', outcome: { value: { text: '"awake"' } } });
  expect(made).toBe(LIMIT - 1);
});

it('fails a run that goes on past the limit, naming what to do', async () => {
  const { parked } = await twoDeliveries(LIMIT);
  expect(parked).toMatchObject({ status: 'failed', outcome: { error: { code: 'E_LIMIT_JOURNAL' } } });
});
