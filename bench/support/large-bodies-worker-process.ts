/**
 * Entry of a process like a worker's: the engine, connections and the payload store on S3, with runs in memory. Makes so many calls
 * at once, each a run of its own, and tells what came of them, the most memory it ever had, and how late the slowest was.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { awsClients } from '../../src/aws/clients.ts';
import { systemClock } from '../../src/aws/clock.ts';
import { systemEntropy } from '../../src/aws/entropy.ts';
import { s3PayloadStore } from '../../src/aws/payload-store.ts';
import { createWorker } from '../../src/engine/worker.ts';
import { registry, workflow } from '../../src/engine/workflow.ts';
import { connection } from '../../src/http/connection.ts';
import type { CallOptions } from '../../src/http/options.ts';
import { httpRuntime } from '../../src/http/runtime.ts';
import { memoryRunStore, memorySecrets, memoryWakeQueue } from '../../src/testing/index.ts';

export type ToWorker = { url: string; paths: string[]; options: CallOptions };
export type FromWorker = {
  /** Of each call: what it ended in, and how long it took, ms. */
  calls: Array<{ path: string; outcome: string; ms: number }>;
  /** The most that was ever resident, MB (10⁶ bytes), and before the first call. */
  peakMb: number;
  idleMb: number;
};

process.once('message', (task: ToWorker) => {
  void work(task).then((result) => process.send?.(result, () => process.disconnect()));
});

async function work({ url, paths, options }: ToWorker): Promise<FromWorker> {
  const clock = systemClock({ keepAlive: true });
  const entropy = systemEntropy();
  const clients = awsClients({
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_ENDPOINT_URL: `${url}/s3`,
  });
  const payloads = s3PayloadStore(clients.s3, 'payloads');
  const api = connection({ name: 'large', baseUrl: url, retry: { attempts: 1 } });
  const calls: FromWorker['calls'] = [];
  const definition = workflow({
    name: 'read',
    async run(input) {
      const { path } = input as { path: string };
      const began = performance.now();
      const outcome = await api.get(path, options).then(
        (reply) => (reply.truncated ? 'truncated' : 'whole'),
        (error: Error & { code?: string }) => error.code ?? error.name,
      );
      calls.push({ path, outcome, ms: performance.now() - began });
    },
  });
  const worker = createWorker({
    store: memoryRunStore(),
    payloads,
    wake: memoryWakeQueue({ clock }),
    clock,
    entropy,
    observe: () => {},
    registry: registry([definition]),
    services: {
      http: httpRuntime({ clock, entropy, secrets: memorySecrets(), deploymentKey: async () => 'bench', allowLoopback: true }),
    },
  });
  // What a worker has loaded by the time it works.
  await payloads.put('warm', Buffer.from('x'));
  await pause(200);
  const idleMb = process.memoryUsage.rss() / 1e6;
  const messages = paths.map((path, index) => ({
    id: String(index),
    queue: 'start' as const,
    body: JSON.stringify({ workflow: 'read', input: { path }, idempotencyKey: String(index) }),
    receiveCount: 1,
  }));
  await worker.handle(messages, { deadline: clock.now() + 850_000, owner: 'bench', done: () => {} });
  return { calls, peakMb: mostResident(), idleMb };
}

/** `getrusage` counts what the process was before its program: that of whoever started it. */
function mostResident(): number {
  const [, kb] = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return (Number(kb) * 1_024) / 1e6;
}
