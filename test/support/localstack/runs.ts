/** Runs of a deployed stage as the HTTP API tells of them. */
import type { TestStack } from './stack.ts';
import { until } from './until.ts';

export type Run = {
  id: string;
  status: string;
  result?: unknown;
  error?: { code: string; message: string };
  reason?: { code: string; message: string };
  wakeAt?: string;
  endedAt?: string;
};

export type JournalEntry = { seq: number; type: string; label?: string; call?: string; next?: string };

export const ENDED: ReadonlySet<string> = new Set(['succeeded', 'failed', 'cancelled']);

/** `unknown` while nothing is written of it. */
export async function run({ http }: Pick<TestStack, 'http'>, id: string): Promise<Run> {
  const { status, body } = await http('GET', `/v1/runs/${id}`);
  if (status === 404) return { id, status: 'unknown' };
  if (status !== 200) throw new Error(`GET /v1/runs/${id} answered ${status}: ${JSON.stringify(body)}`);
  return body as Run;
}

/** The run once it has ended. */
export const ended = (stack: Pick<TestStack, 'http'>, id: string, ms?: number): Promise<Run> =>
  until(
    () => run(stack, id),
    ({ status }) => ENDED.has(status),
    ms,
  );

/** The run once it has that status; fails at once when it has ended otherwise. */
export async function reaches(stack: Pick<TestStack, 'http'>, id: string, status: string, ms?: number): Promise<Run> {
  const seen = await until(
    () => run(stack, id),
    (seen) => seen.status === status || ENDED.has(seen.status),
    ms,
  );
  if (seen.status !== status) throw new Error(`run ${id} was to be ${status}, and is ${JSON.stringify(seen)}`);
  return seen;
}

/** Of all runs of these workflows, by id. One page has room for them: the suite starts at most a hundred. */
export async function statuses({ http }: Pick<TestStack, 'http'>, ...workflows: string[]): Promise<Map<string, string>> {
  const seen = new Map<string, string>();
  for (const workflow of workflows) {
    const { status, body } = await http('GET', `/v1/runs?workflow=${workflow}&limit=200`);
    if (status !== 200) throw new Error(`GET /v1/runs answered ${status}: ${JSON.stringify(body)}`);
    for (const one of (body as { items: Run[] }).items) seen.set(one.id, one.status);
  }
  return seen;
}

export async function journal({ http }: Pick<TestStack, 'http'>, id: string): Promise<JournalEntry[]> {
  const { status, body } = await http('GET', `/v1/runs/${id}/journal`);
  if (status !== 200) throw new Error(`GET /v1/runs/${id}/journal answered ${status}: ${JSON.stringify(body)}`);
  return (body as { items: JournalEntry[] }).items;
}

export type Letter = {
  id: string;
  body: string;
  workflow?: string;
  reason: { code: string; message: string; detail?: { pointer?: string } };
};

/** The dead letter with that body, once it is listed. */
export async function letter({ http }: Pick<TestStack, 'http'>, body: string): Promise<Letter> {
  const found = await until(
    async () =>
      ((await http('GET', '/v1/dead-letters?limit=200')).body as { items: Letter[] }).items.find((one) => sameText(one.body, body)),
    (one) => one !== undefined,
  );
  return found as Letter;
}

/** LocalStack's event sources read a body that is JSON, and write it anew with spaces in it. */
function sameText(one: string, other: string): boolean {
  try {
    return JSON.stringify(JSON.parse(one)) === JSON.stringify(JSON.parse(other));
  } catch {
    return one === other;
  }
}
