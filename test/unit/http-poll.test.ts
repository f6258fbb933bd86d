import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { workflow } from '../../src/engine/workflow.ts';
import { bearer } from '../../src/http/auth/auth.ts';
import { secret } from '../../src/http/auth/secrets.ts';
import { connection } from '../../src/http/connection.ts';
import type { CallError } from '../../src/http/errors.ts';
import { pauseAfter } from '../../src/http/paging/poll.ts';
import { failure, type Harness, harness } from '../support/http.ts';
import { resultOf, runOver } from '../support/http-run.ts';

let world: Harness;
beforeEach(async () => {
  world = await harness();
});
afterEach(() => world.close());

const urls = () => world.server.received.map(({ method, url }) => `${method} ${url}`);
const accepted = (location?: string, headers: Record<string, string> = {}) => ({
  status: 202,
  headers: { ...(location === undefined ? {} : { location }), ...headers },
});
const Job = z.object({ status: z.string() });
const job = (status: string) => ({ body: JSON.stringify({ status }) });

/** Outside a run sleeps are real: short ones. */
const SOON = { every: 1 };

describe('polling', () => {
  it('asks where a 202 says, until it says no more 202', async () => {
    world.server.script(accepted('/v2/jobs/7'), accepted(), accepted(), { body: '{"done":1}' });
    const crm = connection({ name: 'crm', baseUrl: `${world.server.url}/v2` });
    const started = await crm.post('/reports', { json: {} });
    expect((await crm.poll(started, SOON)).data).toEqual({ done: 1 });
    expect(urls()).toEqual(['POST /v2/reports', 'GET /v2/jobs/7', 'GET /v2/jobs/7', 'GET /v2/jobs/7']);
  });

  it('reads a relative Location against the request it answers, and follows one that moves', async () => {
    world.server.script(accepted('jobs/7?a=1'), accepted('8'), accepted(undefined, { 'operation-location': '../done' }), {});
    const crm = world.connect();
    await crm.poll(await crm.post('/reports/new', { json: {} }), SOON);
    expect(urls()).toEqual(['POST /reports/new', 'GET /reports/jobs/7?a=1', 'GET /reports/jobs/8', 'GET /reports/done']);
  });

  it('prefers Operation-Location, where the state is, to Location, where the result will be', async () => {
    world.server.script(accepted('/results/1', { 'operation-location': `${world.server.url}/operations/1` }), {});
    const crm = world.connect();
    await crm.poll(await crm.post('/x', { json: {} }), SOON);
    expect(urls()[1]).toBe('GET /operations/1');
  });

  it('asks at a path at once, until a function of the reply says that it is done', async () => {
    world.server.script(job('queued'), job('running'), job('done'));
    const reply = await world.connect().poll('/jobs/7', { ...SOON, schema: Job, until: ({ data }) => data.status === 'done' });
    expect(reply.data.status).toBe('done');
    expect(world.server.received).toHaveLength(3);
  });

  it('follows a 303 to the result', async () => {
    world.server.script(accepted(), { status: 303, headers: { location: '/results/7' } }, job('here'));
    expect((await world.connect().poll('/jobs/7', { ...SOON, schema: Job })).data).toEqual({ status: 'here' });
    expect(urls().at(-1)).toBe('GET /results/7');
  });

  it('ends with an error where the API says that it failed, with its reply', async () => {
    world.server.script(job('failed'));
    const crm = world.connect();
    const error = await failure<CallError>(
      crm.poll('/jobs/7?token=hidden', { schema: Job, until: ({ data }) => data.status === 'failed' && 'failed' }),
    );
    expect(error).toMatchObject({ code: 'E_CALL_FAILED', status: 200, attempts: 1, reply: { data: { status: 'failed' } } });
    expect(error.message).toBe('GET crm /jobs/7: what was waited for has failed');
  });

  it('does not show a path that is hidden', async () => {
    world.server.script(job('failed'));
    const polled = world.connect({ hidePath: true }).poll('/jobs/secret', { schema: Job, until: () => 'failed' });
    expect((await failure(polled)).message).not.toContain('secret');
  });

  it('goes nowhere but below the connection’s base', async () => {
    for (const location of ['https://evil.example/jobs?token=hidden', '/v1/jobs']) {
      world.server.script(accepted(location));
      const crm = connection({ name: 'crm', baseUrl: `${world.server.url}/v2`, auth: bearer(secret('crm/token')) });
      const error = await failure(crm.poll(await crm.post('/x', { json: {} }), SOON));
      expect(error).toMatchObject({ code: 'E_PAGING', message: expect.stringContaining('not below the connection') as string });
      expect(error.message).not.toMatch(/hidden|evil/);
    }
    expect(world.server.received).toHaveLength(2);
  });

  it.each([
    ['every', { every: 0 }, 'E_BAD_OPTION'],
    ['every', { every: 'soon' }, 'E_BAD_DURATION'],
    ['timeout', { timeout: -1 }, 'E_BAD_DURATION'],
    ['until', { until: true }, 'E_BAD_OPTION'],
    ['untill', { untill: () => true }, 'E_BAD_OPTION'],
  ])('says which option is wrong: %s', async (_, options, code) => {
    expect(await failure(world.connect().poll('/x', options as never))).toMatchObject({ code });
    expect(world.server.received).toEqual([]);
  });

  it('says so where a reply names no place to ask at', async () => {
    const crm = world.connect();
    expect((await failure(crm.poll(await crm.get('/x')))).message).toContain('has neither Operation-Location nor Location');
  });
});

describe('an option of poll() that there is not', () => {
  // It was passed on to the call, whose error did not offer `every`; after the first pause, where a reply was given.
  it('is told at once, with those that there are', async () => {
    const error = await failure(world.connect().poll('/jobs/7', { evry: '1s' } as never));
    expect(error).toMatchObject({
      code: 'E_BAD_OPTION',
      message: expect.stringMatching(/evry is not an option; there are .*until, every/) as string,
    });
    expect(urls()).toEqual([]);
  });
});

describe('polling in a run', () => {
  it('sleeps between, without a process, and each question and pause is journaled once', async () => {
    world.server.script(accepted('/jobs/7'), accepted(), accepted(undefined, { 'retry-after': '600' }), job('done'));
    const crm = world.connect();
    const wait = workflow({
      name: 'wait',
      async run() {
        const started = await crm.post('/reports', { json: {}, effects: 'idempotent' });
        return (await crm.poll(started, { every: '30s', timeout: '2h', schema: { 200: Job, 202: z.unknown() } })).data as {
          status: string;
        };
      },
    });
    const run = runOver(world.runtime, wait);
    const waits: number[] = [];
    let before = Date.now();
    for (let parked = await run.deliver(); parked.endedAt === undefined; ) {
      const ms = (parked.wakeAt as number) - before;
      waits.push(ms);
      before = parked.wakeAt as number;
      parked = await run.deliver(ms);
    }
    expect(resultOf(await run.record())).toEqual({ status: 'done' });
    expect(urls()).toEqual(['POST /reports', 'GET /jobs/7', 'GET /jobs/7', 'GET /jobs/7']);
    expect(waits).toHaveLength(3);
    expect(waits[0]).toBeGreaterThanOrEqual(30_000);
    expect(waits[1]).toBeGreaterThanOrEqual(29_000);
    expect(waits[2]).toBeGreaterThanOrEqual(599_000);
  });

  it('is put down after every step and asks nothing twice', async () => {
    world.server.script(...Array.from({ length: 4 }, () => job('running')), job('done'));
    const crm = world.connect();
    const wait = workflow({
      name: 'wait',
      run: async () => (await crm.poll('/jobs/7', { every: '1m', schema: Job, until: ({ data }) => data.status === 'done' })).data,
    });
    const run = runOver(world.runtime, wait, 1);
    expect(resultOf(await run.throughWaits())).toEqual({ status: 'done' });
    expect(world.server.received).toHaveLength(5);
  });

  it('fails once the next question would come too late, without waiting for it', async () => {
    world.server.script(accepted());
    const crm = world.connect();
    const wait = workflow({ name: 'wait', run: async () => (await crm.poll('/jobs/7', { every: '4m', timeout: '10m' })).status });
    const run = runOver(world.runtime, wait);
    expect(resultOf(await run.throughWaits())).toMatchObject({
      code: 'E_DEADLINE',
      name: 'CallError',
      message: 'GET crm /jobs/7: it is not done within 600000 ms (timeout), after it was asked 3 times',
    });
    expect(world.server.received).toHaveLength(3);
  });

  it('does not let one throttled question wait beyond its end', async () => {
    world.server.script(accepted(), { status: 429, headers: { 'retry-after': '3600' } });
    const crm = world.connect();
    const wait = workflow({ name: 'wait', run: async () => (await crm.poll('/jobs/7', { every: '1m', timeout: '10m' })).status });
    expect(resultOf(await runOver(world.runtime, wait).throughWaits())).toMatchObject({ code: 'E_DEADLINE' });
    expect(world.server.received).toHaveLength(2);
  });
});

it.each([
  ['at the caller’s pace without a word', {}, 10_000],
  ['when the API says, later', { 'retry-after': '600' }, 600_000],
  ['when the API says, sooner', { 'retry-after': '2' }, 2_000],
  ['by the reply’s own clock', { 'retry-after': 'Thu, 01 Jan 2015 00:01:00 GMT', date: 'Thu, 01 Jan 2015 00:00:00 GMT' }, 60_000],
  ['not in a loop where the API says "in 0 seconds"', { 'retry-after': '0' }, 1_000],
  ['at the caller’s pace where the word cannot be read', { 'retry-after': 'soon' }, 10_000],
  ['at the caller’s pace where only a quota is told', { 'ratelimit-remaining': '0', 'ratelimit-reset': '500' }, 10_000],
])('the next question comes %s', (_, headers, ms) => {
  expect(pauseAfter(headers as Record<string, string>, 10_000, Date.UTC(2026, 0, 1))).toBe(ms);
});
