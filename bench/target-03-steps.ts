/**
 * Target 3: what a durable step costs over the same function without one, in one run of many sequential steps, in the real worker with
 * its stores over HTTP. Timed within the run; the bare loop over the same functions is the baseline, in the same process.
 */
import { startApi } from './support/api.ts';
import type { Benchmark, Figure } from './support/benchmark.ts';
import { type BenchCloud, startBenchCloud } from './support/cloud.ts';
import { fixed, median, spread } from './support/stats.ts';

type Timed = { each: number; early: number; late: number };

const KINDS = [
  { safe: true, name: 'safe', target: 0.3, steps: 10_000 },
  // START and result are two entries, of 10,000 that a run can have.
  { safe: false, name: 'unsafe', target: 3, steps: 4_990 },
] as const;

export const benchmark: Benchmark = {
  id: 3,
  title: 'overhead per sequential step',
  async run({ quick, say }) {
    const api = await startApi();
    const cloud = await startBenchCloud({ apiUrl: api.url, maxEnvironments: 1 });
    const polling = cloud.poll({ batchSize: 1 });
    try {
      const figures: Figure[] = [];
      const notes: string[] = [];
      const rounds = quick ? 1 : 5;
      const timed = new Map<string, Timed[]>(KINDS.map(({ name }) => [name, []]));
      for (let round = -1; round < rounds; round++) {
        for (const { safe, name, steps } of KINDS) {
          const count = round < 0 || quick ? Math.min(1_000, steps) : steps;
          say(`${name}: ${count} steps${round < 0 ? ', to warm up' : ''}`);
          const one = await time(cloud, { safe, count }, `${name} ${round}`);
          if (round >= 0) timed.get(name)?.push(one);
        }
      }
      for (const { name, target, steps } of KINDS) {
        const all = timed.get(name) as Timed[];
        const each = all.map((one) => one.each);
        const ratio = median(all.map(({ early, late }) => late / early));
        const last = quick ? 1_000 : steps;
        figures.push(
          { name: `overhead of a ${name} step`, value: median(each), unit: 'ms', target, better: 'lower' },
          { name: `the ${last}th ${name} step over the 10th`, value: ratio, unit: '×', target: 1.25, better: 'lower' },
        );
        notes.push(
          `${name}: ${spread(each, 3)} ms a step over all ${last}, writes included; the 10th to 110th ${fixed(median(all.map(({ early }) => early)), 3)} ms, the last hundred ${fixed(median(all.map(({ late }) => late)), 3)} ms`,
        );
      }
      return { figures, notes };
    } finally {
      await polling.stop();
      await cloud.stop();
      api.stop();
    }
  },
};

async function time(cloud: BenchCloud, input: { safe: boolean; count: number }, key: string): Promise<Timed> {
  return (await cloud.result(await cloud.start({ workflow: 'steps', input, key }))) as Timed;
}
