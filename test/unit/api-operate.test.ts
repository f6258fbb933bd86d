import { describe, expect, it } from 'vitest';
import { type Entry, encodeEntries } from '../../src/engine/journal.ts';
import type { RunRecord } from '../../src/engine/ports.ts';
import { testApi } from '../support/api.ts';

const AT = Date.UTC(2026, 0, 1);
const ERROR = { code: 'E_CALL_FAILED', name: 'CallError', message: 'POST crm /people: 422' };

/** A run that waits for a verdict over its one call. */
const UNKNOWN: Entry[] = [
  { k: 'start', op: 'a', at: AT, label: 'POST mailer /messages', effect: 'unsafe', n: 1 },
  { k: 'unknown', op: 'a', at: AT + 1, label: 'POST mailer /messages', kind: 'call', error: ERROR },
];
const FAILED: Entry[] = [
  { k: 'start', op: 'a', at: AT, label: 'POST crm /people', effect: 'unsafe', n: 1 },
  { k: 'fail', op: 'a', at: AT + 1, label: 'POST crm /people', error: ERROR, issued: 1, hash: 'h' },
  { k: 'end', at: AT + 2, status: 'failed', outcome: { error: { ...ERROR, detail: { calls: ['a'] } } } },
];

function withJournal(entries: readonly Entry[]): Partial<RunRecord> {
  return { journal: encodeEntries(entries), journalLength: entries.length };
}

const failed = (): Partial<RunRecord> => ({
  status: 'failed',
  endedAt: AT + 2,
  outcome: { error: { ...ERROR, detail: { calls: ['a'] } } },
  ...withJournal(FAILED),
});

describe('operating on a run', () => {
  it('cancels it: who wanted it and why is kept, and it is woken', async () => {
    const { call, putRun, store, wake } = testApi();
    const run = await putRun({ status: 'waiting' });
    const reply = await call('POST', `/v1/runs/${run.id}/cancel`, { json: { why: 'ordered twice' } });
    expect(reply).toMatchObject({
      status: 202,
      headers: { location: `/v1/runs/${run.id}` },
      body: { id: run.id, status: 'waiting', links: { self: `/v1/runs/${run.id}` } },
    });
    expect(await store.inbox(run.id)).toMatchObject([{ kind: 'cancel', data: { by: 'static token', why: 'ordered twice' } }]);
    expect(wake.sent).toMatchObject([{ run: run.id }]);
  });

  it('needs no body where a reason is all that it may hold', async () => {
    const { call, putRun } = testApi();
    const run = await putRun({ status: 'paused' });
    expect((await call('POST', `/v1/runs/${run.id}/resume`)).status).toBe(202);
    expect((await call('POST', `/v1/runs/${run.id}/cancel`)).status).toBe(202);
  });

  it('redrives it from where it failed, and says from where', async () => {
    const { call, putRun, store, wake } = testApi();
    const run = await putRun(failed());
    const reply = await call('POST', `/v1/runs/${run.id}/redrive`, { json: { why: 'the API is up again' } });
    expect(reply).toMatchObject({ status: 202, body: { id: run.id, status: 'queued', from: 1 } });
    expect(store.peek(run.id)).toMatchObject({ incarnation: 1 });
    expect(wake.sent).toHaveLength(1);
    const { body } = await call('GET', `/v1/runs/${run.id}/journal`);
    expect(body.items.at(-1)).toMatchObject({ type: 'redrive', from: 1, by: 'static token', why: 'the API is up again' });
  });

  it('redrives it from where it is told, which must be a failure', async () => {
    const { call, putRun } = testApi();
    const run = await putRun(failed());
    expect(await call('POST', `/v1/runs/${run.id}/redrive`, { json: { from: 0 } })).toMatchObject({
      status: 400,
      body: { code: 'E_REQUEST_INVALID', pointer: '/from' },
    });
    expect(await call('POST', `/v1/runs/${run.id}/redrive`, { json: { from: 1 } })).toMatchObject({ status: 202, body: { from: 1 } });
  });

  it.each([
    [{ outcome: 'happened', value: { status: 201, data: { id: 'm1' } } }],
    [{ outcome: 'not-happened', why: 'their log does not have it' }],
    [{ outcome: 'failed', message: 'nobody could say' }],
  ])('settles an unknown call by %j', async (json) => {
    const { call, putRun, store, wake } = testApi();
    const run = await putRun({ status: 'paused', reason: ERROR, ...withJournal(UNKNOWN) });
    expect((await call('POST', `/v1/runs/${run.id}/calls/1/settle`, { json })).status).toBe(202);
    expect(await store.inbox(run.id)).toMatchObject([{ data: { op: 'a', by: 'static token' } }]);
    expect(wake.sent).toHaveLength(1);
  });

  it('does not take for a reply what is none', async () => {
    const { call, putRun } = testApi();
    const run = await putRun({ status: 'paused', ...withJournal(UNKNOWN) });
    const reply = await call('POST', `/v1/runs/${run.id}/calls/0/settle`, { json: { outcome: 'happened', value: { id: 'm1' } } });
    expect(reply).toMatchObject({ status: 400, body: { code: 'E_REQUEST_INVALID', pointer: '/value' } });
  });

  it('deletes it, and then says that it was deleted', async () => {
    const { call, putRun } = testApi();
    const run = await putRun(failed());
    const gone = await call('DELETE', `/v1/runs/${run.id}`);
    expect(gone).toMatchObject({ status: 204, body: undefined });
    expect(gone.headers).not.toHaveProperty('content-type');
    for (const [method, path] of [
      ['GET', ''],
      ['GET', '/journal'],
      ['POST', '/cancel'],
      ['POST', '/redrive'],
    ] as const) {
      const reply = await call(method, `/v1/runs/${run.id}${path}`);
      expect(reply).toMatchObject({
        status: 404,
        body: { code: 'E_UNKNOWN_RUN', detail: expect.stringContaining('was deleted at 2026-') },
      });
    }
    expect((await call('GET', '/v1/runs')).body.items).toEqual([]);
  });

  it('keeps the key of one that was deleted: a start with it is refused', async () => {
    const { call, putRun, wake } = testApi();
    const run = await putRun({ status: 'succeeded', outcome: { value: { text: '1' } } }, 'order-1');
    await call('DELETE', `/v1/runs/${run.id}`);
    const reply = await call('POST', '/v1/workflows/anything/runs', { headers: { 'Idempotency-Key': 'order-1' } });
    expect(reply).toMatchObject({ status: 409, body: { code: 'E_RUN_DELETED', errors: [{ header: 'Idempotency-Key' }] } });
    expect(reply.body.detail).toContain(run.id);
    expect(wake.sent).toEqual([]);
  });

  it('that is deleted while somebody waits for it is told to be gone', async () => {
    const { call, clock, putRun, store, whileTimePasses } = testApi();
    const run = await putRun({ status: 'running' });
    const waiting = call('GET', `/v1/runs/${run.id}`, { query: { wait: '5' } });
    clock.timer(10, () => {
      void (async () => {
        await store.replace({ ...run, status: 'succeeded', nonce: 'ended', outcome: { value: { text: '1' } } }, run.nonce);
        await call('DELETE', `/v1/runs/${run.id}`);
      })();
    });
    expect((await whileTimePasses(waiting)).status).toBe(404);
  });
});

describe('what does not apply', () => {
  it.each<[string, string, string, Partial<RunRecord>, unknown]>([
    ['cancelling what has ended', 'POST', '/cancel', { status: 'succeeded' }, {}],
    ['resuming what is not paused', 'POST', '/resume', { status: 'waiting' }, {}],
    ['redriving what has not failed', 'POST', '/redrive', { status: 'cancelled' }, {}],
    ['settling what has ended', 'POST', '/calls/1/settle', { ...withJournal(UNKNOWN), status: 'failed' }, { outcome: 'not-happened' }],
    [
      'settling an entry that is not there',
      'POST',
      '/calls/9/settle',
      { ...withJournal(UNKNOWN), status: 'paused' },
      { outcome: 'not-happened' },
    ],
    ['deleting what goes on', 'DELETE', '', { status: 'running' }, undefined],
  ])('is told with the status that the run has: %s', async (_, method, path, over, json) => {
    const { call, putRun, wake } = testApi();
    const run = await putRun(over);
    const reply = await call(method, `/v1/runs/${run.id}${path}`, { json });
    expect(reply).toMatchObject({ status: 409, body: { code: 'E_NOT_APPLICABLE', status: 409, runStatus: over.status } });
    expect(wake.sent).toEqual([]);
  });

  it('is told so too where a redrive would leave effects behind', async () => {
    const { call, putRun } = testApi();
    const later: Entry[] = [
      ...FAILED.slice(0, 2),
      { k: 'start', op: 'b', at: AT + 2, label: 'POST billing /accounts', effect: 'keyed', n: 1 },
    ];
    const run = await putRun({ ...failed(), ...withJournal(later) });
    const reply = await call('POST', `/v1/runs/${run.id}/redrive`);
    expect(reply).toMatchObject({ status: 409, body: { runStatus: 'failed', detail: expect.stringContaining('POST billing /accounts') } });
  });
});

describe('a body that is not as documented', () => {
  it.each<[string, string, unknown, string]>([
    ['a member too many', 'cancel', { why: 'x', who: 'me' }, '/who'],
    ['another type', 'cancel', [], ''],
    ['a reason that is none', 'resume', { why: 7 }, '/why'],
    ['a reason without end', 'resume', { why: 'x'.repeat(1_001) }, '/why'],
    ['a place that is none', 'redrive', { from: -1 }, '/from'],
    ['half a place', 'redrive', { from: 1.5 }, '/from'],
    ['no outcome', 'calls/1/settle', {}, '/outcome'],
    ['an outcome that is none', 'calls/1/settle', { outcome: 'maybe' }, '/outcome'],
    ['a value of what did not happen', 'calls/1/settle', { outcome: 'not-happened', value: 1 }, '/value'],
  ])('names the member at fault: %s', async (_, verb, json, pointer) => {
    const { call, putRun, store } = testApi();
    const run = await putRun({ status: 'paused', ...withJournal(UNKNOWN) });
    const reply = await call('POST', `/v1/runs/${run.id}/${verb}`, { json });
    expect(reply).toMatchObject({ status: 400, body: { code: 'E_REQUEST_INVALID', pointer } });
    expect(store.peek(run.id)).toMatchObject({ nonce: run.nonce, inbox: 0 });
  });

  it('is needed where there is no doing without', async () => {
    const { call, putRun } = testApi();
    const run = await putRun({ status: 'paused', ...withJournal(UNKNOWN) });
    expect(await call('POST', `/v1/runs/${run.id}/calls/1/settle`)).toMatchObject({ status: 400, body: { detail: 'the body is needed' } });
  });

  it.each(['x', '-1', '1.5', '0x1', '12345678'])('names the place that is none: %s', async (seq) => {
    const { call, putRun } = testApi();
    const run = await putRun({ status: 'paused', ...withJournal(UNKNOWN) });
    expect(await call('POST', `/v1/runs/${run.id}/calls/${seq}/settle`, { json: { outcome: 'not-happened' } })).toMatchObject({
      status: 400,
      body: { errors: [{ parameter: 'seq' }] },
    });
  });
});
