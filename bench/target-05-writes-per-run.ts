/**
 * Target 5: DynamoDB writes of a whole run, counted on the wire between the real functions and the emulator.
 * From a queue message, from HTTP, and with one keyed POST made from what was read; a small journal and one of about 120 KB compressed.
 */
import { runId } from '../src/engine/start.ts';
import { startApi } from './support/api.ts';
import type { Benchmark, Figure } from './support/benchmark.ts';
import { dollarsPerMillion } from './support/capacity.ts';
import { type BenchCloud, startBenchCloud } from './support/cloud.ts';
import type { Counted, Counter } from './support/counter.ts';

type Shape = { name: string; workflow: 'reads' | 'reads-and-post'; from: 'queue' | 'HTTP'; target: number; count: number; bytes: number };

const SHAPES: readonly Shape[] = [
  { name: '3 reads, from a queue message', workflow: 'reads', from: 'queue', target: 1, count: 3, bytes: 500 },
  { name: '40 reads of 8 KB, from a queue message', workflow: 'reads', from: 'queue', target: 1, count: 40, bytes: 8_000 },
  { name: '3 reads, from HTTP', workflow: 'reads', from: 'HTTP', target: 2, count: 3, bytes: 500 },
  { name: '3 reads and a keyed POST, from a queue message', workflow: 'reads-and-post', from: 'queue', target: 2, count: 3, bytes: 500 },
];

export const benchmark: Benchmark = {
  id: 5,
  title: 'DynamoDB writes of a whole run',
  async run({ quick, say }) {
    const api = await startApi();
    const cloud = await startBenchCloud({ apiUrl: api.url, count: true, maxEnvironments: 2 });
    try {
      const runs = quick ? 5 : 20;
      const figures: Figure[] = [];
      const notes: string[] = [];
      for (const shape of SHAPES) {
        say(shape.name);
        const counted = await measure(cloud, shape, runs);
        const units = {
          table: counted.units.table / runs,
          indexes: counted.units.indexes / runs,
          reads: counted.units.reads / runs,
        };
        figures.push({
          name: `writes: ${shape.name}`,
          value: counted.writes / runs,
          unit: 'writes',
          target: shape.target,
          better: 'lower',
        });
        notes.push(
          `${shape.name}: ${units.table.toFixed(1)} write units of the table, ${units.indexes.toFixed(1)} of its indexes, ${units.reads.toFixed(1)} read units; $${dollarsPerMillion(units).toFixed(2)} per million runs (on demand, us-east-1); ${requests(counted, runs)}`,
        );
      }
      return { figures, notes };
    } finally {
      await cloud.stop();
      api.stop();
    }
  },
};

/** What `runs` runs cost together, each alone in its invocation. */
async function measure(cloud: BenchCloud, shape: Shape, runs: number): Promise<Counted> {
  const counter = cloud.counter as Counter;
  const polling = cloud.poll({ batchSize: 1 });
  try {
    counter.take();
    const keys: string[] = [];
    for (let index = 0; index < runs; index++) {
      const key = `${shape.name} ${index}`;
      const start = { workflow: shape.workflow, input: { id: `r${index}`, count: shape.count, ms: 10, bytes: shape.bytes }, key };
      keys.push(key);
      if (shape.from === 'queue') await cloud.send([start]);
      else await cloud.start(start);
      await polling.idle(index + 1);
    }
    const counted = counter.take();
    for (const key of keys) await cloud.result(runId('default', shape.workflow, key));
    return counted;
  } finally {
    await polling.stop();
  }
}

function requests({ requests: made }: Counted, runs: number): string {
  return Object.entries(made)
    .map(([operation, count]) => `${Number((count / runs).toFixed(2))} ${operation}`)
    .join(', ');
}
