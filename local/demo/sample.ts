/**
 * The sample messages and the end that each is expected to come to. Pure.
 * `node local/demo/sample.ts` prints them as events/onboard-customer.ndjson, which is what everybody reads.
 */
import { createHash } from 'node:crypto';
import { type Company, CUSTOMERS, PROSPECTS } from './world.ts';

export type Expectation = 'created' | 'existing' | 'failed' | 'dead-letter';

/** One line of the file. `body`: the message; a text where it is not JSON. */
export type Sample = { expect: Expectation; body: SampleBody | string };
export type SampleBody = { [field: string]: unknown };

const WORKFLOW = 'onboard-customer';

export function sampleMessages(): Sample[] {
  const created = PROSPECTS.slice(0, 236).map((company, i) => onboard('created', company, i));
  const again = created.filter((_, i) => i % 30 === 7).map((sample) => structuredClone(sample));
  const existing = CUSTOMERS.map((company, i) => onboard('existing', company, i));
  const failed = Array.from({ length: 12 }, (_, i) => onboard('failed', { domain: `nobody-${i + 1}.example` }, i));
  return [...created, ...again, ...existing, ...failed, ...invalid()].sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
}

/** Two thirds park for their trial, the others wait it out in process. */
function onboard(expect: Expectation, company: Pick<Company, 'domain'>, i: number): Sample {
  const input = { domain: company.domain, seats: 1 + (i % 5), trial: i % 3 === 0 ? '500ms' : '3s' };
  return { expect, body: { workflow: WORKFLOW, input, idempotencyKey: `order-${company.domain.replace('.example', '')}` } };
}

/** What can never become a run, one of each kind. */
function invalid(): Sample[] {
  const input = { domain: 'acme.example', seats: 3 };
  const bodies: Sample['body'][] = [
    'onboard acme.example, please',
    '{"workflow":"onboard-customer","input":{"domain":"acme.example","seats":3}',
    { input, idempotencyKey: 'invalid-no-workflow' },
    { workflow: 'onboard-custumer', input, idempotencyKey: 'invalid-unknown-workflow' },
    { workflow: WORKFLOW, input: { domain: 'acme.example', seats: 0 }, idempotencyKey: 'invalid-seats' },
    { workflow: WORKFLOW, input: { seats: 3 }, idempotencyKey: 'invalid-no-domain' },
    { workflow: WORKFLOW, input: { ...input, trial: 'soon' }, idempotencyKey: 'invalid-trial' },
    { workflow: WORKFLOW, input, idempotencyKey: 'invalid-field', priority: 'high' },
  ];
  return bodies.map((body) => ({ expect: 'dead-letter', body }));
}

/** Mixes the kinds, and the two deliveries of one order, the same way every time. */
function rank(sample: Sample): string {
  return createHash('sha256').update(JSON.stringify(sample)).digest('hex');
}

export function sampleFile(): string {
  return sampleMessages()
    .map((sample) => `${JSON.stringify(sample)}\n`)
    .join('');
}

if (import.meta.main) process.stdout.write(sampleFile());
