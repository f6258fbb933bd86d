/** A run as `inspect` shows it. */
import { expect, test } from 'vitest';
import type { JournalItem, Run } from '../../cli/api-types.ts';
import { inspectText } from '../../cli/render/inspect.ts';
import type { Paint } from '../../cli/tools.ts';

const plain: Paint = (_style, text) => text;
const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1, 12) + seconds * 1_000).toISOString();
const ms = (seconds: number) => Date.parse(at(seconds));

const RUN: Run = {
  id: 'run_0123456789abcdef0123456789abcdef',
  workflow: 'onboard',
  version: 2,
  status: 'succeeded',
  tenant: 'acme',
  createdAt: at(0),
  startedAt: at(0),
  endedAt: at(95),
  idempotencyKey: 'order-1',
  crashes: 0,
  input: { domain: 'acme.example' },
  result: { ok: true },
};

const success = { n: 1, row: '2xx', class: 'success', status: 200, ms: { total: 33 } };
const lookUp: JournalItem = {
  seq: 0,
  type: 'done',
  at: at(1),
  call: 'a',
  label: 'GET crm /companies/acme',
  value: { status: 200, headers: {}, text: '{"id":1}' },
  attempts: [success],
};

const show = (run: Partial<Run>, journal: JournalItem[], options: { stage?: string; now?: number } = {}) =>
  inspectText({ ...RUN, ...run }, journal, { now: options.now ?? ms(100), width: 120, paint: plain, stage: options.stage ?? 'local' });

test('each call stands once, with its attempts, waits and decisions in order', () => {
  const text = show({}, [
    lookUp,
    { seq: 1, type: 'start', at: at(2), call: 'b', label: 'POST billing /accounts', effect: 'keyed', sending: 1 },
    {
      seq: 2,
      type: 'retry',
      at: at(3),
      call: 'b',
      label: 'POST billing /accounts',
      issuedAt: at(2),
      next: at(60),
      attempts: [
        { n: 1, row: '503 without a hint', class: 'transient', status: 503, ms: { total: 8 }, next: ms(2.5) },
        {
          n: 2,
          row: 'throttle',
          class: 'throttle',
          status: 429,
          ms: { total: 5 },
          hint: { source: 'retry-after', delay: 57_000 },
          next: ms(60),
        },
      ],
    },
    {
      seq: 3,
      type: 'done',
      at: at(61),
      call: 'b',
      label: 'POST billing /accounts',
      value: { status: 201, headers: {}, text: '{"id":"a-1"}' },
      attempts: [{ ...success, n: 2, status: 201 }],
    },
    { seq: 4, type: 'retry', at: at(61), call: 'c', label: 'sleep 30s', issuedAt: at(61), next: at(91), attempts: [] },
    { seq: 5, type: 'done', at: at(91), call: 'c', label: 'sleep 30s', attempts: [] },
  ]);
  expect(text).toBe(`run_0123456789abcdef0123456789abcdef  onboard v2  succeeded
  began 2026-01-01 12:00:00 UTC, took 1 min 35 s
  tenant acme, key order-1
  input {"domain":"acme.example"}

  0 ✓ GET crm /companies/acme  200 in 33 ms
      = {"id":1}
  1 ✓ POST billing /accounts [keyed]  3 attempts
      1. 503 in 8 ms, 503 without a hint → again at 12:00:02 (back-off)
      2. 429 in 5 ms, throttle → again at 12:01:00 (retry-after says 57 s)
      put down at 12:00:03 until 12:01:00 (57 s)
      3. 201 in 33 ms
      = {"id":"a-1"}
  4 ✓ sleep 30s  slept 30 s

Succeeded: {"ok":true}

What can be done:
  npx holdfast delete run_0123456789abcdef0123456789abcdef  remove it and its payloads`);
});

const unknown: JournalItem[] = [
  { seq: 3, type: 'start', at: at(2), call: 'm', label: 'POST mailer /messages', effect: 'unsafe', sending: 1 },
  {
    seq: 4,
    type: 'unknown',
    at: at(3),
    call: 'm',
    label: 'POST mailer /messages',
    error: { code: 'E_UNKNOWN_OUTCOME', message: 'it may have happened' },
    attempts: [{ n: 1, row: 'broken after sending', class: 'ambiguous', why: 'the connection broke (ECONNRESET)', ms: { total: 7 } }],
  },
];

test('an unknown outcome names the three ways of settling it, on its stage', () => {
  const text = show(
    { status: 'paused', reason: { code: 'E_UNKNOWN_OUTCOME', message: 'POST mailer /messages may have happened' } },
    unknown,
    { stage: 'prod' },
  );
  expect(text).toContain('? POST mailer /messages [unsafe]');
  expect(text).toContain('1. the connection broke (ECONNRESET) after 7 ms, broken after sending');
  expect(text).toContain('sent, and nobody knows whether it happened');
  expect(text).toContain(`npx holdfast settle ${RUN.id} 4 happened --value '{"status":201,"data":{}}' --stage prod`);
  expect(text).toContain(`npx holdfast settle ${RUN.id} 4 not-happened --stage prod`);
  expect(text).toContain(`npx holdfast settle ${RUN.id} 4 failed --stage prod`);
  expect(text).not.toContain('npx holdfast resume');
});

test('a settled call is done, with the value that was settled', () => {
  const text = show({}, [
    ...unknown,
    {
      seq: 5,
      type: 'settled',
      at: at(9),
      call: 'm',
      label: 'POST mailer /messages',
      value: { status: 201, headers: {}, text: '{"id":"m-1"}' },
      attempts: [],
    },
  ]);
  expect(text).toContain('✓ POST mailer /messages [unsafe]');
  expect(text).toContain('= {"id":"m-1"}');
});

test('a divergence shows its diff, and what to do once the code matches', () => {
  const message = 'The code took another way than the journal.\n- journal: GET crm /a\n+ code:    GET crm /b at workflows/onboard.ts:7';
  const text = show({ status: 'paused', reason: { code: 'E_DIVERGED', message } }, [lookUp]);
  expect(text).toContain(
    '  E_DIVERGED: The code took another way than the journal.\n  - journal: GET crm /a\n  + code:    GET crm /b at workflows/onboard.ts:7',
  );
  expect(text).toContain(`npx holdfast resume ${RUN.id}`);
});

const failure = (seq: number, call: string): JournalItem => ({
  seq,
  type: 'fail',
  at: at(5),
  call,
  label: `GET crm /${call}`,
  error: { code: 'E_CALL_FAILED', message: `GET crm /${call}: answered 404` },
  attempts: [{ n: 1, row: 'other 4xx', class: 'permanent', status: 404, ms: { total: 5 } }],
});

test('a failed run names where it may be redriven from, if there is a choice', () => {
  const error = { code: 'E_CALL_FAILED', message: 'GET crm /x: answered 404' };
  const one = show({ status: 'failed', error }, [lookUp, failure(1, 'x')]);
  expect(one).toContain('1. 404 in 5 ms, other 4xx → final');
  expect(one).toContain('Failed:\n  E_CALL_FAILED: GET crm /x: answered 404');
  expect(one).toContain(`npx holdfast redrive ${RUN.id}  `);
  expect(one).not.toContain('--from');
  const two = show({ status: 'failed', error }, [lookUp, failure(1, 'x'), failure(2, 'y')]);
  expect(two).toContain(`npx holdfast redrive ${RUN.id} --from 2  start again from GET crm /y`);
});

test('a redrive stands where it happened, and what it makes again goes on', () => {
  const text = show({}, [
    lookUp,
    failure(1, 'x'),
    { seq: 2, type: 'redrive', at: at(10), calls: ['x'], from: 1, by: 'me', why: 'mended' },
    {
      seq: 3,
      type: 'done',
      at: at(11),
      call: 'x',
      label: 'GET crm /x',
      value: { status: 200, headers: {}, text: 'now' },
      attempts: [success],
    },
  ]);
  expect(text).toContain('1 ✓ GET crm /x  2 attempts');
  expect(text).toContain('redriven at 12:00:10');
  expect(text).toContain('2 redriven from entry 1 at 2026-01-01 12:00:10 UTC by me: mended');
  expect(text).not.toContain('E_CALL_FAILED');
});

test('a cancelled run says who wanted it and what was cut short', () => {
  const text = show({ status: 'cancelled', error: { code: 'E_CANCELLED', message: 'the run was cancelled: ordered twice' } }, [
    { seq: 0, type: 'retry', at: at(1), call: 'c', label: 'sleep 3 days', issuedAt: at(1), next: at(9_000), attempts: [] },
    { seq: 1, type: 'cancel', at: at(4), calls: ['c'], why: 'ordered twice' },
  ]);
  expect(text).toContain('0 – sleep 3 days');
  expect(text).toContain('1 cancelled at 2026-01-01 12:00:04 UTC: ordered twice');
});

test('a waiting run says for how long', () => {
  const { endedAt: _endedAt, result: _result, ...unfinished } = RUN;
  const text = inspectText({ ...unfinished, status: 'waiting', wakeAt: at(160) }, [], {
    now: ms(100),
    width: 120,
    paint: plain,
    stage: 'local',
  });
  expect(text).toContain('began 2026-01-01 12:00:00 UTC, 1 min 40 s so far');
  expect(text).toContain('Nothing is in its journal yet.');
  expect(text).toContain('Waits until 2026-01-01 12:02:40 UTC, 1 min more.');
  expect(text).toContain(`npx holdfast cancel ${RUN.id}`);
});

test('a call that was throttled a hundred times is a dozen lines, and one for all between', () => {
  const about = { call: 'b', label: 'GET crm /slow' };
  const throttled = (n: number) => ({ n, row: 'throttle', class: 'throttle', status: 429, ms: { total: 5 }, next: ms(n) });
  const retries = Array.from({ length: 100 }, (_, i): JournalItem => {
    const n = i + 1;
    const rolled = { rolledUp: 1, rows: { [n % 4 === 0 ? '500' : 'throttle']: 1 }, from: ms(n), to: ms(n) };
    return { seq: i, type: 'retry', at: at(n), issuedAt: at(0), next: at(n + 1), attempts: [n <= 11 ? throttled(n) : rolled], ...about };
  });
  const done: JournalItem = { seq: 100, type: 'done', at: at(101), attempts: [{ ...success, n: 101 }], ...about };
  const lines = show({}, [...retries, done]).split('\n');
  expect(lines.find((line) => line.includes('GET crm /slow'))).toContain('101 attempts');
  expect(lines.filter((line) => line.includes('429 in 5 ms'))).toHaveLength(11);
  expect(lines.filter((line) => line.includes('more:'))).toEqual([
    expect.stringMatching(/… 89 more: 66 × throttle, 23 × 500, 12:00:12 to 12:01:40$/) as string,
  ]);
  expect(lines.some((line) => line.includes('101. 200'))).toBe(true);
});

test('an attempt says what it was waiting for, where that was the connection, and where it was redirected', () => {
  const slow = { n: 1, row: '2xx', class: 'success', status: 200, ms: { dns: 900, connect: 40, tls: 60, firstByte: 1_100, total: 1_200 } };
  expect(show({}, [{ ...lookUp, attempts: [slow] }])).toContain('200 in 1.2 s (dns 900 ms, connect 40 ms, tls 60 ms)');
  const fast = { ...slow, ms: { dns: 1, connect: 1, tls: 5, total: 30 }, hops: [{ status: 302, to: 'https://cdn.example/a' }] };
  expect(show({}, [{ ...lookUp, attempts: [fast] }])).toContain('200 in 30 ms, redirected to https://cdn.example/a');
});
