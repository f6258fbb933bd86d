import { runId } from 'holdfast';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestApi, type TestApi } from '../support/cloud/api.ts';
import { startTestCloud, type TestCloud } from '../support/cloud/cloud.ts';

let api: TestApi;
let cloud: TestCloud;
beforeAll(async () => {
  api = await startTestApi({ numberMs: 600 });
  cloud = await startTestCloud({ apiUrl: api.url, timeout: 4, visibility: 5, memory: 256 });
});
afterAll(async () => {
  await cloud?.stop();
  await api?.stop();
});

test('a run that brings its worker down fails with E_CRASHED, and the nine beside it succeed', async () => {
  const nine = Array.from({ length: 9 }, (_, index) => ({ workflow: 'quick', input: { name: `n${index}` }, key: `nine-${index}` }));
  await cloud.startAll([...nine.slice(0, 4), { workflow: 'hog', input: null, key: 'hog' }, ...nine.slice(4)]);
  const good = nine.map(({ key }) => runId('default', 'quick', key));
  const hog = runId('default', 'hog', 'hog');
  const states = () => Promise.all([...good, hog].map(async (id) => (await cloud.run(id)).status));
  await cloud.until(states, (seen) => seen.slice(0, 9).every((status) => status === 'succeeded'), 60_000);
  await cloud.until(
    () => cloud.run(hog),
    (run) => run.status === 'failed',
    150_000,
  );
  expect((await cloud.run(hog)).error?.code).toBe('E_CRASHED');
}, 240_000);

test('a run wakes forty times', async () => {
  // Two calls of 600 ms fit into an invocation beside its reserve: the run is put down and woken after each pair.
  const before = cloud.stats().queues['holdfast-local-wake']?.messages ?? 0;
  await cloud.start('many', { calls: 84 }, 'forty');
  const id = runId('default', 'many', 'forty');
  const run = await cloud.until(
    () => cloud.run(id),
    ({ status }) => status === 'succeeded' || status === 'failed',
    150_000,
  );
  expect(cloud.stats().queues['holdfast-local-wake']?.messages).toBeGreaterThanOrEqual(before + 40);
  expect(run).toMatchObject({ status: 'succeeded', result: 84 });
}, 180_000);
