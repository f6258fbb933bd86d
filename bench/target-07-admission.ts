/**
 * Target 7: what it costs a fleet to keep to R requests a second, and how well it does. Simulated in virtual time, with the production
 * code of src/admission: 5 instances become 40 and 5 again, clocks are up to 50 ms wrong. Everybody always has more to
 * send. Each figure is the worst of all seeds. Beside it: no limit, and one that each instance keeps alone.
 */
import { peak, type Report } from '../test/support/admission/simulation.ts';
import type { Benchmark, Figure } from './support/benchmark.ts';
import { eachForItself, perSecond, rush, simulateEach, unruled } from './support/fleets.ts';
import { fixed, median, spread } from './support/stats.ts';

/** R, and how long in virtual time: to some thousands of requests. `lanes`: batches side by side in an instance, so that they suffice. */
const RATES = [
  { requests: 1, lasts: 1_600_000, lanes: 1 },
  { requests: 10, lasts: 300_000, lanes: 1 },
  { requests: 100, lasts: 60_000, lanes: 1 },
  { requests: 1_000, lasts: 20_000, lanes: 10 },
] as const;
const BATCHES = [10, 1] as const;
/** By themselves, single calls of one instance are as many at once as a batch is. */
const SINGLE = { 1: 10, 10: 10, 100: 10, 1000: 30 } as const;
/** Most writes per call: at batch 1 as many as booking for each call by itself takes. */
const WRITES = { 10: 0.12, 1: 1 } as const;
/** The baselines: enough for a ratio, and not 8,000 requests a second for half an hour. */
const COMPARED = { requests: 100, lasts: 20_000 } as const;

export const benchmark: Benchmark = {
  id: 7,
  title: 'admission of a fleet',
  async run({ quick, say }) {
    const seeds = quick ? 1 : 8;
    const figures: Figure[] = [];
    const notes: string[] = [];
    const peaks = new Map<number, number[]>();
    for (const batch of BATCHES) {
      const writes: number[] = [];
      for (const { requests, lasts, lanes } of RATES) {
        say(`${requests} a second, in batches of ${batch}, ${seeds} seeds`);
        const side = batch === 1 ? SINGLE[requests] : lanes;
        const of = { limits: perSecond(requests), instances: rush(lasts), batch, lanes: side, lasts, throttled: 0 };
        const reports = await simulateEach(seeds, of);
        const perCall = reports.map((report) => report.writes / report.arrivals.length);
        const reads = reports.map((report) => report.reads / report.arrivals.length);
        const most = reports.map(({ arrivals }) => peak(arrivals) / requests);
        writes.push(...perCall);
        peaks.set(requests, [...(peaks.get(requests) ?? []), ...most]);
        notes.push(
          `R = ${requests}, batch ${batch}: ${spread(perCall, 3)} writes and ${fixed(median(reads), 2)} reads a call; most in a second ${spread(most)} × R; ` +
            `used ${spread(reports.map((report) => used(report, requests)))} × R; ${reports[0]?.arrivals.length} requests a seed`,
        );
      }
      figures.push({
        name: `admission writes per call, batch ${batch}`,
        value: Math.max(...writes),
        unit: 'writes',
        target: WRITES[batch],
        better: 'lower',
      });
    }
    for (const [requests, most] of peaks) {
      // Requests come whole: 1.1 in a second are two.
      const target = Math.ceil((11 * requests) / 10) / requests;
      const name = `most in any second over R = ${requests}`;
      figures.push({ name, value: Math.max(...most), unit: '× R', target, better: 'lower' });
    }

    const { requests, lasts } = COMPARED;
    const compared = { limits: perSecond(requests), instances: rush(lasts), batch: 10, lasts, throttled: 0 };
    for (const [what, other] of [
      ['no limit', { admission: unruled }],
      ['a limit that each instance keeps alone', { admission: eachForItself }],
      ['ours', {}],
      ['ours, on a table that throttles every twentieth request', { throttled: 0.05 }],
    ] as const) {
      say(`beside it: ${what}`);
      const [report] = (await simulateEach(1, { ...compared, ...other })) as [Report];
      notes.push(
        `R = ${requests}, ${lasts / 1_000} s, ${what}: most in a second ${fixed(peak(report.arrivals) / requests)} × R, ` +
          `used ${fixed(used(report, requests))} × R, ${fixed(report.writes / report.arrivals.length, 3)} writes a call`,
      );
    }
    return { figures, notes };
  },
};

/** What was sent, of what may be sent. Arrivals are in their order. */
function used({ arrivals }: Report, requests: number): number {
  const [first, last] = [arrivals[0]?.ms ?? 0, arrivals.at(-1)?.ms ?? 0];
  return arrivals.length / ((last - first) / 1_000) / requests;
}
