/**
 * Target 1: CPU time of a durable safe call (context, admission, send, classify, redact, journal) over that of a bare `undici.request` whose
 * body is parsed, on the same machine in the same minute. Each has a process of its own, as has the API; rounds take turns.
 * The same without admission takes its turn too, in a third process: what the admission of a connection without limits costs.
 * Runs of a hundred calls, so that what a run costs is little beside its calls; stores in memory, since writes are target 5's.
 */
import { startApi } from './support/api.ts';
import { askedProcess } from './support/asked.ts';
import { startBare } from './support/bare.ts';
import type { Benchmark } from './support/benchmark.ts';
import type { FromDurable, ToDurable } from './support/durable-process.ts';
import { fixed, median, spread } from './support/stats.ts';

const BYTES = 200;
const WIDTH = 10;
const WAVES = 10;
/** Runs at once, and bare jobs: a hundred requests in flight. */
const IN_FLIGHT = 10;
const WARM_UPS = 3;

export const benchmark: Benchmark = {
  id: 1,
  title: 'CPU per call',
  async run({ quick, say }) {
    const api = await startApi();
    const bare = startBare();
    const durable = askedProcess<ToDurable, FromDurable>('durable-process.ts');
    const unruled = askedProcess<ToDurable, FromDurable>('durable-process.ts');
    try {
      const runs = quick ? 50 : 100;
      const calls = runs * WAVES * WIDTH;
      const rounds = quick ? 3 : 9;
      const path = `/wait/0/${BYTES}/`;
      const ours: number[] = [];
      const theirs: number[] = [];
      const free: number[] = [];
      for (let round = -WARM_UPS; round < rounds; round++) {
        const one = await bare.run({ url: `${api.url}${path}`, jobs: calls / WIDTH, inFlight: IN_FLIGHT, width: WIDTH });
        const of = { origin: api.url, path, runs, inFlight: IN_FLIGHT, waves: WAVES, width: WIDTH };
        const other = await durable.run(of);
        const third = await unruled.run({ ...of, unruled: true });
        const [us, them] = [(1_000 * other.cpuMs) / calls, (1_000 * one.cpuMs) / calls];
        say(`${round < 0 ? 'warm-up' : `round ${round + 1} of ${rounds}`}: bare ${fixed(them, 0)}, ours ${fixed(us, 0)} µs a call`);
        if (round < 0) continue;
        ours.push(us);
        theirs.push(them);
        free.push((1_000 * third.cpuMs) / calls);
      }
      const paid = ours.map((us, round) => us - (free[round] as number));
      const ratios = ours.map((us, round) => us / (theirs[round] as number));
      return {
        figures: [
          { name: 'CPU of a durable safe call over bare undici.request', value: median(ratios), unit: '×', target: 2, better: 'lower' },
        ],
        notes: [
          `CPU per call: ${spread(ratios)} ×; ours ${fixed(median(ours), 0)} µs, bare ${fixed(median(theirs), 0)} µs; of ours admission ${spread(paid, 1)} µs, without it ${fixed(median(free), 0)} µs`,
        ],
      };
    } finally {
      bare.stop();
      durable.stop();
      unruled.stop();
      api.stop();
    }
  },
};
