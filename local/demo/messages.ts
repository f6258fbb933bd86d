/** The sample messages as they are sent: read from the file, with the run that each becomes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runId } from 'holdfast';
import type { Expectation, Sample } from './sample.ts';

export const SAMPLE_FILE = join(import.meta.dirname, '..', '..', 'events', 'onboard-customer.ndjson');

/** `text`: the message as the queue gets it. `run` and `customer` are absent where no run is expected. */
export type SampleMessage = { text: string; expect: Expectation; run?: string; customer?: string };

const EXPECTATIONS: readonly string[] = ['created', 'existing', 'failed', 'dead-letter'] satisfies Expectation[];

/** Throws naming the line that is not a sample. */
export function readMessages(file: string = SAMPLE_FILE): SampleMessage[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line, i) => (line.trim() === '' ? [] : [toMessage(line, `${file}:${i + 1}`)]));
}

function toMessage(line: string, where: string): SampleMessage {
  let sample: Sample;
  try {
    sample = JSON.parse(line) as Sample;
  } catch (error) {
    throw new Error(`${where}: not JSON: write { "expect": …, "body": … }`, { cause: error });
  }
  const { expect, body } = sample;
  if (!EXPECTATIONS.includes(expect)) throw new Error(`${where}: "expect" must be one of ${EXPECTATIONS.join(', ')}`);
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  if (expect === 'dead-letter') return { text, expect };
  const { workflow, idempotencyKey, tenant = 'default', input } = typeof body === 'string' ? {} : (body as Record<string, unknown>);
  if (typeof workflow !== 'string' || typeof idempotencyKey !== 'string' || typeof tenant !== 'string') {
    throw new Error(`${where}: a message that becomes a run needs "workflow" and "idempotencyKey", so that its run can be found`);
  }
  const customer = (input as { domain?: unknown } | undefined)?.domain;
  return { text, expect, run: runId(tenant, workflow, idempotencyKey), ...(typeof customer === 'string' ? { customer } : {}) };
}
