/** What the fleet keeps to for real: worker environments in processes of their own, against one API that notes every arrival. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestCloud, type TestCloud } from '../support/cloud/cloud.ts';
import { type Counted, countRequests } from '../support/cloud/counted.ts';
import { allSucceed, startLoad } from '../support/cloud/load.ts';
import {
  type Arrival,
  between,
  longestGap,
  mostAtOnce,
  mostWithin,
  processes,
  type RecordingApi,
  startRecordingApi,
} from '../support/cloud/recording-api.ts';

let api: RecordingApi;
let dynamodb: Counted;
let cloud: TestCloud;
beforeAll(async () => {
  [api, dynamodb] = await Promise.all([startRecordingApi(), countRequests(/"holdfast-local-connections"/)]);
  cloud = await startTestCloud({
    apiUrl: api.url,
    timeout: 10,
    visibility: 12,
    batch: 3,
    environments: 4,
    variables: { AWS_ENDPOINT_URL_DYNAMODB: dynamodb.url },
  });
  dynamodb.forward(cloud.awsUrl);
});
afterAll(async () => {
  await cloud?.stop();
  await Promise.all([api?.stop(), dynamodb?.stop()]);
});

test('several environments together keep to the limit, and use it', async () => {
  const load = { to: 'paced', name: 'rate', runs: 12, calls: 25, width: 10 };
  const ids = await startLoad(cloud, load);
  await allSucceed(cloud, ids, load.calls, 40_000);
  const arrivals = api.arrivals('/paced/');
  expect(arrivals).toHaveLength(load.runs * load.calls);
  expect(processes(arrivals).size).toBeGreaterThanOrEqual(2);
  // A machine that stops for a moment sends together what was to go meanwhile. It does not send more.
  const stalled = Math.min(0.25, longestGap(arrivals) / 1_000);
  expect(mostWithin(arrivals, 1_000)).toBeLessThanOrEqual(Math.ceil(50 * Math.max(1.1, 1 + stalled)));
  expect(mostWithin(arrivals, 3_000)).toBeLessThanOrEqual(158);
  const seconds = ((arrivals.at(-1) as Arrival).at - (arrivals[0] as Arrival).at) / 1_000;
  expect(arrivals.length / seconds).toBeGreaterThanOrEqual(45);
  // Calls that want a place at the same time book it together.
  expect(dynamodb.requests.UpdateItem).toBeGreaterThan(0);
  expect(dynamodb.requests.UpdateItem).toBeLessThan(arrivals.length);
});

test('each account has the limit for itself', async () => {
  const accounts = ['acme', 'globex'];
  const calls = 30;
  const loads = accounts.map((account) => startLoad(cloud, { to: 'tenants', name: account, account, runs: 2, calls, width: 10 }));
  await allSucceed(cloud, (await Promise.all(loads)).flat(), calls, 30_000);
  for (const account of accounts) expect(mostWithin(api.arrivals(`/tenants/${account}`), 1_000)).toBeLessThanOrEqual(25);
  // More than one limit of 20 a second would have let through.
  expect(mostWithin(api.arrivals('/tenants/'), 1_000)).toBeGreaterThan(30);
});

test('a small limit of calls in flight is exact, also when a worker dies with some of them', async () => {
  api.tell('/narrow/', { ms: 150 });
  const load = { to: 'narrow', name: 'few', runs: 12, calls: 8, width: 4 };
  const ids = await startLoad(cloud, load);
  const inFlight = await cloud.until(
    async () => api.inFlight('/narrow/'),
    (flying) => flying.length === 3 && processes(api.arrivals('/narrow/')).size >= 2,
    20_000,
  );
  const { process: victim } = inFlight[0] as Arrival;
  process.kill(victim, 'SIGKILL');
  const killed = Date.now();
  await allSucceed(cloud, ids, load.calls, 60_000);
  const arrivals = api.arrivals('/narrow/');
  expect(mostAtOnce(arrivals)).toBe(3);
  const later = between(arrivals, killed, Number.POSITIVE_INFINITY);
  expect(processes(later).has(victim)).toBe(false);
  // The dead one's places have come back: all three are in use again.
  expect(mostAtOnce(later)).toBe(3);
});
