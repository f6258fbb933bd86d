/** Load on the connections of limited.ts: runs over several environments, watched until they have ended. Also outside a test. */
import { runId } from 'holdfast';
import type { TestCloud } from './cloud.ts';

export type Load = { to: string; name: string; runs: number; calls: number; width: number; account?: string };

export type Connection = {
  state: string;
  gate?: { until: string };
  rate: { waiting: number }[];
};

/** Their ids. */
export async function startLoad(cloud: TestCloud, { runs, name, ...input }: Load): Promise<string[]> {
  const messages = Array.from({ length: runs }, (_, index) => ({
    workflow: 'calls',
    input: { ...input, name: `${name}-${index}` },
    key: `${input.to}-${name}-${index}`,
  }));
  for (let from = 0; from < messages.length; from += 10) await cloud.startAll(messages.slice(from, from + 10));
  return messages.map(({ key }) => runId('default', 'calls', key));
}

/** All succeed with all their calls. Throws otherwise. */
export async function allSucceed(cloud: TestCloud, ids: readonly string[], calls: number, ms: number): Promise<void> {
  const end = Date.now() + ms;
  for (const id of ids) {
    const run = await cloud.until(
      () => cloud.run(id),
      ({ status }) => ['succeeded', 'failed', 'cancelled'].includes(status),
      end - Date.now(),
    );
    if (run.status !== 'succeeded' || run.result !== calls)
      throw new Error(`${id} should have made ${calls} calls: ${JSON.stringify(run)}`);
  }
}

export async function connectionOf(cloud: TestCloud, name: string): Promise<Connection> {
  const { status, body } = await cloud.get(`/v1/connections/${name}`);
  if (status !== 200) throw new Error(`GET /v1/connections/${name} is answered ${status}: ${JSON.stringify(body)}`);
  return body as Connection;
}

type Entry = { type: string; label?: string; attempt?: number };

/** By path: how many attempts the calls of those runs had used up when they were last put down. */
export async function attemptsOf(cloud: TestCloud, ids: readonly string[]): Promise<Map<string, number>> {
  const used = new Map<string, number>();
  for (const id of ids) {
    const { body } = await cloud.get(`/v1/runs/${id}/journal?limit=1000`);
    for (const { type, label = '', attempt = 1 } of (body as { items: Entry[] }).items) {
      if (type === 'retry') used.set(label.split(' ').at(-1) ?? '', attempt - 1);
    }
  }
  return used;
}
