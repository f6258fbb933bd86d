/** A worker over real sockets that is watched: the deliveries of its start messages, as the queue would make them. */
import type { Clock, Observer, RunRecord } from '../../src/engine/ports.ts';
import { createWorker } from '../../src/engine/worker.ts';
import { registry, type Workflow } from '../../src/engine/workflow.ts';
import { plainClock } from '../../src/http/plain-ports.ts';
import { type HttpRuntime, httpRuntime } from '../../src/http/runtime.ts';
import type { CallTracer } from '../../src/http/trace.ts';
import { memoryPayloadStore, memoryRunStore, memorySecrets, memoryWakeQueue, seededEntropy } from '../../src/testing/index.ts';

export const TRACE = '0af7651916cd43dd8448eb211c80319c';
export const TRACEPARENT = `00-${TRACE}-b7ad6b7169203331-01`;

export type Observed = {
  /** Hands over one start message for each key, `after` so many ms; answers with the runs as they are then. */
  deliver(options?: { after?: number; keys?: readonly string[] }): Promise<RunRecord[]>;
  close(): Promise<void>;
};

export function observed(
  definition: Workflow,
  { observe = () => {}, tracer, traceparent }: { observe?: Observer; tracer?: CallTracer; traceparent?: string } = {},
): Observed {
  let shift = 0;
  const clock: Clock = { now: () => Date.now() + shift, timer: plainClock.timer };
  const http: HttpRuntime = httpRuntime({
    clock,
    secrets: memorySecrets(),
    entropy: seededEntropy(2),
    deploymentKey: async () => 'test-key',
    allowLoopback: true,
    tracer,
  });
  const store = memoryRunStore();
  const worker = createWorker({
    store,
    payloads: memoryPayloadStore(),
    wake: memoryWakeQueue({ clock }),
    clock,
    entropy: seededEntropy(1),
    observe,
    registry: registry([definition]),
    services: { http },
  });
  return {
    async deliver({ after = 0, keys = ['k'] } = {}) {
      shift += after;
      const messages = keys.map((key) => ({
        id: `m-${key}`,
        queue: 'start' as const,
        body: JSON.stringify({ workflow: definition.name, idempotencyKey: key, ...(traceparent === undefined ? {} : { traceparent }) }),
        receiveCount: 1,
      }));
      await worker.handle(messages, { deadline: clock.now() + 100_000, owner: `o${shift}`, done: () => {} });
      const { items } = await store.list({}, { limit: 100, now: clock.now() });
      const runs = await store.load(items.map(({ id }) => id));
      return [...runs.values()].filter((run): run is RunRecord => !('stub' in run));
    },
    close: () => http.transport.close(),
  };
}
