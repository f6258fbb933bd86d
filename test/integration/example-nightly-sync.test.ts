/** The example nightly sync in the embedded cloud, against an API that misbehaves, with a worker that dies half-way. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runId } from 'holdfast';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { demoCounts } from '../../local/demo/http-api.ts';
import { UNREGISTERED } from '../../local/demo/register.ts';
import { type DemoApi, startDemoApi } from '../../local/demo/server.ts';
import { COMPANIES } from '../../local/demo/world.ts';
import { startTestCloud, type TestCloud } from '../support/cloud/cloud.ts';
import { killWorkers } from '../support/cloud/kill.ts';

let demo: DemoApi;
let cloud: TestCloud;
beforeAll(async () => {
  demo = await startDemoApi({ port: 0 });
  // Soon over, so that the run of a dead worker is soon taken over.
  cloud = await startTestCloud({ demoPort: demo.port, timeout: 10, visibility: 11 });
});
afterAll(async () => {
  await cloud?.stop();
  await demo?.stop();
});

test('killed half-way, the sync goes on in another process, and every record is written exactly once', async () => {
  const sample = await readFile(join(import.meta.dirname, '..', '..', 'events', 'nightly-sync.json'), 'utf8');
  const { workflow, input, idempotencyKey } = JSON.parse(sample) as { workflow: string; input: { night: string }; idempotencyKey: string };
  const id = runId('default', workflow, idempotencyKey);
  const counts = demoCounts(demo.url);
  const profiles = async () => (await counts.effects()).filter(({ effect }) => effect === 'profile');
  await cloud.start(workflow, input, idempotencyKey);

  const before = await cloud.until(profiles, (written) => written.length >= COMPANIES.length / 2, 60_000);
  expect(killWorkers()).toBeGreaterThan(0);
  expect(before.length).toBeLessThan(COMPANIES.length - UNREGISTERED.length);

  const run = await cloud.until(
    () => cloud.run(id),
    ({ status }) => status === 'succeeded' || status === 'failed' || status === 'paused',
    150_000,
  );
  const written = COMPANIES.length - UNREGISTERED.length;
  expect(run).toMatchObject({ status: 'succeeded', result: { night: input.night, read: COMPANIES.length, written } });
  const { failed } = run.result as { failed: Array<{ domain: string; status: number }> };
  expect(failed.map(({ domain, status }) => [domain, status])).toEqual(UNREGISTERED.map((domain) => [domain, 404]));

  const expected = COMPANIES.flatMap(({ domain }) => (UNREGISTERED.includes(domain) ? [] : [`${domain} ${input.night}`]));
  const after = await profiles();
  expect(after.map(({ customer }) => customer).sort()).toEqual(expected.sort());
  expect(after.filter(({ count }) => count !== 1)).toEqual([]);
  // What was sent again went under its old key, and was answered from memory.
  const { faults, replayed, early } = await counts.stats();
  expect(Object.keys(faults).length).toBeGreaterThan(0);
  expect(replayed).toBeGreaterThan(0);
  expect(early).toBe(0);
});
