/** An example's workflow on a worker in this process: stores in memory, the demo API behind real sockets, real time. */
import { onTestFinished } from 'vitest';
import { type DemoApi, demoTokens, startDemoApi } from '../../local/demo/server.ts';
import { decodeEntries, type Entry } from '../../src/engine/journal.ts';
import type { RunRecord } from '../../src/engine/ports.ts';
import { runId } from '../../src/engine/start.ts';
import { createWorker } from '../../src/engine/worker.ts';
import { registry, type Workflow } from '../../src/engine/workflow.ts';
import { plainClock } from '../../src/http/plain-ports.ts';
import { httpRuntime } from '../../src/http/runtime.ts';
import { memoryPayloadStore, memoryRunStore, memorySecrets, memoryWakeQueue, seededEntropy } from '../../src/testing/index.ts';

export type Ended = { run: RunRecord; result: unknown; deliveries: number; journal: Entry[]; journalBytes: number };

const MOST_DELIVERIES = 500;

export async function startDemo(): Promise<DemoApi> {
  const demo = await startDemoApi({ port: 0, faults: 'off' });
  onTestFinished(() => demo.stop());
  return demo;
}

/**
 * Runs it to its end. `vars`: the stage's variables.
 * `breakOffAfter`: a delivery is broken off after so many completions, once no effect is being sent; what has come in and was not
 * observed is lost, and the next delivery replays. Otherwise one delivery does it all.
 */
export async function runExample(
  definition: Workflow,
  input: unknown,
  { vars, breakOffAfter }: { vars: Readonly<Record<string, string>>; breakOffAfter?: number },
): Promise<Ended> {
  for (const [name, url] of Object.entries(vars)) process.env[`HOLDFAST_VAR_${name.toUpperCase()}`] = url;
  const secrets = memorySecrets(Object.fromEntries(Object.entries(demoTokens()).map(([api, token]) => [`${api}/token`, token])));
  const http = httpRuntime({ clock: plainClock, secrets, deploymentKey: async () => 'test-key', allow: ['127.0.0.0/8'] });
  onTestFinished(() => http.transport.close());
  const store = memoryRunStore();
  const worker = createWorker({
    store,
    payloads: memoryPayloadStore(),
    wake: memoryWakeQueue({ clock: plainClock }),
    clock: plainClock,
    entropy: seededEntropy(1),
    observe: () => {},
    registry: registry([definition]),
    services: { http },
    ...(breakOffAfter === undefined ? {} : { maxDeliveries: breakOffAfter }),
  });
  const id = runId('default', definition.name, 'k');
  const body = JSON.stringify({ workflow: definition.name, input, idempotencyKey: 'k' });
  for (let deliveries = 1; deliveries <= MOST_DELIVERIES; deliveries++) {
    const message = { id: 'm', queue: 'start' as const, body, receiveCount: 1 };
    await worker.handle([message], { deadline: plainClock.now() + 120_000, owner: `o${deliveries}`, done: () => {} });
    const run = store.peek(id);
    if (!run || 'stub' in run) throw new Error('the run was never written');
    // As a wake message does: at its time, and no sooner.
    if (run.wakeAt !== undefined) await until(run.wakeAt);
    if (run.endedAt !== undefined || run.status === 'paused') {
      const parts = [...(run.journal ? [run.journal] : []), ...store.peekSegments(id).map(({ data }) => data)];
      const journal = parts.flatMap((part) => decodeEntries(part));
      const result = run.outcome && 'value' in run.outcome && 'text' in run.outcome.value ? JSON.parse(run.outcome.value.text) : undefined;
      return { run, result, deliveries, journal, journalBytes: Buffer.byteLength(JSON.stringify(journal)) };
    }
  }
  throw new Error(`the run does not end within ${MOST_DELIVERIES} deliveries`);
}

function until(at: number): Promise<void> {
  return new Promise((resolve) => plainClock.timer(at - plainClock.now(), resolve));
}
