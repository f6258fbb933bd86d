/** The demo as `npm start` runs it, in small: real queue, real workers, real faults, and an exit that can be trusted. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { synthesise } from '../../infra/synthesise.ts';
import { type Cloud, startCloud } from '../../local/cloud.ts';
import { runDemo } from '../../local/demo/run.ts';
import { type Expectation, type Sample, type SampleBody, sampleMessages } from '../../local/demo/sample.ts';
import { type DemoApi, demoTokens, startDemoApi } from '../../local/demo/server.ts';
import { DEMO_SECRETS } from '../../local/secrets.ts';

let dir: string;
let cloud: Cloud;
let demo: DemoApi;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'holdfast-demo-run-'));
  demo = await startDemoApi({ port: 0 });
  const { dir: assembly } = await synthesise('local', dir, { HOLDFAST_DEMO_PORT: String(demo.port) });
  cloud = await startCloud({
    assembly,
    ports: { http: 0, aws: 0 },
    logs: join(dir, 'logs'),
    variables: { HOLDFAST_SECRETS: `env-file:${DEMO_SECRETS}` },
  });
});

afterAll(async () => {
  await cloud?.stop();
  await demo?.stop();
  await rm(dir, { recursive: true, force: true });
});

/** The first so many samples of a kind, with a trial that ends soon. */
function samples(expectation: Expectation, count: number): Sample[] {
  const kind = sampleMessages().filter(({ expect: end }) => end === expectation);
  return kind.slice(0, count).map(({ expect: end, body }) => {
    if (typeof body === 'string' || end === 'dead-letter') return { expect: end, body };
    return { expect: end, body: { ...body, input: { ...(body.input as SampleBody), trial: '50ms' } } };
  });
}

async function run(messages: readonly Sample[]): Promise<{ ok: boolean; printed: string }> {
  const events = join(dir, 'events.ndjson');
  await writeFile(events, messages.map((message) => `${JSON.stringify(message)}\n`).join(''));
  const out = new PassThrough();
  const printed = text(out);
  const { ok } = await runDemo({
    awsUrl: cloud.awsUrl,
    apiUrl: cloud.apiUrl as string,
    token: 'local-dev',
    startQueueUrl: cloud.queueUrl('holdfast-local-start'),
    demoUrl: demo.url,
    once: true,
    out,
    events,
  });
  out.end();
  return { ok, printed: await printed };
}

const good = [...samples('created', 12), ...samples('existing', 3), ...samples('failed', 2), ...samples('dead-letter', 8)];

test('every message comes to its expected end, and each effect happens once, however the APIs misbehave', async () => {
  const { ok, printed } = await run(good);
  expect(printed).toMatch(/All 25 messages came to their expected end in .* s; every effect happened exactly once\.\n$/);
  expect(ok).toBe(true);
});

test('a run that ends otherwise than expected fails the demo', async () => {
  const { ok, printed } = await run(samples('existing', 2).map(({ body }) => ({ expect: 'failed', body })));
  expect(printed).toMatch(/run_\w+ should have ended as "failed" and succeeded with \{"created":false\}/);
  expect(ok).toBe(false);
});

test('an effect that happened twice fails the demo', async () => {
  const [first] = good as [Sample];
  const domain = ((first.body as SampleBody).input as { domain: string }).domain;
  let status = 0;
  // The demo API spoils this request too.
  while (status !== 201) {
    const again = { to: `team@${domain}`, text: 'Welcome again', reference: 'by hand' };
    status = await fetch(`${demo.url}/mailer/messages`, {
      method: 'POST',
      headers: { authorization: `Bearer ${demoTokens().mailer}`, 'content-type': 'application/json' },
      body: JSON.stringify(again),
    }).then(
      (reply) => reply.status,
      () => 0,
    );
  }
  const { ok, printed } = await run(good);
  expect(printed).toContain(`welcome-email of ${domain} happened `);
  expect(ok).toBe(false);
});
