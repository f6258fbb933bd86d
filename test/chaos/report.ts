/** What the chaos found, for people. */
import type { Line, Tally } from './chaos.ts';
import type { Verdict } from './check.ts';

const COLUMNS = [
  'calls',
  'sendings',
  'ok',
  'failed',
  'unknown',
  'stuck',
  'duplicates',
  'faulty',
] as const satisfies readonly (keyof Line)[];

export function table(tally: Tally): string {
  const rows = [
    ['', ...COLUMNS],
    ...Object.entries(tally.lines).map(([name, line]) => [name, ...COLUMNS.map((column) => String(line[column]))]),
  ];
  const widths = rows[0]?.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0))) ?? [];
  const text = rows.map((row) =>
    row.map((cell, at) => (at === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[at] ?? 0))).join('  '),
  );
  const codes = [...tally.codes].sort().map(([code, count]) => `${code} ${count}`);
  return [
    ...text,
    '',
    `errors              ${codes.join(', ') || 'none'}`,
    `unknown on the way  ${tally.unknowns}, each of an unsafe call that was sent and not answered`,
    `waits asked for     ${tally.hints}, of them not kept: ${tally.early}`,
    `over the total      ${Math.round(tally.overtime)} ms at most`,
    `workers killed      ${tally.deaths}, with ${tally.disturbed} calls under way`,
    `kinds of fates met  ${tally.fates.size}`,
    `highest memory      ${tally.rss.toFixed(0)} MB, server included`,
    `${tally.runs} runs in ${(tally.ms / 1_000).toFixed(1)} s`,
  ].join('\n');
}

/** One call, whole: what it was, what it met, what was recorded, and what is wrong with that. */
export function told(seed: number, verdict: Verdict): string {
  const { call, run, account, records, disturbed } = verdict;
  return [
    `call ${call.id}: ${call.method}, ${call.safety}, ${call.nature.lane}${call.nature.stubborn ? ', stubborn' : ''}, unknown: ${call.asked}, attempts ${call.attempts}, throttles ${call.throttles}${call.strict ? ', strict' : ''}${disturbed ? ', a worker died' : ''}`,
    ...verdict.faults.map((fault) => `  ! ${fault}`),
    ...account.arrivals.map(
      ({ n, fate, at, life, reused, stale, effect, answeredAt }) =>
        `  ${stale ? 'stale' : `${n}. ${fate.name}`}${reused ? ', reused' : ''}${effect ? ', happened' : ''}, life ${life}, at ${new Date(at).toISOString()}${answeredAt === undefined ? '' : `, answered ${answeredAt - at} ms later`}`,
    ),
    ...records.map((record) => `  record ${JSON.stringify(record)}`),
    `  again: npm run chaos -- --seed ${seed} --only ${run}`,
  ].join('\n');
}

export const sound = (tally: Tally): boolean => Object.values(tally.lines).every(({ faulty, stuck }) => faulty + stuck === 0);
