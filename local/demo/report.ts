/** The results as text. Pure: the same verdict always gives the same table. */
import type { Expectation } from './sample.ts';
import type { Verdict } from './verdict.ts';
import type { Progress } from './watch.ts';

const NAMES: Record<Expectation, string> = {
  created: 'account created',
  existing: 'was a customer already',
  failed: 'failed, as it must',
  'dead-letter': 'dead letter, as it must',
};
/** More problems than this are counted, not listed. */
const MOST_PROBLEMS = 10;

/** A line for people: where the runs are, and what they have done so far. */
export function progressLine({ sent, queued, running, waiting, ended, letters, totals }: Progress): string {
  return `${sent} sent · ${queued} queued · ${running} running · ${waiting} waiting · ${ended} ended · ${letters} dead letters · ${totals.calls} calls, ${totals.retries} retries, ${totals.waits} waits`;
}

export function report(verdict: Verdict, ms: number): string {
  const outcomes = table(
    ['outcome', 'count', 'as expected', 'calls', 'attempts', 'retries', 'waits', 'settled', 'p50', 'p95'],
    verdict.outcomes.map(({ outcome, count, asExpected, totals, p50, p95 }) => {
      const start = [NAMES[outcome], String(count), String(asExpected)];
      if (outcome === 'dead-letter') return [...start, ...Array<string>(7).fill('–')];
      const { calls, attempts, retries, waits, unknowns } = totals;
      return [...start, ...[calls, attempts, retries, waits, unknowns].map(String), seconds(p50), seconds(p95)];
    }),
  );
  const effects = table(
    ['effect', 'expected', 'happened', 'missing', 'repeated'],
    verdict.effects.map((row) => [row.effect, ...[row.expected, row.happened, row.missing, row.repeated].map(String)]),
  );
  const { stats } = verdict;
  const faults = Object.entries(stats.faults).map(([fault, count]) => `${fault} ${count}`);
  const lines = [
    outcomes,
    '',
    effects,
    '',
    `The demo API was asked ${total(stats.requests)} times and spoilt ${total(stats.faults)}: ${faults.join(', ') || 'none'}.`,
    `Writes: ${stats.writes.keyed} with an idempotency key (${stats.replayed} answered from memory), ${stats.writes.unkeyed} without. Back before Retry-After: ${stats.early}.`,
    '',
    ...(verdict.letters.length > 0
      ? ['Dead letters that are kept:', ...verdict.letters.map(({ reason, count }) => `  ${count} × ${reason}`), '']
      : []),
    ...ending(verdict, ms),
  ];
  return `${lines.join('\n')}\n`;
}

function ending({ ok, problems, messages }: Verdict, ms: number): string[] {
  if (ok) return [`All ${messages} messages came to their expected end in ${seconds(ms)}; every effect happened exactly once.`];
  const more = problems.length - MOST_PROBLEMS;
  return [
    `${problems.length} of the results ${problems.length === 1 ? 'is' : 'are'} not as expected (${messages} messages, ${seconds(ms)}):`,
    ...problems.slice(0, MOST_PROBLEMS).map((problem) => `  ${problem}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}

/** Columns as wide as their widest cell; the first to the left, numbers to the right. */
function table(head: readonly string[], rows: ReadonlyArray<readonly string[]>): string {
  const widths = head.map((name, i) => Math.max(name.length, ...rows.map((row) => (row[i] ?? '').length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join('  ')
      .trimEnd();
  return [line(head), widths.map((width) => '─'.repeat(width)).join('  '), ...rows.map(line)].join('\n');
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((all, count) => all + count, 0);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
