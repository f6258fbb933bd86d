/** One run over real sockets, delivery by delivery: stores in memory, and a clock that a test may put forward. */

import { redriveRun } from '../../src/engine/operate.ts';
import type { Clock, RunRecord } from '../../src/engine/ports.ts';
import { createWorker } from '../../src/engine/worker.ts';
import { registry, type Workflow } from '../../src/engine/workflow.ts';
import { plainClock } from '../../src/http/plain-ports.ts';
import type { HttpRuntime } from '../../src/http/runtime.ts';
import { memoryPayloadStore, memoryRunStore, memoryWakeQueue, seededEntropy } from '../../src/testing/index.ts';

/** With `maxDeliveries: 1` every operation's result is followed by a put-down, so that the next delivery replays what came before. */
export function runOver(http: HttpRuntime, definition: Workflow, maxDeliveries?: number) {
  let shift = 0;
  const clock: Clock = { now: () => Date.now() + shift, timer: plainClock.timer };
  const ports = {
    store: memoryRunStore(),
    payloads: memoryPayloadStore(),
    wake: memoryWakeQueue({ clock }),
    clock,
    entropy: seededEntropy(1),
  };
  const { store } = ports;
  const worker = createWorker({
    ...ports,
    observe: () => {},
    registry: registry([definition]),
    services: { http },
    ...(maxDeliveries === undefined ? {} : { maxDeliveries }),
  });
  const body = JSON.stringify({ workflow: definition.name, input: {}, idempotencyKey: 'k' });
  async function record(): Promise<RunRecord> {
    const { items } = await store.list({}, { limit: 1, now: clock.now() });
    const run = (await store.load([items[0]?.id ?? ''])).get(items[0]?.id ?? '');
    if (!run || 'stub' in run) throw new Error('no run');
    return run;
  }
  return {
    record,
    redrive: async () => redriveRun(ports, await record(), {}, {}),
    /** One delivery; `after`: so many ms later. */
    async deliver(after = 0): Promise<RunRecord> {
      shift += after;
      const message = { id: 'm1', queue: 'start' as const, body, receiveCount: 1 };
      await worker.handle([message], { deadline: clock.now() + 100_000, owner: `o${shift}`, done: () => {} });
      return record();
    },
    async toTheEnd(rounds = 20): Promise<RunRecord> {
      for (let round = 0; round < rounds; round++) {
        const run = await this.deliver(round);
        if (run.endedAt !== undefined) return run;
      }
      throw new Error('the run does not end');
    },
    /** Deliveries as far as the run is to wait for each. */
    async throughWaits(rounds = 40): Promise<RunRecord> {
      for (let round = 0; round < rounds; round++) {
        const run = await this.deliver(round);
        if (run.endedAt !== undefined || run.status === 'paused') return run;
        if (run.wakeAt !== undefined) shift += Math.max(0, run.wakeAt - clock.now());
      }
      throw new Error('the run does not end');
    },
  };
}

export const resultOf = (run: RunRecord): unknown => {
  if (!run.outcome) throw new Error(`${run.status}: ${run.reason?.message}`);
  if ('error' in run.outcome) return run.outcome.error;
  return 'text' in run.outcome.value ? JSON.parse(run.outcome.value.text) : run.outcome.value;
};
