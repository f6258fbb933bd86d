/** Holdfast's own HTTP API as the demo reads it, with the demo API's counts. Owns paging and patience, judges nothing. */
import { setTimeout as wait } from 'node:timers/promises';
import type { EffectCount } from './effects.ts';
import type { SiteRecord } from './site.ts';
import type { Stats } from './stats.ts';

export type ApiRun = {
  id: string;
  status: string;
  createdAt: string;
  startedAt?: string;
  endedAt?: string;
  result?: unknown;
  error?: { code: string; message: string };
  reason?: { code: string; message: string };
};

export type ApiJournalItem = { type: string; call?: string; label?: string; attempts?: Array<{ phase?: string }> };

export type ApiDeadLetter = { body: string; reason: { code: string; message: string } };

export type HttpApi = {
  runs(workflow: string): Promise<ApiRun[]>;
  run(id: string): Promise<ApiRun>;
  journal(id: string): Promise<ApiJournalItem[]>;
  deadLetters(): Promise<ApiDeadLetter[]>;
};

export type DemoCounts = { effects(): Promise<EffectCount[]>; stats(): Promise<Stats>; site(): Promise<SiteRecord> };

export function httpApi(url: string, token: string): HttpApi {
  const headers = { authorization: `Bearer ${token}` };
  async function all<T>(path: string): Promise<T[]> {
    const items: T[] = [];
    let next: string | undefined;
    do {
      const after = next === undefined ? '' : `${path.includes('?') ? '&' : '?'}after=${encodeURIComponent(next)}`;
      const page = (await getJson(`${url}${path}${after}`, headers)) as { items: T[]; next?: string };
      items.push(...page.items);
      next = page.next;
    } while (next !== undefined);
    return items;
  }
  return {
    runs: (workflow) => all(`/v1/runs?workflow=${encodeURIComponent(workflow)}&limit=200`),
    run: (id) => getJson(`${url}/v1/runs/${id}`, headers) as Promise<ApiRun>,
    journal: (id) => all(`/v1/runs/${id}/journal`),
    deadLetters: () => all('/v1/dead-letters?limit=200'),
  };
}

export function demoCounts(url: string): DemoCounts {
  return {
    effects: async () => ((await getJson(`${url}/_demo/effects`, {})) as { items: EffectCount[] }).items,
    stats: () => getJson(`${url}/_demo/stats`, {}) as Promise<Stats>,
    site: () => getJson(`${url}/_demo/site`, {}) as Promise<SiteRecord>,
  };
}

const MOST_TRIES = 4;

/** Reads only, so a broken one is simply made again. */
async function getJson(url: string, headers: Record<string, string>): Promise<unknown> {
  for (let tries = 1; ; tries++) {
    try {
      const reply = await fetch(url, { headers, signal: AbortSignal.timeout(30_000) });
      const text = await reply.text();
      if (reply.ok) return JSON.parse(text);
      const problem = new Error(`GET ${url} was answered ${reply.status}: ${text.slice(0, 300)}`);
      if (reply.status < 500 && reply.status !== 429) throw Object.assign(problem, { final: true });
      throw problem;
    } catch (error) {
      if (tries === MOST_TRIES || (error as { final?: boolean }).final) throw error;
      await wait(250 * tries);
    }
  }
}
