/**
 * Target 10, per call: sendings that came before the time that the API gave, of all those that the chaos saw wait; the hostile server
 * names a time in every form there is, with its clock up to a year wrong. Per fleet, see the benchmarks of admission.
 */
import { chaos } from '../test/chaos/chaos.ts';
import { sound, told } from '../test/chaos/report.ts';
import type { Benchmark } from './support/benchmark.ts';

const SEED = 10;

export const benchmark: Benchmark = {
  id: 10,
  title: 'Retry-After violated, per call',
  async run({ quick, say }) {
    const tally = await chaos({
      seed: SEED,
      calls: quick ? 1_000 : 10_000,
      progress: ({ runs, hints }) => {
        if (runs % 100 === 0) say(`${runs} runs, ${hints} waits`);
      },
    });
    if (!sound(tally))
      throw new Error(
        `the chaos of seed ${SEED} is not sound\n${tally.faulty
          .slice(0, 3)
          .map((one) => told(SEED, one))
          .join('\n')}`,
      );
    return {
      figures: [
        { name: 'waits asked for and not kept, per call', value: tally.early, unit: `of ${tally.hints}`, target: 0, better: 'lower' },
      ],
      notes: [`${tally.hints} waits in ${tally.runs} runs, ${tally.deaths} workers killed, ${tally.fates.size} kinds of fates`],
    };
  },
};
