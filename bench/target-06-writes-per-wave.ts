/**
 * Target 6: DynamoDB writes for each further wave of concurrent effects, counted on the wire: what a run of more waves writes more than
 * one of fewer, by the wave. In short runs, whose journal is in their item, and in long ones, whose journal is in segments.
 * The calls of a wave take equally long; results that come far apart are flushed apart, as they must be.
 */
import { runId } from '../src/engine/start.ts';
import { startApi } from './support/api.ts';
import type { Benchmark, Figure } from './support/benchmark.ts';
import { type BenchCloud, startBenchCloud } from './support/cloud.ts';
import type { Counter } from './support/counter.ts';
import { fixed, median } from './support/stats.ts';

const WIDTH = 10;
const RUNS = [
  { length: 'a short run', few: 1, many: 3 },
  { length: 'a long run', few: 8, many: 16 },
] as const;

type Writes = { running: number; expiry: number };

export const benchmark: Benchmark = {
  id: 6,
  title: 'DynamoDB writes per wave of effects',
  async run({ quick, say }) {
    const api = await startApi();
    const cloud = await startBenchCloud({ apiUrl: api.url, count: true, maxEnvironments: 2 });
    try {
      const figures: Figure[] = [];
      const notes: string[] = [];
      for (const { length, few, many } of RUNS) {
        for (const keyed of [true, false]) {
          const name = keyed ? 'keyed' : 'unkeyed';
          say(`${length}, waves of ${WIDTH} concurrent POSTs, ${name}`);
          const runs = quick ? 3 : 10;
          const less = await writes(cloud, { waves: few, keyed, runs });
          const more = await writes(cloud, { waves: many, keyed, runs });
          const perWave = (what: keyof Writes) => (more[what] - less[what]) / (many - few);
          figures.push({
            name: `writes per wave of ${WIDTH} effects in ${length}, ${name}`,
            value: perWave('running'),
            unit: 'writes',
            target: keyed ? 1 : 2,
            better: 'lower',
          });
          notes.push(
            `${length}, ${name}: ${fixed(less.running, 1)} writes with ${few} waves, ${fixed(more.running, 1)} with ${many}; ` +
              `when it has ended ${fixed(perWave('expiry'), 1)} more per wave, which give its segments their time to go`,
          );
        }
      }
      return { figures, notes };
    } finally {
      await cloud.stop();
      api.stop();
    }
  },
};

/** Of one run, the median of `runs`: a busy machine spreads results of a wave now and then. */
async function writes(cloud: BenchCloud, { waves, keyed, runs }: { waves: number; keyed: boolean; runs: number }): Promise<Writes> {
  const counter = cloud.counter as Counter;
  const polling = cloud.poll({ batchSize: 1 });
  try {
    const running: number[] = [];
    const expiry: number[] = [];
    for (let index = 0; index < runs; index++) {
      const id = `${keyed}-${waves}-${index}`;
      counter.take();
      await cloud.send([{ workflow: 'waves', input: { id, waves, width: WIDTH, ms: 30, keyed }, key: id }]);
      await polling.idle(index + 1);
      const counted = counter.take();
      running.push(counted.writes - counted.expiries);
      expiry.push(counted.expiries);
      await cloud.result(runId('default', 'waves', id));
    }
    return { running: median(running), expiry: median(expiry) };
  } finally {
    await polling.stop();
  }
}
