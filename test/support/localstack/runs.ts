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

const FINAL = new Set(['succeeded', 'failed', 'cancelled']);

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
    ({ status }) => FINAL.has(status),
    ms,
  );

/** The run once it has that status; fails at once when it has ended otherwise. */
export async function reaches(stack: Pick<TestStack, 'http'>, id: string, status: string, ms?: number): Promise<Run> {
  const seen = await until(
    () => run(stack, id),
    (seen) => seen.status === status || FINAL.has(seen.status),
    ms,
  );
  if (seen.status !== status) throw new Error(`run ${id} was to be ${status}, and is ${JSON.stringify(seen)}`);
  return seen;
}
