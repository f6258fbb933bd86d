/** Whether everything came to its expected end, and each effect happened exactly once. Pure. */
import type { Effect, EffectCount } from './effects.ts';
import type { ApiDeadLetter } from './http-api.ts';
import { type Measures, NOTHING, percentile, sum } from './measure.ts';
import type { SampleMessage } from './messages.ts';
import type { Expectation } from './sample.ts';
import type { Stats } from './stats.ts';
import type { Seen, Watched } from './watch.ts';

type OutcomeRow = { outcome: Expectation; count: number; asExpected: number; totals: Measures; p50: number; p95: number };
type EffectRow = { effect: Effect; expected: number; happened: number; missing: number; repeated: number };

export type Verdict = {
  ok: boolean;
  messages: number;
  outcomes: OutcomeRow[];
  effects: EffectRow[];
  letters: Array<{ reason: string; count: number }>;
  /** One line for each thing that is not as it should be. */
  problems: string[];
  stats: Stats;
};

const ORDER: readonly Expectation[] = ['created', 'existing', 'failed', 'dead-letter'];
const EFFECTS: readonly Effect[] = ['account', 'note', 'welcome-email'];

export function judge(messages: readonly SampleMessage[], seen: Seen, effects: readonly EffectCount[], stats: Stats): Verdict {
  // A message that was sent twice is one run.
  const runs = [...new Map(messages.filter(({ run }) => run !== undefined).map((message) => [message.run as string, message])).values()];
  const problems: string[] = [];
  const outcomes = ORDER.map((outcome): OutcomeRow => {
    if (outcome === 'dead-letter') return letterRow(messages, seen.letters, problems);
    const expected = runs.filter(({ expect }) => expect === outcome);
    const watched = expected.flatMap(({ run }) => seen.runs.get(run as string) ?? []);
    const wrong = expected.flatMap(({ run }) => whatIsWrong(outcome, run as string, seen));
    problems.push(...wrong);
    const durations = watched.map(({ run }) => Date.parse(run.endedAt ?? run.createdAt) - Date.parse(run.createdAt));
    return {
      outcome,
      count: expected.length,
      asExpected: expected.length - wrong.length,
      totals: watched.reduce((total, { measures }) => sum(total, measures), NOTHING),
      p50: percentile(durations, 0.5),
      p95: percentile(durations, 0.95),
    };
  });
  const onboarded = new Set(runs.filter(({ expect }) => expect === 'created').map(({ customer }) => customer ?? ''));
  const others = new Set(runs.filter(({ expect }) => expect !== 'created').map(({ customer }) => customer ?? ''));
  const rows = EFFECTS.map((effect) => effectRow(effect, onboarded, others, effects, problems));
  return { ok: problems.length === 0, messages: messages.length, outcomes, effects: rows, letters: reasons(seen.letters), problems, stats };
}

function whatIsWrong(expect: Expectation, id: string, seen: Seen): string[] {
  const watched = seen.runs.get(id);
  if (watched) return endedAs(expect, watched) ? [] : [`${id} should have ended as "${expect}" and ${describe(watched)}`];
  const run = seen.unfinished.get(id);
  const why = run?.reason ? `: ${run.reason.code} ${run.reason.message}` : '';
  return [`${id} should have ended as "${expect}" and ${run ? `is ${run.status}${why}` : 'was never seen'}`];
}

function endedAs(expect: Expectation, { run }: Watched): boolean {
  const created = (run.result as { created?: unknown } | undefined)?.created;
  if (expect === 'created') return run.status === 'succeeded' && created === true;
  if (expect === 'existing') return run.status === 'succeeded' && created === false;
  return run.status === 'failed' && run.error?.code === 'E_CALL_FAILED';
}

function describe({ run }: Watched): string {
  return run.error ? `${run.status}: ${run.error.code} ${run.error.message}` : `${run.status} with ${JSON.stringify(run.result)}`;
}

function letterRow(messages: readonly SampleMessage[], letters: readonly ApiDeadLetter[], problems: string[]): OutcomeRow {
  const expected = messages.filter(({ expect }) => expect === 'dead-letter');
  const bodies = new Set(letters.map(({ body }) => body));
  const missing = expected.filter(({ text }) => !bodies.has(text));
  problems.push(...missing.map(({ text }) => `the message ${text.slice(0, 80)} should be a dead letter and is not`));
  // One of the sample's good messages among them is a fault even if its run ended well.
  const good = new Set(messages.filter(({ expect }) => expect !== 'dead-letter').map(({ text }) => text));
  for (const { body, reason } of letters)
    if (good.has(body)) problems.push(`a good message became a dead letter: ${reason.code} ${reason.message}`);
  return { outcome: 'dead-letter', count: expected.length, asExpected: expected.length - missing.length, totals: NOTHING, p50: 0, p95: 0 };
}

function effectRow(
  effect: Effect,
  onboarded: ReadonlySet<string>,
  others: ReadonlySet<string>,
  counts: readonly EffectCount[],
  problems: string[],
): EffectRow {
  const mine = new Map(counts.filter((count) => count.effect === effect).map(({ customer, count }) => [customer, count]));
  const missing = [...onboarded].filter((customer) => !mine.has(customer));
  // For customers that should have got none, the first is one too many.
  const repeated = [...onboarded, ...others].filter((customer) => (mine.get(customer) ?? 0) > (onboarded.has(customer) ? 1 : 0));
  problems.push(...missing.map((customer) => `${effect} of ${customer} is missing`));
  problems.push(...repeated.map((customer) => `${effect} of ${customer} happened ${mine.get(customer)} times`));
  const happened = [...onboarded, ...others].reduce((total, customer) => total + (mine.get(customer) ?? 0), 0);
  return { effect, expected: onboarded.size, happened, missing: missing.length, repeated: repeated.length };
}

function reasons(letters: readonly ApiDeadLetter[]): Array<{ reason: string; count: number }> {
  const counts = new Map<string, number>();
  for (const { reason } of letters) {
    const text = `${reason.code}: ${reason.message}`;
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  return [...counts].map(([reason, count]) => ({ reason, count }));
}
