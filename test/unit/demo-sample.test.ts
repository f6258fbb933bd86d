/** The sample messages: the committed files are what the generator writes, and end as they say. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runId } from 'holdfast';
import { expect, test } from 'vitest';
import { readMessages, SAMPLE_FILE } from '../../local/demo/messages.ts';
import { type Expectation, sampleFile, sampleMessages } from '../../local/demo/sample.ts';
import { COMPANIES, CUSTOMERS, PROSPECTS } from '../../local/demo/world.ts';
import { workflows } from '../../workflows/index.ts';
import { onboardCustomer } from '../../workflows/onboard-customer.ts';

const events = join(import.meta.dirname, '..', '..', 'events');
const valid = async (input: unknown) => !(await onboardCustomer.input?.['~standard'].validate(input))?.issues;
const bodies = (expectation: Expectation) =>
  sampleMessages().flatMap(({ expect: end, body }) =>
    end === expectation && typeof body !== 'string'
      ? [body as { workflow?: string; input: { domain: string }; idempotencyKey: string }]
      : [],
  );

test('the committed file is what the generator writes', async () => {
  expect(await readFile(SAMPLE_FILE, 'utf8')).toBe(sampleFile());
});

test('there are three hundred messages of every kind, some of them sent twice', () => {
  const messages = readMessages();
  expect(messages).toHaveLength(300);
  expect(new Set(messages.map(({ expect: end }) => end))).toEqual(new Set(['created', 'existing', 'failed', 'dead-letter']));
  const runs = messages.flatMap(({ run }) => run ?? []);
  expect(runs.length - new Set(runs).size).toBe(8);
});

test('what becomes a run satisfies the schema of the workflow, and names a company that makes it end so', async () => {
  const known = (companies: typeof COMPANIES, domain: string) => companies.some((company) => company.domain === domain);
  for (const body of [...bodies('created'), ...bodies('existing'), ...bodies('failed')]) {
    expect(body.workflow).toBe(onboardCustomer.name);
    expect(await valid(body.input)).toBe(true);
  }
  for (const { input } of bodies('created')) expect(known(PROSPECTS, input.domain)).toBe(true);
  for (const { input } of bodies('existing')) expect(known(CUSTOMERS, input.domain)).toBe(true);
  for (const { input } of bodies('failed')) expect(known(COMPANIES, input.domain)).toBe(false);
});

test('what becomes a dead letter is malformed, unknown or invalid', async () => {
  const fields = ['workflow', 'input', 'idempotencyKey', 'tenant', 'traceparent'];
  for (const { expect: end, body } of sampleMessages()) {
    if (end !== 'dead-letter') continue;
    const known = typeof body !== 'string' && workflows.some(({ name }) => name === body.workflow);
    const plain = typeof body !== 'string' && Object.keys(body).every((field) => fields.includes(field));
    expect(known && plain && (await valid(body.input))).toBe(false);
  }
});

test('the single examples are valid, and collide with no message of the sample', async () => {
  const message = JSON.parse(await readFile(join(events, 'onboard-customer.json'), 'utf8'));
  const start = JSON.parse(await readFile(join(events, 'api-start.json'), 'utf8'));
  const sampled = new Set(sampleMessages().map(({ body }) => JSON.stringify(body).match(/[a-z-]+\.example/)?.[0]));
  for (const input of [message.input, JSON.parse(start.body)]) {
    expect(await valid(input)).toBe(true);
    expect(PROSPECTS.map(({ domain }) => domain)).toContain(input.domain);
    expect(sampled).not.toContain(input.domain);
  }
  expect(message.workflow).toBe(onboardCustomer.name);
  expect(start.path).toBe(`/v1/workflows/${onboardCustomer.name}/runs`);
});

test('a message is sent as it stands, and its run is known beforehand', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'holdfast-sample-'));
  const file = join(dir, 'messages.ndjson');
  const body = { workflow: 'onboard-customer', input: { domain: 'acme.example', seats: 1 }, idempotencyKey: 'k', tenant: 'globex' };
  await writeFile(
    file,
    `${JSON.stringify({ expect: 'created', body })}\n\n${JSON.stringify({ expect: 'dead-letter', body: 'not JSON' })}\n`,
  );
  expect(readMessages(file)).toEqual([
    { text: JSON.stringify(body), expect: 'created', run: runId('globex', 'onboard-customer', 'k'), customer: 'acme.example' },
    { text: 'not JSON', expect: 'dead-letter' },
  ]);
  await writeFile(file, '{"expect":"created","body":{}}\n');
  expect(() => readMessages(file)).toThrow(`${file}:1: a message that becomes a run needs "workflow" and "idempotencyKey"`);
  await writeFile(file, '{"expect":"maybe","body":{}}\n');
  expect(() => readMessages(file)).toThrow('"expect" must be one of created, existing, failed, dead-letter');
  await rm(dir, { recursive: true });
});
