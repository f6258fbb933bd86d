import { describe, expect, it } from 'vitest';
import { JournalItem, pageOf } from '../../src/api/schemas.ts';
import { type Entry, encodeEntries } from '../../src/engine/journal.ts';
import { testApi } from '../support/api.ts';

const AT = Date.UTC(2026, 0, 1);
const ERROR = { code: 'E_CALL_FAILED', message: '503' };
const ATTEMPT = { phase: 'answered', status: 503, class: 'transient', row: '503 without a hint' };
const mark = { issued: 1, hash: 'h' };

const ENTRIES: Entry[] = [
  { k: 'start', op: 'c1', at: AT, label: 'POST crm /people', effect: 'keyed', n: 1, body: 'hash' },
  {
    k: 'retry',
    op: 'c1',
    at: AT + 1_000,
    label: 'POST crm /people',
    next: AT + 60_000,
    issuedAt: AT,
    attempt: 2,
    throttles: 1,
    error: ERROR,
    attempts: [ATTEMPT],
  },
  { k: 'park', at: AT + 1_001, wakeAt: AT + 60_000 },
  {
    k: 'done',
    op: 'c1',
    at: AT + 61_000,
    label: 'POST crm /people',
    value: { text: '{"status":201}' },
    attempts: [ATTEMPT, ATTEMPT],
    ...mark,
  },
  { k: 'unknown', op: 'c2', at: AT + 62_000, label: 'POST mail /send', kind: 'call', error: ERROR },
  { k: 'unsent', op: 'c2', at: AT + 63_000, label: 'POST mail /send' },
  { k: 'fail', op: 'c2', at: AT + 64_000, label: 'POST mail /send', error: ERROR, value: { ref: 'x', bytes: 99_999 }, ...mark },
  { k: 'done', op: 's1', at: AT + 65_000, label: 'sleep 3 days', ...mark },
  {
    k: 'retry',
    op: 'c3',
    at: AT + 65_500,
    label: 'GET crm /people',
    next: AT + 66_000,
    issuedAt: AT + 65_500,
    attempt: 1,
    throttles: 0,
    why: 'rate',
    place: { at: 12 },
  },
  { k: 'end', at: AT + 66_000, status: 'succeeded', outcome: { value: { text: '7' } } },
];

const SHOWN = [
  { seq: 0, type: 'start', at: '2026-01-01T00:00:00.000Z', call: 'c1', label: 'POST crm /people', effect: 'keyed', sending: 1 },
  {
    seq: 1,
    type: 'retry',
    at: '2026-01-01T00:00:01.000Z',
    call: 'c1',
    label: 'POST crm /people',
    next: '2026-01-01T00:01:00.000Z',
    issuedAt: '2026-01-01T00:00:00.000Z',
    attempt: 2,
    throttles: 1,
    error: ERROR,
    attempts: [ATTEMPT],
  },
  { seq: 2, type: 'park', at: '2026-01-01T00:00:01.001Z', wakeAt: '2026-01-01T00:01:00.000Z' },
  {
    seq: 3,
    type: 'done',
    at: '2026-01-01T00:01:01.000Z',
    call: 'c1',
    label: 'POST crm /people',
    value: { status: 201 },
    attempts: [ATTEMPT, ATTEMPT],
  },
  { seq: 4, type: 'unknown', at: '2026-01-01T00:01:02.000Z', call: 'c2', label: 'POST mail /send', error: ERROR, attempts: [] },
  { seq: 5, type: 'unsent', at: '2026-01-01T00:01:03.000Z', call: 'c2', label: 'POST mail /send', attempts: [] },
  {
    seq: 6,
    type: 'fail',
    at: '2026-01-01T00:01:04.000Z',
    call: 'c2',
    label: 'POST mail /send',
    error: ERROR,
    truncated: true,
    bytes: 99_999,
    attempts: [],
  },
  { seq: 7, type: 'done', at: '2026-01-01T00:01:05.000Z', call: 's1', label: 'sleep 3 days', attempts: [] },
  {
    seq: 8,
    type: 'retry',
    at: '2026-01-01T00:01:05.500Z',
    call: 'c3',
    label: 'GET crm /people',
    next: '2026-01-01T00:01:06.000Z',
    issuedAt: '2026-01-01T00:01:05.500Z',
    attempt: 1,
    throttles: 0,
    waitsFor: 'rate',
    attempts: [],
  },
  { seq: 9, type: 'end', at: '2026-01-01T00:01:06.000Z', status: 'succeeded', value: 7 },
];

describe('the journal of a run', () => {
  it('shows each kind of entry in a form of its own', async () => {
    const { call, putRun } = testApi();
    const run = await putRun({ journal: encodeEntries(ENTRIES), journalLength: ENTRIES.length });
    const reply = await call('GET', `/v1/runs/${run.id}/journal`);
    expect(pageOf(JournalItem).parse(reply.body)).toEqual({ items: SHOWN });
  });

  it('goes on from the item into the segments of the present incarnation', async () => {
    const { call, putRun, store } = testApi();
    const run = await putRun({ journal: encodeEntries(ENTRIES.slice(0, 2)), journalLength: 2, spilled: true, incarnation: 1 });
    const segment = (incarnation: number, first: number, entries: Entry[]) =>
      store.append(run.id, {
        incarnation,
        life: run.createdAt,
        first,
        count: entries.length,
        nonce: `${incarnation}-${first}`,
        data: encodeEntries(entries),
      });
    await segment(1, 6, ENTRIES.slice(6));
    await segment(1, 2, ENTRIES.slice(2, 6));
    await segment(0, 2, ENTRIES);
    expect((await call('GET', `/v1/runs/${run.id}/journal`)).body).toEqual({ items: SHOWN });
  });

  it('of a run of which nothing is known yet is empty', async () => {
    const { call, putRun } = testApi();
    const run = await putRun();
    expect((await call('GET', `/v1/runs/${run.id}/journal`)).body).toEqual({ items: [] });
  });

  it('is paged by the place of an entry', async () => {
    const { call, putRun } = testApi();
    const run = await putRun({ journal: encodeEntries(ENTRIES), journalLength: ENTRIES.length });
    const path = `/v1/runs/${run.id}/journal`;
    const first = (await call('GET', path, { query: { limit: '4' } })).body;
    expect(first).toEqual({ items: SHOWN.slice(0, 4), next: '3' });
    const second = (await call('GET', path, { query: { limit: '6', after: first.next } })).body;
    expect(second).toEqual({ items: SHOWN.slice(4) });
    expect((await call('GET', path, { query: { after: '9' } })).body).toEqual({ items: [] });
  });

  it('shows the beginning of a long value', async () => {
    const { call, putRun } = testApi();
    const text = JSON.stringify('x'.repeat(5_000));
    const run = await putRun({
      journal: encodeEntries([{ k: 'done', op: 'c', at: AT, label: 'GET', value: { text }, ...mark }]),
      journalLength: 1,
    });
    const [item] = (await call('GET', `/v1/runs/${run.id}/journal`)).body.items;
    expect(item).toMatchObject({ truncated: true, bytes: 5_002, value: text.slice(0, 4_096) });
  });

  it('never makes an answer that Lambda cannot give', async () => {
    const { call, putRun } = testApi();
    const attempts = Array.from({ length: 20 }, () => ({ ...ATTEMPT, note: 'n'.repeat(1_000) }));
    const entries = Array.from({ length: 500 }, (_, i): Entry => ({ k: 'done', op: `c${i}`, at: AT, label: 'GET', attempts, ...mark }));
    const run = await putRun({ journal: encodeEntries(entries), journalLength: entries.length });
    const seen: number[] = [];
    for (let after: string | undefined, more = true; more; more = after !== undefined) {
      const { body } = await call('GET', `/v1/runs/${run.id}/journal`, { query: after === undefined ? {} : { after } });
      expect(JSON.stringify(body).length).toBeLessThan(5 * 1024 * 1024);
      seen.push(...body.items.map((item: JournalItem) => item.seq));
      after = body.next;
    }
    expect(seen).toEqual(entries.map((_, i) => i));
  });
});
