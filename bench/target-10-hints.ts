/**
 * Target 10, per call: sendings that came before the time that the API gave, of all those that the chaos saw wait; the hostile server
 * names a time in every form there is, with its clock up to a year wrong. Per fleet: requests of 40 instances that arrived later than
 * 250 ms after the first of them was told to wait, and before that time; simulated with the production code of src/admission.
 */
import { chaos } from '../test/chaos/chaos.ts';
import { sound, told } from '../test/chaos/report.ts';
import type { Benchmark, Figure } from './support/benchmark.ts';
import { unruled } from './support/fleets.ts';
import { fixed } from './support/stats.ts';
import { toldFleet } from './support/told-fleet.ts';

const SEED = 10;
/** Requests a second; 0: no limit. */
const RATES = [0, 10, 100, 1_000] as const;

type Part = { figure: Figure; notes: string[] };
type Say = (line: string) => void;

export const benchmark: Benchmark = {
  id: 10,
  title: 'Retry-After violated',
  async run({ quick, say }) {
    const [call, fleet] = [await perCall(quick, say), await perFleet(quick, say)];
    return { figures: [call.figure, fleet.figure], notes: [...call.notes, ...fleet.notes] };
  },
};

async function perCall(quick: boolean, say: Say): Promise<Part> {
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
  const name = 'waits asked for and not kept, per call';
  return {
    figure: { name, value: tally.early, unit: `of ${tally.hints}`, target: 0, better: 'lower' },
    notes: [`${tally.hints} waits in ${tally.runs} runs, ${tally.deaths} workers killed, ${tally.fates.size} kinds of fates`],
  };
}

async function perFleet(quick: boolean, say: Say): Promise<Part> {
  const seeds = quick ? 1 : 5;
  const notes: string[] = [];
  let late = 0;
  let fleets = 0;
  for (const requests of RATES) {
    const what = requests === 0 ? 'no limit' : `R = ${requests}`;
    say(`40 instances, ${what}, ${seeds} seeds`);
    const these = await toldFleet(seeds, requests);
    late += these.reduce((sum, one) => sum + one.late, 0);
    fleets += these.length;
    const latest = Math.max(...these.map((one) => one.latest));
    const most = Math.max(...these.map((one) => one.meanwhile));
    notes.push(`40 instances, ${what}: at most ${most} came after the first was told, the latest ${fixed(latest, 0)} ms after`);
  }
  say('baseline: no admission');
  const [popular] = await toldFleet(1, 0, unruled);
  notes.push(`40 instances without admission, each call keeping to what it was told itself: ${popular?.late} came later than that`);
  const name = 'requests of 40 instances > 250 ms after one was told to wait';
  return { figure: { name, value: late, unit: `in ${fleets} fleets`, target: 0, better: 'lower' }, notes };
}
