/** The verdict over a demo and its table: what is well, and each way in which it is not. */
import { expect, test } from 'vitest';
import type { EffectCount } from '../../local/demo/effects.ts';
import type { ApiRun } from '../../local/demo/http-api.ts';
import { measure, NOTHING, percentile } from '../../local/demo/measure.ts';
import type { SampleMessage } from '../../local/demo/messages.ts';
import { progressLine, report } from '../../local/demo/report.ts';
import type { Stats } from '../../local/demo/stats.ts';
import { judge } from '../../local/demo/verdict.ts';
import type { Seen } from '../../local/demo/watch.ts';

const STATS: Stats = {
  requests: { crm: 9, billing: 4, mailer: 3 },
  writes: { keyed: 2, unkeyed: 2 },
  faults: { 'burst-503': 2, 'reset-after-effect': 1 },
  replayed: 1,
  early: 0,
};
const MEASURES = { calls: 5, attempts: 7, retries: 2, waits: 1, unknowns: 1 };
const at = (second: number) => new Date(1_700_000_000_000 + second * 1000).toISOString();

const MESSAGES: SampleMessage[] = [
  { text: 'a', expect: 'created', run: 'run_a', customer: 'a.example' },
  { text: 'a', expect: 'created', run: 'run_a', customer: 'a.example' },
  { text: 'b', expect: 'existing', run: 'run_b', customer: 'b.example' },
  { text: 'c', expect: 'failed', run: 'run_c', customer: 'c.example' },
  { text: 'd', expect: 'dead-letter' },
];
const RUNS: ApiRun[] = [
  { id: 'run_a', status: 'succeeded', createdAt: at(0), endedAt: at(4), result: { created: true } },
  { id: 'run_b', status: 'succeeded', createdAt: at(0), endedAt: at(1), result: { created: false } },
  { id: 'run_c', status: 'failed', createdAt: at(0), endedAt: at(1), error: { code: 'E_CALL_FAILED', message: 'GET crm: 404' } },
];
const LETTER = { body: 'd', reason: { code: 'E_MESSAGE_MALFORMED', message: 'the message is not JSON' } };
const EFFECTS: EffectCount[] = (['account', 'note', 'welcome-email'] as const).map((effect) => ({
  effect,
  customer: 'a.example',
  count: 1,
}));

function seen(change: { runs?: ApiRun[]; unfinished?: ApiRun[]; letters?: Seen['letters'] } = {}): Seen {
  return {
    runs: new Map((change.runs ?? RUNS).map((run) => [run.id, { run, measures: MEASURES }])),
    unfinished: new Map((change.unfinished ?? []).map((run) => [run.id, run])),
    letters: change.letters ?? [LETTER],
  };
}

test('when everything ended as expected the table says so, and a message sent twice is one run', () => {
  const verdict = judge(MESSAGES, seen(), EFFECTS, STATS);
  expect(verdict.problems).toEqual([]);
  expect(verdict.ok).toBe(true);
  expect(report(verdict, 21_400)).toMatchInlineSnapshot(`
    "outcome                  count  as expected  calls  attempts  retries  waits  settled    p50    p95
    ───────────────────────  ─────  ───────────  ─────  ────────  ───────  ─────  ───────  ─────  ─────
    account created              1            1      5         7        2      1        1  4.0 s  4.0 s
    was a customer already       1            1      5         7        2      1        1  1.0 s  1.0 s
    failed, as it must           1            1      5         7        2      1        1  1.0 s  1.0 s
    dead letter, as it must      1            1      –         –        –      –        –      –      –

    effect         expected  happened  missing  repeated
    ─────────────  ────────  ────────  ───────  ────────
    account               1         1        0         0
    note                  1         1        0         0
    welcome-email         1         1        0         0

    The demo API was asked 16 times and spoilt 3: burst-503 2, reset-after-effect 1.
    Writes: 2 with an idempotency key (1 answered from memory), 2 without. Back before Retry-After: 0.

    Dead letters that are kept:
      1 × E_MESSAGE_MALFORMED: the message is not JSON

    All 5 messages came to their expected end in 21.4 s; every effect happened exactly once.
    "
  `);
});

const without = (id: string) => RUNS.filter((run) => run.id !== id);

test.each<{ what: string; seen?: Seen; effects?: EffectCount[]; problem: string }>([
  {
    what: 'a run that failed instead',
    seen: seen({ runs: [...without('run_a'), { ...(RUNS[2] as ApiRun), id: 'run_a' }] }),
    problem: 'run_a should have ended as "created" and failed: E_CALL_FAILED GET crm: 404',
  },
  {
    what: 'a run that succeeded with another result',
    seen: seen({ runs: [...without('run_b'), { ...(RUNS[0] as ApiRun), id: 'run_b' }] }),
    problem: 'run_b should have ended as "existing" and succeeded with {"created":true}',
  },
  {
    what: 'a run that failed in another way than it must',
    seen: seen({ runs: [...without('run_c'), { ...(RUNS[2] as ApiRun), error: { code: 'E_CRASHED', message: 'five times' } }] }),
    problem: 'run_c should have ended as "failed" and failed: E_CRASHED five times',
  },
  {
    what: 'a run that was never seen',
    seen: seen({ runs: without('run_b') }),
    problem: 'run_b should have ended as "existing" and was never seen',
  },
  {
    what: 'a run that waits for a person',
    seen: seen({
      runs: without('run_a'),
      unfinished: [{ id: 'run_a', status: 'paused', createdAt: at(0), reason: { code: 'E_UNKNOWN_OUTCOME', message: 'settle it' } }],
    }),
    problem: 'run_a should have ended as "created" and is paused: E_UNKNOWN_OUTCOME settle it',
  },
  { what: 'a dead letter that is missing', seen: seen({ letters: [] }), problem: 'the message d should be a dead letter and is not' },
  {
    what: 'a good message among the dead letters',
    seen: seen({ letters: [LETTER, { ...LETTER, body: 'b' }] }),
    problem: 'a good message became a dead letter: E_MESSAGE_MALFORMED the message is not JSON',
  },
  { what: 'an effect that is missing', effects: EFFECTS.slice(1), problem: 'account of a.example is missing' },
  {
    what: 'an effect that happened twice',
    effects: [...EFFECTS.slice(0, 2), { effect: 'welcome-email', customer: 'a.example', count: 2 }],
    problem: 'welcome-email of a.example happened 2 times',
  },
  {
    what: 'an effect for a customer who should have got none',
    effects: [...EFFECTS, { effect: 'note', customer: 'c.example', count: 1 }],
    problem: 'note of c.example happened 1 times',
  },
])('$what is told', (row) => {
  const verdict = judge(MESSAGES, row.seen ?? seen(), row.effects ?? EFFECTS, STATS);
  expect(verdict).toMatchObject({ ok: false, problems: [row.problem] });
  expect(report(verdict, 1_000)).toContain(`1 of the results is not as expected (5 messages, 1.0 s):\n  ${row.problem}\n`);
});

test('effects of customers outside the sample are nobody’s business', () => {
  expect(judge(MESSAGES, seen(), [...EFFECTS, { effect: 'note', customer: 'z.example', count: 1 }], STATS).ok).toBe(true);
});

test('of many problems the first ten are listed', () => {
  const many = Array.from({ length: 14 }, (_, i): SampleMessage => ({ text: `m${i}`, expect: 'existing', run: `run_${i}` }));
  expect(report(judge(many, seen({ runs: [] }), [], STATS), 0)).toMatch(/run_9 .*\n {2}and 4 more\n$/);
});

test('a journal tells calls, attempts, retries, waits and what was unknown', () => {
  const record = { phase: 'answered' };
  const journal = [
    { type: 'done', call: '1', label: 'GET crm /companies/a.example', attempts: [record, record] },
    { type: 'start', call: '2', label: 'POST billing /accounts' },
    { type: 'retry', call: '2', label: 'POST billing /accounts', attempts: [record] },
    { type: 'done', call: '2', label: 'POST billing /accounts', attempts: [record] },
    { type: 'retry', call: '3', label: 'sleep 3s', attempts: [] },
    { type: 'done', call: '3', label: 'sleep 3s', attempts: [] },
    { type: 'done', call: '4', label: 'step write-welcome', attempts: [record] },
    { type: 'start', call: '5', label: 'POST mailer /messages' },
    { type: 'unknown', call: '5', label: 'POST mailer /messages', attempts: [record] },
    { type: 'done', call: '5', label: 'POST mailer /messages', attempts: [{}, { phase: 'deferred' }] },
    { type: 'park' },
    { type: 'end' },
  ];
  expect(measure(journal)).toEqual({ calls: 3, attempts: 5, retries: 2, waits: 2, unknowns: 1 });
  expect(measure([])).toEqual(NOTHING);
});

test('percentiles are values that occurred', () => {
  const values = [9, 1, 8, 2, 7, 3, 6, 4, 5, 10];
  expect(percentile(values, 0.5)).toBe(5);
  expect(percentile(values, 0.95)).toBe(10);
  expect(percentile([], 0.5)).toBe(0);
});

test('progress is one line', () => {
  const line = progressLine({ sent: 300, queued: 1, running: 2, waiting: 3, ended: 4, letters: 5, totals: MEASURES });
  expect(line).toBe('300 sent · 1 queued · 2 running · 3 waiting · 4 ended · 5 dead letters · 5 calls, 2 retries, 1 waits');
});
