/** Redrives dead letters page by page, each request so small that the API can pace it within its own time. */
import type { Api } from './api.ts';

export type Filter = { code?: string; workflow?: string; tenant?: string };

export type Redriven = { redriven: Array<{ id: string; run: string }>; refused: Array<{ id: string; reason: string }> };

/** The most that the API takes at once. */
const PAGE = 100;
/** A request's letters at their pace must fit into the time of the function that answers. */
const REQUEST_SECONDS = 15;

export async function redriveLetters(
  api: Api,
  which: { ids: readonly string[] } | { filter: Filter },
  perSecond: number,
  progress: (redriven: number, refused: number) => void,
): Promise<Redriven> {
  const limit = Math.min(PAGE, perSecond * REQUEST_SECONDS);
  const done: Redriven = { redriven: [], refused: [] };
  const ask = async (body: Record<string, unknown>): Promise<string | undefined> => {
    const page = await api.post<Redriven & { next?: string }>('/v1/dead-letters/redrive', { ...body, perSecond });
    done.redriven.push(...page.redriven);
    done.refused.push(...page.refused);
    progress(done.redriven.length, done.refused.length);
    return page.next;
  };
  if ('ids' in which) {
    for (let at = 0; at < which.ids.length; at += limit) await ask({ ids: which.ids.slice(at, at + limit) });
    return done;
  }
  let after: string | undefined;
  do after = await ask({ filter: which.filter, limit, ...(after === undefined ? {} : { after }) });
  while (after !== undefined);
  return done;
}
