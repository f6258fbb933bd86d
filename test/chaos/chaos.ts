/** Runs the chaos: plans by seed, so many worlds at once, verdicts counted as they come. Prints nothing. */
import { judge, type Verdict } from './check.ts';
import { planOf } from './plan.ts';
import { witness } from './world.ts';

export type ChaosOptions = {
  seed: number;
  calls: number;
  /** Worlds at once; each has as many calls under way as its shape allows. Default 24. */
  worlds?: number;
  /** Only this run of the seed. */
  only?: number;
  /** Milliseconds after which no further run is begun. */
  until?: number;
  progress?: (tally: Tally) => void;
};

export type Line = {
  calls: number;
  sendings: number;
  ok: number;
  failed: number;
  unknown: number;
  stuck: number;
  duplicates: number;
  faulty: number;
};
export type Tally = {
  runs: number;
  lines: Record<string, Line>;
  codes: Map<string, number>;
  disturbed: number;
  deaths: number;
  unknowns: number;
  hints: number;
  early: number;
  overtime: number;
  /** How often each fate was met. */
  fates: Map<string, number>;
  faulty: Verdict[];
  ms: number;
  /** Highest resident set seen, MB. */
  rss: number;
};

/** A run has up to this many calls. */
const PER_RUN = 12;
const KEPT = 200;

const line = (): Line => ({ calls: 0, sendings: 0, ok: 0, failed: 0, unknown: 0, stuck: 0, duplicates: 0, faulty: 0 });

export async function chaos(options: ChaosOptions): Promise<Tally> {
  const { seed, calls, worlds = 24, only, until = Number.POSITIVE_INFINITY, progress } = options;
  const began = performance.now();
  const tally: Tally = {
    runs: 0,
    lines: { safe: line(), idempotent: line(), keyed: line(), unsafe: line() },
    codes: new Map(),
    disturbed: 0,
    deaths: 0,
    unknowns: 0,
    hints: 0,
    early: 0,
    overtime: 0,
    fates: new Map(),
    faulty: [],
    ms: 0,
    rss: 0,
  };
  const count = Math.ceil(calls / PER_RUN);
  let next = only ?? 0;
  const last = only === undefined ? count : only + 1;
  async function worker(): Promise<void> {
    while (next < last && performance.now() - began < until) {
      const index = next++;
      const plan = planOf(seed, index, Math.min(PER_RUN, only === undefined ? calls - index * PER_RUN : PER_RUN));
      const seen = await witness(plan);
      tally.runs += 1;
      tally.deaths += seen.killed.size;
      tally.overtime = Math.max(tally.overtime, seen.overtime);
      for (const verdict of judge(seen)) add(tally, verdict);
      tally.ms = performance.now() - began;
      tally.rss = Math.max(tally.rss, process.memoryUsage.rss() / 1e6);
      progress?.(tally);
    }
  }
  await Promise.all(Array.from({ length: Math.min(worlds, last - next) }, worker));
  tally.rss = Math.max(tally.rss, process.resourceUsage().maxRSS / 1e3);
  return tally;
}

function add(tally: Tally, verdict: Verdict): void {
  const at = tally.lines[verdict.call.safety] as Line;
  at.calls += 1;
  at.sendings += verdict.sendings;
  at[verdict.end] += 1;
  at.duplicates += verdict.duplicates;
  if (verdict.code !== undefined) tally.codes.set(verdict.code, (tally.codes.get(verdict.code) ?? 0) + 1);
  if (verdict.disturbed) tally.disturbed += 1;
  tally.unknowns += verdict.unknowns;
  tally.hints += verdict.hints;
  tally.early += verdict.early;
  for (const { fate, stale } of verdict.account.arrivals) {
    const name = stale ? 'the door was shut' : fate.name;
    tally.fates.set(name, (tally.fates.get(name) ?? 0) + 1);
  }
  if (verdict.faults.length === 0) return;
  at.faulty += 1;
  if (tally.faulty.length < KEPT) tally.faulty.push(verdict);
}
