/** The example crawl in the embedded cloud, with a worker that dies half-way: the site must not notice. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runId } from 'holdfast';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type DemoApi, startDemoApi } from '../../local/demo/server.ts';
import type { SiteRecord } from '../../local/demo/site.ts';
import { BUSY, FILE, FORBIDDEN, MISSING, PAGES } from '../../local/demo/site-pages.ts';
import { startTestCloud, type TestCloud } from '../support/cloud/cloud.ts';
import { killWorkers } from '../support/cloud/kill.ts';

let demo: DemoApi;
let cloud: TestCloud;
beforeAll(async () => {
  demo = await startDemoApi({ port: 0 });
  cloud = await startTestCloud({ demoPort: demo.port, timeout: 10, visibility: 11 });
});
afterAll(async () => {
  await cloud?.stop();
  await demo?.stop();
});

const record = async () => (await (await fetch(`${demo.url}/_demo/site`)).json()) as SiteRecord;
/** What the demo's robots.txt asks for, less what a timer may be early. */
const CRAWL_DELAY_MS = 250 - 2;

test('killed half-way, the crawl asks again for no page that it had, and keeps the pause', async () => {
  const sample = await readFile(join(import.meta.dirname, '..', '..', 'events', 'scrape-and-summarise.json'), 'utf8');
  const { workflow, input, idempotencyKey } = JSON.parse(sample) as { workflow: string; input: object; idempotencyKey: string };
  const id = runId('default', workflow, idempotencyKey);
  await cloud.start(workflow, input, idempotencyKey);

  await cloud.until(record, ({ visits }) => visits.length >= 10, 60_000);
  expect(killWorkers()).toBeGreaterThan(0);

  const run = await cloud.until(
    () => cloud.run(id),
    ({ status }) => status === 'succeeded' || status === 'failed' || status === 'paused',
    120_000,
  );
  expect(run.status).toBe('succeeded');
  expect(cloud.stats().functions['holdfast-local-worker']?.errors).toBeGreaterThan(0);
  const { pages, skipped, summary } = run.result as { pages: Array<{ url: string }>; skipped: Array<{ url: string }>; summary: string };
  const paths = (told: Array<{ url: string }>) => told.map(({ url }) => url.slice(demo.url.length)).sort();
  expect(paths(pages)).toEqual(Object.keys(PAGES).sort());
  expect(paths(skipped)).toEqual([FILE, MISSING].sort());
  expect(summary).toContain('lighthouse');

  const { visits, mostAtOnce } = await record();
  const asked = visits.map(({ path }) => path);
  expect(asked.filter((path) => FORBIDDEN.some((forbidden) => forbidden === path))).toEqual([]);
  const once = ['/robots.txt', ...Object.keys(PAGES), FILE, MISSING, BUSY];
  expect([...new Set(asked)].sort()).toEqual([...new Set(once)].sort());
  // One at a time was in flight, so one at most was lost with the worker.
  expect(asked.length - once.length).toBeLessThanOrEqual(1);
  expect(mostAtOnce).toBe(1);
  const pauses = visits.slice(1).map(({ at }, i) => at - (visits[i]?.at ?? 0));
  expect(Math.min(...pauses)).toBeGreaterThanOrEqual(CRAWL_DELAY_MS);
});
