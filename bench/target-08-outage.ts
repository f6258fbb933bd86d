/**
 * Target 8: what a fleet sends to an API that answers nothing but 503 for ten minutes, per call that was issued meanwhile, and until all
 * of these have ended well. Simulated in virtual time with the production code of src/admission: 10 instances, calls that come whether or
 * not those before have ended, at half the limit. Each figure is the worst of all. Beside it: three retries and no admission, likewise.
 */
import type { Plan, Report } from '../test/support/admission/simulation.ts';
import type { Benchmark } from './support/benchmark.ts';
import { perSecond, simulateEach, unruled } from './support/fleets.ts';
import { fixed } from './support/stats.ts';

const BEGINS = 30_000;
const LASTS = 600_000;
/** Long enough for what has waited to be sent. */
const AFTERWARDS = 1_200_000;
/** Calls a second where there is no limit. */
const UNLIMITED = 25;
/** Requests a second; 0: no limit. */
const RATES = [0, 10, 100] as const;

export const benchmark: Benchmark = {
  id: 8,
  title: 'a total outage',
  async run({ quick, say }) {
    const seeds = quick ? 1 : 2;
    const told: Told[] = [];
    const notes: string[] = [];
    for (const requests of quick ? RATES.slice(0, 2) : RATES) {
      for (const deadly of quick ? [0] : [0, 0.5]) {
        const what = `${requests === 0 ? 'no limit' : `R = ${requests}`}${deadly ? ', half of the probes die with their process' : ''}`;
        say(`${what}, ${seeds} seeds`);
        const these = (await simulateEach(seeds, outage(requests, deadly))).map(tell);
        told.push(...these);
        const [{ calls, during, probes, ever, last }] = these as [Told];
        notes.push(
          `${what}: ${during} requests in the outage, ${probes} of them probes, where ${calls} calls were issued; ` +
            `${ever} until all of these had ended well, ${fixed(last / 1_000, 0)} s after the outage`,
        );
      }
    }
    say('baseline: three retries');
    const [popular] = (await simulateEach(1, { ...outage(10, 0), admission: unruled, attempts: 4 })).map(tell) as [Told];
    notes.push(
      `three retries, no admission: ${fixed(popular.during / popular.calls)} requests per call in the outage; ${popular.done} of ${popular.calls} calls ended well`,
    );
    const failed = told.find(({ calls, done }) => done < calls);
    if (failed) throw new Error(`${failed.calls - failed.done} of ${failed.calls} calls had not ended when the simulation did`);
    const most = (figure: (one: Told) => number) => Math.max(...told.map(figure));
    return {
      figures: [
        { name: 'requests in a total outage, per call issued in it', value: most((one) => one.during / one.calls), ...WANTED },
        { name: 'requests for these calls until they ended well, per call', value: most((one) => one.ever / one.calls), ...WANTED },
      ],
      notes,
    };
  },
};

const WANTED = { unit: 'requests', target: 1.2, better: 'lower' } as const;

function outage(requests: number, deadly: number): Omit<Plan, 'seed'> {
  const isOut = (ms: number) => ms >= BEGINS && ms < BEGINS + LASTS;
  return {
    limits: perSecond(requests),
    instances: () => 10,
    batch: 0,
    load: [{ tenant: 'default', perSecond: (ms) => (ms < BEGINS + LASTS ? requests / 2 || UNLIMITED : 0) }],
    lasts: BEGINS + LASTS + AFTERWARDS,
    api: (ms) => (isOut(ms) ? 'bad' : 'good'),
    deadly: (ms, isProbe) => (isProbe && isOut(ms) ? deadly : 0),
  };
}

type Told = { calls: number; done: number; during: number; probes: number; ever: number; last: number };

/** Of the calls that were issued in the outage; `during`: of all that came in it. `last`: when the last of them ended, ms after it. */
function tell({ arrivals, done }: Report): Told {
  const isIn = (ms: number) => ms >= BEGINS && ms < BEGINS + LASTS;
  const theirs = arrivals.filter(({ issued }) => isIn(issued));
  const during = arrivals.filter(({ ms }) => isIn(ms));
  const well = done.filter(({ issued }) => isIn(issued));
  return {
    calls: new Set(theirs.map(({ call }) => call)).size,
    done: well.length,
    during: during.length,
    probes: during.filter(({ isProbe }) => isProbe).length,
    ever: theirs.length,
    last: well.reduce((last, { ended }) => Math.max(last, ended), 0) - (BEGINS + LASTS),
  };
}
