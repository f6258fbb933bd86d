/** Load on the connections of limited.ts: runs over several environments, watched until they have ended. */
import { runId } from 'holdfast';
import { expect } from 'vitest';
import type { TestCloud } from './cloud.ts';

export type Load = { to: string; name: string; runs: number; calls: number; width: number; account?: string };

/** Their ids. */
export async function startLoad(cloud: TestCloud, { runs, name, ...input }: Load): Promise<string[]> {
  const keys = Array.from({ length: runs }, (_, index) => `${name}-${index}`);
  const messages = keys.map((key) => ({ workflow: 'calls', input: { ...input, name: key }, key: `${input.to}-${key}` }));
  for (let from = 0; from < messages.length; from += 10) await cloud.startAll(messages.slice(from, from + 10));
  return messages.map(({ key }) => runId('default', 'calls', key));
}

/** All succeed with all their calls. */
export async function allSucceed(cloud: TestCloud, ids: readonly string[], calls: number, ms: number): Promise<void> {
  const open = new Set(ids);
  await cloud.until(
    async () => {
      const id = [...open][0] as string;
      const run = await cloud.run(id);
      if (['succeeded', 'failed', 'cancelled'].includes(run.status)) {
        expect(run).toMatchObject({ status: 'succeeded', result: calls });
        open.delete(id);
      }
      return { left: open.size, first: run.status, of: id };
    },
    ({ left }) => left === 0,
    ms,
  );
}

export type Connection = {
  state: string;
  gate?: { until: string };
  slowStart?: { until: string };
  breaker: { state: string; until?: string };
  rate: { waiting: number }[];
};

export async function connectionOf(cloud: TestCloud, name: string): Promise<Connection> {
  const { status, body } = await cloud.get(`/v1/connections/${name}`);
  expect(status).toBe(200);
  return body as Connection;
}

/** By path: how many attempts the calls of those runs that failed had used up, as far as they were put down then. */
export async function attemptsOf(cloud: TestCloud, ids: readonly string[]): Promise<Map<string, number>> {
  const used = new Map<string, number>();
  for (const id of ids) {
    const { body } = await cloud.get(`/v1/runs/${id}/journal?limit=1000`);
    for (const { type, label = '', attempt = 1 } of (body as { items: { type: string; label?: string; attempt?: number }[] }).items) {
      if (type === 'retry') used.set(label.split(' ').at(-1) ?? '', attempt - 1);
    }
  }
  return used;
}
