/** The example nightly sync in one process, against the demo API on its best behaviour. */

import { expect, test } from 'vitest';
import { demoCounts } from '../../local/demo/http-api.ts';
import { UNREGISTERED } from '../../local/demo/register.ts';
import type { DemoApi } from '../../local/demo/server.ts';
import { COMPANIES } from '../../local/demo/world.ts';
import { nightlySync } from '../../workflows/nightly-sync.ts';
import { runExample, startDemo } from '../support/example-run.ts';

const NIGHT = '2026-10-10';
const vars = (demo: DemoApi) => ({ crm: `${demo.url}/crm`, registry: `${demo.url}/registry` });
const expected = COMPANIES.length - UNREGISTERED.length;

test('every company of every page gets its profile once; those that the register does not know are told', async () => {
  const demo = await startDemo();
  const { run, result } = await runExample(nightlySync, { night: NIGHT }, { vars: vars(demo) });
  expect(run.status).toBe('succeeded');
  expect(result).toMatchObject({ night: NIGHT, read: COMPANIES.length, written: expected });
  const { failed } = result as { failed: Array<{ domain: string; code: string; status: number }> };
  expect(failed.map(({ domain, code, status }) => [domain, code, status])).toEqual(
    UNREGISTERED.map((domain) => [domain, 'E_CALL_FAILED', 404]),
  );
  const { effects, stats } = demoCounts(demo.url);
  const profiles = (await effects()).filter(({ effect }) => effect === 'profile');
  expect(profiles).toHaveLength(expected);
  expect(new Set(profiles.map(({ count }) => count))).toEqual(new Set([1]));
  expect((await stats()).requests).toEqual({ crm: Math.ceil(COMPANIES.length / 50) + expected, registry: COMPANIES.length });
});

test('broken off and replayed again and again, it repeats only what was in flight, and that under its old key', async () => {
  const demo = await startDemo();
  const concurrency = 8;
  const how = { vars: vars(demo), breakOffAfter: 60 };
  const { result, deliveries } = await runExample(nightlySync, { night: NIGHT, pageSize: 100, concurrency }, how);
  expect(deliveries).toBeGreaterThan(5);
  expect(result).toMatchObject({ written: expected });
  const { effects, stats } = demoCounts(demo.url);
  const profiles = (await effects()).filter(({ effect }) => effect === 'profile');
  expect(profiles.map(({ count }) => count)).toEqual(Array(expected).fill(1));
  const { requests, writes, replayed } = await stats();
  expect(writes.keyed - expected).toBe(replayed);
  expect(replayed + (requests.registry ?? 0) - COMPANIES.length).toBeLessThanOrEqual((deliveries - 1) * concurrency);
});

test('a record takes three entries of the journal, and all of them a small part of its 20 MB', async () => {
  const demo = await startDemo();
  const { journal, journalBytes } = await runExample(nightlySync, { night: NIGHT }, { vars: vars(demo) });
  expect(journal.length / COMPANIES.length).toBeLessThanOrEqual(3.1);
  // 3,000 records, which is what 10,000 entries are good for, stay far below the other limit.
  expect((journalBytes / COMPANIES.length) * 3_000).toBeLessThan(20_000_000 / 2);
});
