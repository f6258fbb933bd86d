/**
 * Target 4: bringing a run back to its last await from a journal of 10,000 entries with values of 1 KB each.
 * Measured: everything from the segments' bytes to user code that holds its last result (unpacking, parsing, the issue check,
 * one macrotask turn an entry). Not in it: how long the database takes to hand over the bytes, which a note tells.
 * The baseline is what no replay can do without: parsing the same bytes, and as many bare turns.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { systemEntropy } from '../src/aws/entropy.ts';
import { decodeEntries } from '../src/engine/journal.ts';
import type { RunRecord, RunStore, Segment } from '../src/engine/ports.ts';
import { step } from '../src/engine/step.ts';
import { sleep } from '../src/engine/verbs.ts';
import { createWorker } from '../src/engine/worker.ts';
import { registry, workflow } from '../src/engine/workflow.ts';
import { memoryPayloadStore, memoryRunStore, memoryWakeQueue } from '../src/testing/index.ts';
import type { Benchmark } from './support/benchmark.ts';
import { movedClock } from './support/clock.ts';
import { cpuMs } from './support/cpu.ts';
import { fixed, median, spread } from './support/stats.ts';
import { document } from './support/text.ts';

const HOUR_MS = 3_600_000;
const RESERVE_MS = 15 * 60_000;

type Stored = { record: RunRecord; segments: Segment[]; bytes: number };

export const benchmark: Benchmark = {
  id: 4,
  title: 'replay of a long journal',
  async run({ quick, say }) {
    const sizes = [1_000, 10_000] as const;
    const stored = new Map<number, Stored>();
    for (const entries of sizes) {
      say(`writing a journal of ${entries} entries`);
      stored.set(entries, await write(entries));
    }
    const took = new Map<number, number[]>(sizes.map((entries) => [entries, []]));
    const bare: number[] = [];
    const cpu: number[] = [];
    const rounds = quick ? 5 : 15;
    for (let round = -2; round < rounds; round++) {
      for (const entries of sizes) {
        const journal = stored.get(entries) as Stored;
        globalThis.gc?.();
        const before = process.cpuUsage();
        const ms = await replay(entries, journal);
        if (round < 0) continue;
        took.get(entries)?.push(ms);
        if (entries === 10_000) cpu.push(cpuMs(before));
      }
      globalThis.gc?.();
      const ms = await unavoidable(stored.get(10_000) as Stored);
      if (round >= 0) bare.push(ms);
    }
    const [small, large] = sizes.map((entries) => median(took.get(entries) as number[])) as [number, number];
    const { segments, bytes } = stored.get(10_000) as Stored;
    return {
      figures: [
        { name: 'replay of 10,000 entries of 1 KB', value: large, unit: 'ms', target: 150, better: 'lower' },
        {
          name: 'cost of an entry, in a journal of 10,000 over one of 1,000',
          value: large / 10 / small,
          unit: '×',
          target: 1.25,
          better: 'lower',
        },
      ],
      notes: [
        `replay: ${spread(took.get(10_000) as number[], 0)} ms, ${fixed(large / median(bare))} × parsing and turns alone (${spread(bare, 0)} ms); 1,000 entries: ${spread(took.get(1_000) as number[], 1)} ms; ${spread(cpu, 0)} ms of CPU, ending included; the journal has ${segments.length} segments, ${(bytes / 1e6).toFixed(1)} MB compressed`,
      ],
    };
  },
};

/** The journal of a run that made `entries` steps but one and then fell asleep, as the engine wrote it. */
async function write(entries: number): Promise<Stored> {
  const store = memoryRunStore();
  const { received } = await run(store, entries, 0);
  const record = store.peek(received) as RunRecord;
  const segments = store.peekSegments(received);
  if (record.status !== 'waiting') throw new Error(`the run is ${record.status}, not waiting: ${JSON.stringify(record.outcome)}`);
  return { record, segments, bytes: segments.reduce((sum, { data }) => sum + data.length, record.journal?.length ?? 0) };
}

/** Milliseconds from the message to the last replayed result. */
async function replay(entries: number, { record, segments }: Stored): Promise<number> {
  const store: RunStore = {
    ...memoryRunStore(),
    load: async () => new Map([[record.id, record]]),
    segments: async () => segments,
    replace: async () => ({ ok: true }),
    append: async () => ({ ok: true }),
  };
  const { began, replayed } = await run(store, entries, 2 * HOUR_MS);
  return replayed - began;
}

async function run(store: RunStore, entries: number, ahead: number): Promise<{ received: string; began: number; replayed: number }> {
  let made = 0;
  let replayed = 0;
  let received = '';
  let failure: string | undefined;
  const many = workflow({
    name: 'many-steps',
    async run() {
      for (let index = 0; index < entries - 1; index++) {
        const value = await step(
          `read ${index}`,
          async () => {
            made += 1;
            return document(1_000, index);
          },
          { safe: true },
        );
        if (typeof value !== 'object') throw new Error('a step came back as something else');
      }
      replayed = performance.now();
      await sleep(HOUR_MS);
      return entries;
    },
  });
  const clock = movedClock(ahead);
  const worker = createWorker({
    store,
    payloads: memoryPayloadStore(),
    wake: memoryWakeQueue({ clock }),
    clock,
    entropy: systemEntropy(),
    observe(event) {
      if ('run' in event && event.run) received = event.run;
      if (event.type === 'engine.error' || event.type === 'run.paused') failure ??= JSON.stringify(event);
    },
    registry: registry([many]),
    services: {},
  });
  const message = {
    id: 'm-1',
    queue: 'start' as const,
    body: JSON.stringify({ workflow: 'many-steps', idempotencyKey: `k-${entries}` }),
    receiveCount: 1,
  };
  const began = performance.now();
  const kept = await worker.handle([message], { deadline: clock.now() + RESERVE_MS, owner: 'bench', done: () => undefined });
  if (failure !== undefined || kept.length > 0) throw new Error(failure ?? 'the message was handed back');
  if (ahead > 0 && made > 0) throw new Error(`${made} steps were made again`);
  return { received, began, replayed };
}

async function unavoidable({ segments }: Stored): Promise<number> {
  const began = performance.now();
  let entries = 0;
  for (const segment of segments) entries += decodeEntries(segment.data).length;
  for (let index = 0; index < entries; index++) await turn();
  return performance.now() - began;
}
