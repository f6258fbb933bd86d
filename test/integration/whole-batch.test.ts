import { runId } from 'holdfast';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApi, type TestApi } from '../support/cloud/api.ts';
import { startTestCloud, type TestCloud } from '../support/cloud/cloud.ts';

let api: TestApi;
let cloud: TestCloud;
beforeAll(async () => {
  api = await startTestApi({ retryAfter: 30 });
  cloud = await startTestCloud({ apiUrl: api.url });
});
afterAll(async () => {
  await cloud?.stop();
  await api?.stop();
});

test('a run of 100 s does not hold up the others of its batch', async () => {
  const others = Array.from({ length: 9 }, (_, index) => ({ workflow: 'quick', input: { name: `o${index}` }, key: `other-${index}` }));
  await cloud.startAll([{ workflow: 'long', input: { seconds: 100 }, key: 'long' }, ...others]);
  const inFlight = async () => cloud.stats().queues['holdfast-local-start'];
  const began = Date.now();
  const ids = others.map(({ key }) => runId('default', 'quick', key));
  await cloud.until(
    () => Promise.all(ids.map((id) => cloud.run(id))),
    (runs) => runs.every(({ status }) => status === 'succeeded'),
    15_000,
  );
  expect(Date.now() - began).toBeLessThan(15_000);
  expect(await inFlight()).toBeDefined();
  const long = runId('default', 'long', 'long');
  await cloud.until(
    () => cloud.run(long),
    ({ status }) => status === 'succeeded',
    130_000,
  );
}, 170_000);

test('a run that is told to come back in 30 s is put down, and goes on in time where it was', async () => {
  await cloud.start('retry-after', { name: 'a' }, 'ra');
  const id = runId('default', 'retry-after', 'ra');
  const waiting = await cloud.until(
    () => cloud.run(id),
    ({ status }) => status === 'waiting',
    20_000,
  );
  expect(Date.parse(String(waiting.wakeAt))).toBeGreaterThan(Date.now() + 20_000);
  const done = await cloud.until(
    () => cloud.run(id),
    ({ status }) => status === 'succeeded',
    60_000,
  );
  expect(done.result).toEqual({ before: '1', limited: '2' });
  expect(api.count('GET /count/a-before')).toBe(1);
  const [first = 0, second = 0] = api.requests.get('GET /limited/a') ?? [];
  expect(second - first).toBeGreaterThanOrEqual(30_000);
  // 3 s of added jitter, a second of the queue's rounding, and a second for the machine.
  expect(second - first).toBeLessThan(30_000 + 4_000 + 2_000);
}, 100_000);
