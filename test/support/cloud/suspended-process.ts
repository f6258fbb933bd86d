/** A worker in a process of its own that works on one run until it is put down, and tells what is left of it in this process. */
import { queryObjects } from 'node:v8';
import { systemClock } from '../../../src/aws/clock.ts';
import { systemEntropy } from '../../../src/aws/entropy.ts';
import { RunContext } from '../../../src/engine/run-context.ts';
import { watchStrays } from '../../../src/engine/strays.ts';
import { createWorker } from '../../../src/engine/worker.ts';
import { registry } from '../../../src/engine/workflow.ts';
import { httpRuntime } from '../../../src/http/runtime.ts';
import { memoryPayloadStore, memoryRunStore, memorySecrets, memoryWakeQueue } from '../../../src/testing/index.ts';
import { workflows } from './workflows.ts';

const clock = systemClock({ keepAlive: true });
const store = memoryRunStore();
const http = httpRuntime({ clock, secrets: memorySecrets({}), allow: ['127.0.0.0/8'], deploymentKey: async () => 'key' });
const worker = createWorker({
  store,
  payloads: memoryPayloadStore(),
  wake: memoryWakeQueue({ clock }),
  clock,
  entropy: systemEntropy(),
  observe: () => {},
  registry: registry(workflows),
  services: { http },
  strays: watchStrays((reason) => {
    throw reason;
  }),
});

const contexts = () => queryObjects(RunContext, { format: 'count' });
const active = () =>
  process
    .getActiveResourcesInfo()
    .filter((kind) => !kind.startsWith('Pipe'))
    .sort();

const run = async (key: string, workflow: string) => {
  const body = JSON.stringify({ workflow, input: { name: key }, idempotencyKey: key });
  await worker.handle([{ id: key, queue: 'start', body, receiveCount: 1 }], { deadline: clock.now() + 60_000, owner: key, done: () => {} });
};

// The first run loads what is loaded lazily; what it leaves behind is the process's, not a run's.
await run('warm', 'quick');
const before = active();
const working = run('put-down', 'retry-after');
await new Promise(setImmediate);
const during = contexts();
await working;
const after = active();
const { items } = await store.list({ workflow: 'retry-after' }, { limit: 1, now: clock.now() });
console.log(JSON.stringify({ status: items[0]?.status, during, contexts: contexts(), before, after }));
