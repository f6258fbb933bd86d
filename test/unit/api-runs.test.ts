import { describe, expect, it } from 'vitest';
import { DeadLetterItem, pageOf, Run, RunItem } from '../../src/api/schemas.ts';
import { pack } from '../../src/engine/journal.ts';
import type { RunRecord } from '../../src/engine/ports.ts';
import { testApi } from '../support/api.ts';

const ERROR = { code: 'E_CALL_FAILED', name: 'CallError', message: 'POST crm /people: 422', detail: { status: 422 } };

describe('a run', () => {
  it('that has ended is shown with its times and result', async () => {
    const { call, putRun, clock } = testApi();
    const at = clock.now();
    const run = await putRun(
      {
        status: 'succeeded',
        version: 3,
        startedAt: at + 1_000,
        endedAt: at + 2_500,
        input: { text: '{"a":1}' },
        outcome: { value: { text: '[true]' } },
      },
      'k',
    );
    const reply = await call('GET', `/v1/runs/${run.id}`);
    expect(reply.status).toBe(200);
    expect(Run.parse(reply.body)).toEqual({
      id: run.id,
      workflow: 'anything',
      version: 3,
      status: 'succeeded',
      tenant: 'default',
      idempotencyKey: 'k',
      createdAt: '2026-01-01T00:00:00.000Z',
      startedAt: '2026-01-01T00:00:01.000Z',
      endedAt: '2026-01-01T00:00:02.500Z',
      crashes: 0,
      input: { a: 1 },
      result: [true],
      links: { self: `/v1/runs/${run.id}`, journal: `/v1/runs/${run.id}/journal` },
    });
  });

  it.each<[string, Partial<RunRecord>, Record<string, unknown>]>([
    ['failed with its error', { status: 'failed', outcome: { error: ERROR }, crashes: 2 }, { error: ERROR, crashes: 2 }],
    ['paused with the reason', { status: 'paused', reason: ERROR }, { reason: ERROR }],
    ['waiting with the time', { status: 'waiting', wakeAt: Date.UTC(2026, 1, 1) }, { wakeAt: '2026-02-01T00:00:00.000Z' }],
    ['succeeded with nothing', { status: 'succeeded', outcome: { value: { text: '' } } }, { result: null }],
    ['queued without an input', { input: { text: 'null' } }, { input: null }],
  ])('is shown %s', async (_, over, expected) => {
    const { call, putRun } = testApi();
    const run = await putRun(over);
    const { body } = await call('GET', `/v1/runs/${run.id}`);
    expect(Run.parse(body)).toMatchObject(expected);
    for (const field of ['result', 'error', 'reason', 'wakeAt']) if (!(field in expected)) expect(body).not.toHaveProperty(field);
  });

  it('is shown with values that are kept apart, up to a megabyte', async () => {
    const { call, putRun, payloads } = testApi();
    await payloads.put('in', pack('{"large":true}'));
    const run = await putRun({
      status: 'succeeded',
      input: { ref: 'in', bytes: 14 },
      outcome: { value: { ref: 'out', bytes: 1024 * 1024 + 1 } },
    });
    const { body } = await call('GET', `/v1/runs/${run.id}`);
    expect(body.input).toEqual({ large: true });
    expect(body.result).toEqual({ truncated: true, bytes: 1024 * 1024 + 1 });
  });

  it('whose payload has expired is shown without it', async () => {
    const { call, putRun } = testApi();
    const run = await putRun({ input: { ref: 'gone', bytes: 50_000 } });
    expect((await call('GET', `/v1/runs/${run.id}`)).body.input).toEqual({ missing: true, bytes: 50_000 });
  });

  it('of which there is only an inbox is not there yet', async () => {
    const { call, store } = testApi();
    const id = `run_${'1'.repeat(32)}`;
    await store.deliver(id, { key: 's', at: 1, kind: 'signal', data: null }, 1);
    expect((await call('GET', `/v1/runs/${id}`)).status).toBe(404);
  });
});

describe('waiting for a run', () => {
  it('reads it again at growing intervals until it ends', async () => {
    const reads: number[] = [];
    const t = testApi({ faults: { before: (op) => void (op === 'load' && reads.push(t.clock.now() - start)) } });
    const start = t.clock.now();
    const run = await t.putRun({ status: 'running' });
    t.clock.timer(4_000, () => {
      void t.store.replace({ ...run, status: 'failed', nonce: 'ended', endedAt: t.clock.now(), outcome: { error: ERROR } }, run.nonce);
    });
    const reply = await t.whileTimePasses(t.call('GET', `/v1/runs/${run.id}`, { query: { wait: '20' } }));
    expect(reply).toMatchObject({ status: 200, body: { status: 'failed' } });
    expect(reads).toEqual([0, 50, 150, 350, 750, 1_550, 2_550, 3_550, 4_550]);
  });

  it('answers with the run as it is when the time is over', async () => {
    const { call, putRun, clock, whileTimePasses } = testApi();
    const run = await putRun({ status: 'waiting' });
    const began = clock.now();
    const reply = await whileTimePasses(call('GET', `/v1/runs/${run.id}`, { query: { wait: '7' } }));
    expect(reply).toMatchObject({ status: 200, body: { status: 'waiting' } });
    expect(clock.now() - began).toBe(7_000);
    expect(clock.pending()).toBe(0);
  });

  it('answers at once when it has ended', async () => {
    const { call, putRun, clock } = testApi();
    const run = await putRun({ status: 'cancelled', outcome: { error: ERROR } });
    expect((await call('GET', `/v1/runs/${run.id}`, { query: { wait: '20' } })).status).toBe(200);
    expect(clock.pending()).toBe(0);
  });
});

describe('the list of runs', () => {
  it('is paged, newest first, and its pages make the whole', async () => {
    const { call, putRun, clock } = testApi();
    const ids: string[] = [];
    for (let i = 0; i < 120; i++) {
      ids.unshift((await putRun()).id);
      clock.advance(1);
    }
    const seen: string[] = [];
    const sizes: number[] = [];
    for (let after: string | undefined, more = true; more; more = after !== undefined) {
      const reply = await call('GET', '/v1/runs', { query: after === undefined ? {} : { after } });
      const page = pageOf(RunItem).parse(reply.body);
      sizes.push(page.items.length);
      seen.push(...page.items.map((item) => item.id));
      after = page.next;
    }
    expect(seen).toEqual(ids);
    expect(sizes).toEqual([50, 50, 20]);
  });

  it('is filtered by workflow, status and tenant together', async () => {
    const { call, putRun } = testApi();
    const wanted = await putRun({ tenant: 'acme', status: 'paused', reason: ERROR });
    await putRun({ tenant: 'acme', status: 'failed' });
    await putRun({ tenant: 'other', status: 'paused' });
    await putRun({ tenant: 'acme', status: 'paused', workflow: 'anything', version: 1 }, 'second');
    const ids = async (query: Record<string, string>) =>
      (await call('GET', '/v1/runs', { query })).body.items.map((item: RunItem) => item.id);
    expect(await ids({ tenant: 'acme', status: 'paused', workflow: 'anything' })).toContain(wanted.id);
    expect(await ids({ tenant: 'acme', status: 'paused' })).toHaveLength(2);
    expect(await ids({ tenant: 'acme' })).toHaveLength(3);
    expect(await ids({ workflow: 'onboard' })).toEqual([]);
    expect(await ids({ workflow: 'anything' })).toHaveLength(4);
    expect(await ids({ limit: '1' })).toHaveLength(1);
  });

  it('tells why a run is paused and where to find more', async () => {
    const { call, putRun } = testApi();
    const run = await putRun({ status: 'paused', reason: ERROR });
    const { items } = pageOf(RunItem).parse((await call('GET', '/v1/runs')).body);
    expect(items).toMatchObject([{ id: run.id, reason: ERROR, links: { self: `/v1/runs/${run.id}` } }]);
  });
});

describe('the list of dead letters', () => {
  it('is paged, newest first, with the reason and the body', async () => {
    const { call, store, clock } = testApi();
    const reason = { code: 'E_MESSAGE_MALFORMED', message: 'the message is not JSON' };
    for (let i = 0; i < 3; i++)
      await store.putDeadLetter({ id: `m${i}`, body: `{${i}`, reason, firstSeen: clock.now() + i, tenant: 'acme' });
    const first = pageOf(DeadLetterItem).parse((await call('GET', '/v1/dead-letters', { query: { limit: '2' } })).body);
    expect(first.items).toEqual([
      { id: 'm2', body: '{2', bytes: 2, reason, tenant: 'acme', firstSeen: '2026-01-01T00:00:00.002Z' },
      { id: 'm1', body: '{1', bytes: 2, reason, tenant: 'acme', firstSeen: '2026-01-01T00:00:00.001Z' },
    ]);
    const second = pageOf(DeadLetterItem).parse(
      (await call('GET', '/v1/dead-letters', { query: { limit: '2', after: first.next ?? '' } })).body,
    );
    expect(second).toMatchObject({ items: [{ id: 'm0' }] });
    expect(second).not.toHaveProperty('next');
  });

  it('shows the beginning of a long body, in whole characters', async () => {
    const { call, store } = testApi();
    await store.putDeadLetter({ id: 'm', body: `x${'ü'.repeat(5_000)}`, reason: ERROR, firstSeen: 1 });
    const [item] = pageOf(DeadLetterItem).parse((await call('GET', '/v1/dead-letters')).body).items;
    expect(item).toMatchObject({ truncated: true, bytes: 10_001 });
    expect(item?.body).toBe(`x${'ü'.repeat(2_047)}`);
  });
});

describe('lists', () => {
  it('fit into an answer of Lambda, however much each item has to tell', async () => {
    const { call, putRun, store } = testApi();
    const reason = { code: 'E_DIVERGED', message: 'x'.repeat(8_000), detail: { unexpected: 'y'.repeat(30_000) }, stack: 'z'.repeat(2_000) };
    for (let n = 0; n < 200; n++) {
      await putRun({ status: 'paused', reason }, `k${n}`);
      await store.putDeadLetter({ id: `m${n}`, body: 'b'.repeat(200_000), reason, firstSeen: n });
    }
    for (const [path, query] of [
      ['/v1/runs', { limit: '200', status: 'paused' }],
      ['/v1/dead-letters', { limit: '200' }],
    ] as const) {
      const reply = await call('GET', path, { query });
      expect((reply.body as { items: unknown[] }).items).toHaveLength(200);
      expect(JSON.stringify(reply.body).length).toBeLessThan(2_000_000);
    }
  });
});
