/** The other examples in the demo: one message each, sent beside the samples, and what must come of them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { runId } from 'holdfast';
import type { EffectCount } from './effects.ts';
import type { ApiRun, HttpApi } from './http-api.ts';
import { UNREGISTERED } from './register.ts';
import type { SiteRecord } from './site.ts';
import { FORBIDDEN, PAGES } from './site-pages.ts';
import { COMPANIES } from './world.ts';

const EVENTS = join(import.meta.dirname, '..', '..', 'events');
const FILES = ['nightly-sync.json', 'scrape-and-summarise.json'];

/** `text`: the message as the queue gets it. */
export type Example = { workflow: string; text: string; run: string };
export type ExampleEnd = { workflow: string; run: ApiRun | undefined };
/** What the demo API and its site have seen of them. */
export type Traces = { effects: readonly EffectCount[]; site: SiteRecord };

export function readExamples(): Example[] {
  return FILES.map((file) => {
    const text = readFileSync(join(EVENTS, file), 'utf8');
    const { workflow, idempotencyKey } = JSON.parse(text) as { workflow: string; idempotencyKey: string };
    return { workflow, text, run: runId('default', workflow, idempotencyKey) };
  });
}

const ENDED = new Set(['succeeded', 'failed', 'cancelled', 'paused']);

/** `every`: milliseconds between two looks; `patience`: after which what has not ended is given up. */
export async function followExamples(
  api: HttpApi,
  examples: readonly Example[],
  { every, patience, progress }: { every: number; patience: number; progress(text: string): void },
): Promise<ExampleEnd[]> {
  const giveUp = performance.now() + patience;
  for (;;) {
    const ends = await Promise.all(
      examples.map(async ({ workflow, run: id }) => ({ workflow, run: (await api.runs(workflow)).find((run) => run.id === id) })),
    );
    if (ends.every(({ run }) => run && ENDED.has(run.status)) || performance.now() > giveUp) {
      // Lists leave results out.
      return Promise.all(ends.map(async ({ workflow, run }) => ({ workflow, run: run && (await api.run(run.id)) })));
    }
    progress(ends.map(({ workflow, run }) => `${workflow} ${run?.status ?? 'queued'}`).join(' · '));
    await wait(every);
  }
}

/** A line for people about each, and one for each thing that is not as it should be. Pure. */
export function judgeExamples(ends: readonly ExampleEnd[], traces: Traces): { lines: string[]; problems: string[] } {
  const judged = ends.map(({ workflow, run }) => {
    const judge = JUDGES[workflow];
    if (run?.status !== 'succeeded' || !judge) {
      const why = run?.error ?? run?.reason;
      const state = `${run?.status ?? 'was never seen'}${why ? `: ${why.code} ${why.message}` : ''}`;
      return { line: `${workflow} ${state}`, problems: [`${workflow} should have succeeded: ${state}`] };
    }
    const seconds = (Date.parse(run.endedAt ?? run.createdAt) - Date.parse(run.createdAt)) / 1000;
    const { line, problems } = judge(run.result, traces);
    return { line: `${workflow}: ${line} (${seconds.toFixed(1)} s)`, problems: problems.map((problem) => `${workflow}: ${problem}`) };
  });
  return { lines: judged.map(({ line }) => line), problems: judged.flatMap(({ problems }) => problems) };
}

type Judge = (result: unknown, traces: Traces) => { line: string; problems: string[] };

const JUDGES: Readonly<Record<string, Judge>> = {
  'nightly-sync'(result, { effects }) {
    const { night, read, written, failed } = result as { night: string; read: number; written: number; failed: unknown[] };
    const mine = effects.filter(({ effect, customer }) => effect === 'profile' && customer.endsWith(` ${night}`));
    const expected = COMPANIES.length - UNREGISTERED.length;
    return {
      line: `${read} companies read, ${written} profiles written, ${failed.length} not, as they are in no register`,
      problems: [
        ...(written === expected && failed.length === UNREGISTERED.length ? [] : [`${written} of ${expected} profiles were written`]),
        ...(mine.length === expected ? [] : [`${mine.length} of ${expected} profiles are in the CRM`]),
        ...mine.filter(({ count }) => count !== 1).map(({ customer, count }) => `the profile of ${customer} was written ${count} times`),
      ],
    };
  },
  'scrape-and-summarise'(result, { site }) {
    const { pages, skipped } = result as { pages: unknown[]; skipped: unknown[] };
    const trespasses = site.visits.filter(({ path }) => FORBIDDEN.some((forbidden) => forbidden === path));
    const expected = Object.keys(PAGES).length;
    return {
      line: `${pages.length} pages read, ${skipped.length} that could not be, at most ${site.mostAtOnce} at once, none that robots.txt forbids`,
      problems: [
        ...(pages.length === expected ? [] : [`${pages.length} of ${expected} pages were read`]),
        ...trespasses.map(({ path }) => `${path} was asked for, which robots.txt forbids`),
      ],
    };
  },
};
