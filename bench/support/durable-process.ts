/**
 * Entry of a process in which runs make GETs, every call journaled, with stores in memory: what the calls cost, and no store.
 * The connection has a credential, so that replies are looked through for it. Ends with its parent.
 */
import { bearer, connection, registry, secret, workflow } from 'holdfast';
import { memoryPayloadStore, memoryRunStore, memorySecrets, memoryWakeQueue } from 'holdfast/testing';
import { createAdmission } from '../../src/admission/admission.ts';
import { memoryAdmissionStore } from '../../src/admission/memory-store.ts';
import type { Admission } from '../../src/engine/admission-ports.ts';
import { createWorker } from '../../src/engine/worker.ts';
import { plainClock, plainEntropy } from '../../src/http/plain-ports.ts';
import { httpRuntime } from '../../src/http/runtime.ts';

/** `unruled`: without admission. */
export type ToDurable = {
  origin: string;
  path: string;
  runs: number;
  inFlight: number;
  waves: number;
  width: number;
  unruled?: boolean;
};
export type FromDurable = { ms: number; cpuMs: number };

const runtime = (admission?: Admission) =>
  httpRuntime({
    clock: plainClock,
    secrets: memorySecrets({ 'bench/token': 'a-token-of-some-length-0123456789' }),
    deploymentKey: async () => 'bench',
    allowLoopback: true,
    admission,
  });
const ruled = runtime(createAdmission({ store: memoryAdmissionStore(), clock: plainClock, entropy: plainEntropy }));
const free = runtime();
let serial = 0;

function reads(origin: string) {
  const api = connection({ name: 'bench', baseUrl: origin, auth: bearer(secret('bench/token')) });
  return workflow({
    name: 'reads',
    async run(input) {
      const { id, path, waves, width } = input as { id: string; path: string; waves: number; width: number };
      for (let wave = 0; wave < waves; wave++) {
        const replies = await Promise.all(Array.from({ length: width }, (_, n) => api.get(`${path}${id}-${wave}-${n}`)));
        if (replies.some(({ status, data }) => status !== 200 || data === undefined)) throw new Error('a GET went wrong');
      }
      return waves * width;
    },
  });
}

let known: { origin: string; definition: ReturnType<typeof reads> } | undefined;

async function run({ origin, path, runs, inFlight, waves, width, unruled = false }: ToDurable): Promise<FromDurable> {
  if (known?.origin !== origin) known = { origin, definition: reads(origin) };
  const store = memoryRunStore();
  const worker = createWorker({
    store,
    payloads: memoryPayloadStore(),
    wake: memoryWakeQueue(),
    clock: plainClock,
    entropy: plainEntropy,
    observe: () => {},
    registry: registry([known.definition]),
    services: { http: unruled ? free : ruled },
  });
  const before = process.cpuUsage();
  const began = performance.now();
  let done = 0;
  const count = () => {
    done += 1;
  };
  for (let first = 0; first < runs; first += inFlight) {
    const messages = Array.from({ length: Math.min(inFlight, runs - first) }, () => {
      const id = `d${serial++}`;
      const body = JSON.stringify({ workflow: 'reads', input: { id, path, waves, width }, idempotencyKey: id });
      return { id, queue: 'start' as const, body, receiveCount: 1 };
    });
    const kept = await worker.handle(messages, { deadline: Date.now() + 120_000, owner: 'bench', done: count });
    if (kept.length > 0) throw new Error(`${kept.length} runs did not end`);
  }
  const { user, system } = process.cpuUsage(before);
  const ms = performance.now() - began;
  const { items } = await store.list({}, { limit: runs, now: Date.now() });
  if (done !== runs || items.length !== runs || items.some(({ status }) => status !== 'succeeded'))
    throw new Error('not all runs succeeded');
  return { ms, cpuMs: (user + system) / 1_000 };
}

process.on('disconnect', () => process.exit(0));
process.on('message', async (message: ToDurable) => void process.send?.(await run(message)));
