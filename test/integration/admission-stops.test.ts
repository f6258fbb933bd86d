/** What stops the fleet for real, and lets it go again: a gate, a breaker, a person. Worker environments in processes of their own, one API. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestCloud, type TestCloud } from '../support/cloud/cloud.ts';
import { allSucceed, attemptsOf, connectionOf, startLoad } from '../support/cloud/load.ts';
import { type Arrival, between, processes, type RecordingApi, startRecordingApi } from '../support/cloud/recording-api.ts';

/** By then everybody has looked again: nothing is sent on what was read longer ago. */
const NOTICED_MS = 250;
const EVER = Number.POSITIVE_INFINITY;

let api: RecordingApi;
let cloud: TestCloud;
beforeAll(async () => {
  api = await startRecordingApi();
  cloud = await startTestCloud({ apiUrl: api.url, timeout: 10, visibility: 12, batch: 3, environments: 8 });
});
afterAll(async () => {
  await cloud?.stop();
  await api?.stop();
});

/** Until two environments at least are at it. */
const sending = (path: string) =>
  cloud.until(
    async () => api.arrivals(path),
    (arrivals) => processes(arrivals).size >= 2 && arrivals.length >= 40,
    20_000,
  );

/** The states that the connection is seen in, in their order, until then. */
async function states(name: string, isEnough: (seen: readonly string[]) => boolean, ms: number): Promise<string[]> {
  const seen: string[] = [];
  const look = async () => {
    const { state } = await connectionOf(cloud, name);
    if (state !== seen.at(-1)) seen.push(state);
    return seen;
  };
  return cloud.until(look, isEnough, ms);
}

const held = { to: 'held', name: 'hold', runs: 8, calls: 25, width: 10 };
let heldIds: string[] = [];

test('a person holds a connection: nothing more is sent, and what is issued after the release goes at once', async () => {
  heldIds = await startLoad(cloud, held);
  await sending('/held/');
  const { status, body } = await cloud.post('/v1/connections/held/hold', { why: 'invoices are wrong' });
  const since = Date.now();
  expect({ status, body }).toMatchObject({ status: 200, body: { state: 'held', hold: { why: 'invoices are wrong' } } });
  await cloud.until(
    async () => Date.now() - since,
    (ms) => ms > 3_000,
    5_000,
  );
  expect(between(api.arrivals('/held/'), since + NOTICED_MS, EVER)).toEqual([]);
  expect(api.arrivals('/held/').length).toBeLessThan(held.runs * held.calls);
  expect((await connectionOf(cloud, 'held')).state).toBe('held');

  expect((await cloud.post('/v1/connections/held/release', {})).status).toBe(200);
  const after = { to: 'held', name: 'after-release', runs: 1, calls: 5, width: 5 };
  await allSucceed(cloud, await startLoad(cloud, after), after.calls, 15_000);
}, 60_000);

test('one 429 holds the whole fleet back until the API said, and then it goes slowly', async () => {
  const load = { to: 'gated', name: 'gate', runs: 12, calls: 25, width: 10 };
  const ids = await startLoad(cloud, load);
  await sending('/gated/');
  api.tell('/gated/', { status: 429, headers: { 'retry-after': '5' }, times: 1 });
  const seen = states('gated', (of) => of.length > 2 && of.at(-1) === 'open', 20_000);
  const { gate } = await cloud.until(
    () => connectionOf(cloud, 'gated'),
    ({ state }) => state === 'gated',
    5_000,
  );
  await allSucceed(cloud, ids, load.calls, 30_000);

  const arrivals = api.arrivals('/gated/');
  const { over: answered = EVER } = arrivals.find(({ status }) => status === 429) as Arrival;
  expect(Date.parse(gate?.until ?? '')).toBeGreaterThanOrEqual(answered + 4_900);
  expect(between(arrivals, answered + NOTICED_MS, answered + 5_000)).toEqual([]);
  expect(between(arrivals, answered + 5_000, answered + 6_000).length).toBeLessThanOrEqual(25);
  expect(arrivals).toHaveLength(load.runs * load.calls + 1);
  expect((await seen).filter((state, at) => at > 0 || state !== 'open')).toEqual(['gated', 'slow-start', 'open']);
}, 60_000);

test('while an API fails it is asked once in a while, and that costs no call an attempt', async () => {
  const load = { to: 'broken', name: 'breaker', runs: 12, calls: 30, width: 1 };
  const ids = await startLoad(cloud, load);
  await sending('/broken/');
  api.tell('/broken/', { status: 500 });
  const down = Date.now();
  await states('broken', (seen) => seen.at(-1) === 'broken', 5_000);
  const opened = Date.now();
  const seen = await states('broken', () => Date.now() >= down + 12_000, 15_000);
  api.tell('/broken/', {});
  const back = Date.now();
  await allSucceed(cloud, ids, load.calls, 60_000);

  const failed = api.arrivals('/broken/').filter(({ status }) => status === 500);
  const probes = between(failed, opened + NOTICED_MS, EVER);
  expect(probes.length).toBeGreaterThanOrEqual(1);
  expect([...probes].map(({ at }, nth) => at - (probes[nth - 1]?.at ?? opened)).filter((ms) => ms < 4_500)).toEqual([]);
  expect(seen).toContain('broken');
  expect(between(api.arrivals('/broken/'), back, EVER).length).toBeGreaterThan(0);
  // Attempts are those that were sent while the breaker was closed, and no others.
  const ordinary = failed.filter((arrival) => !probes.includes(arrival));
  const attempts = await attemptsOf(cloud, ids);
  for (const { path } of failed) {
    const sent = ordinary.filter((arrival) => arrival.path === path).length;
    expect({ path, used: attempts.get(path) ?? 0 }).toEqual({ path, used: sent });
  }
}, 120_000);

test('runs that were held go on by themselves', async () => {
  await allSucceed(cloud, heldIds, held.calls, 60_000);
  expect(api.arrivals('/held/hold-')).toHaveLength(held.runs * held.calls);
}, 90_000);
