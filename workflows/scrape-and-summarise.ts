/**
 * A small site is read as a polite visitor reads it: what robots.txt forbids is left alone, the pause it asks for is kept, and only a
 * few pages are asked for at once. Ends with what each page, and the site as a whole, is about.
 */
import { CallError, map, sleep, workflow } from 'holdfast';
import * as z from 'zod/mini';
import { AGENT, site } from '../connections/site.ts';
import { Summary, summariser } from '../connections/summariser.ts';

const upTo = (most: number, otherwise: number) => z._default(z.int().check(z.minimum(1), z.maximum(most)), otherwise);

export const scrapeAndSummarise = workflow({
  name: 'scrape-and-summarise',
  description: 'Crawls a small site politely, and says what its pages are about.',
  input: z.strictObject({
    start: z._default(z.string().check(z.startsWith('/', 'must be a path such as /site/')), '/'),
    limit: upTo(500, 50), // pages asked for
    depth: upTo(20, 4), // clicks from the start
    concurrency: upTo(10, 4),
    askSummariser: z._default(z.boolean(), false), // otherwise the most telling sentences are picked out here
  }),
  async run({ start, limit, depth, concurrency, askSummariser }) {
    // Loaded by the runs that need them: other workflows' cold starts need no parsers.
    const [{ frequentTerms, readPage, summarise }, { robotsOf }] = await Promise.all([import('./lib/page.ts'), import('./lib/robots.ts')]);
    const reply = await site.fetch('/robots.txt');
    const { allows, pause } = robotsOf(reply, await reply.text(), AGENT);
    if (pause > 0) await sleep(pause);
    const asked: Visit[] = [];
    const pages: Array<ReturnType<typeof readPage>> = [];
    const known = new Set<string>();

    let level = [new URL(start, reply.url).href];
    for (let clicks = 0; clicks <= depth; clicks++) {
      for (const url of level) known.add(url);
      const next = level.filter((url) => allows(url)).slice(0, limit - asked.length);
      // A site that asks for a pause is asked for one page at a time. The sleep is durable: no crash makes a pause shorter.
      const visits = await map(next, (url) => visit(url, pause), { concurrency: pause > 0 ? 1 : concurrency });
      const fresh = visits.flatMap(({ url, html }) => (html === undefined ? [] : [readPage(html, url)]));
      level = [...new Set(fresh.flatMap(({ links }) => links))].filter((url) => !known.has(url));
      asked.push(...visits);
      pages.push(...fresh);
    }

    const sentences = pages.flatMap((page) => page.sentences);
    return {
      pages: pages.map(({ links: _, sentences: __, ...told }) => told),
      skipped: asked.flatMap(({ url, skipped }) => (skipped === undefined ? [] : [{ url, why: skipped }])),
      words: pages.reduce((sum, { words }) => sum + words, 0),
      terms: frequentTerms(sentences, 10),
      summary: askSummariser ? await summaryOf(sentences) : summarise(sentences, 3),
    };
  },
});

type Visit = { url: string; html?: string; skipped?: string };

/** A page that cannot be had does not end the crawl. */
async function visit(url: string, pause: number): Promise<Visit> {
  const outcome = await ask(url).catch((error: unknown) => {
    if (error instanceof CallError) return { url, skipped: error.message };
    throw error;
  });
  if (pause > 0) await sleep(pause);
  return outcome;
}

async function ask(url: string): Promise<Visit> {
  const reply = await site.fetch(url);
  if (!reply.ok) return { url, skipped: `answered ${reply.status}` };
  if (!reply.headers.get('content-type')?.startsWith('text/html')) return { url, skipped: 'not HTML' };
  return { url, html: await reply.text() };
}

async function summaryOf(sentences: readonly string[]): Promise<string> {
  const { data } = await summariser.post('/summaries', { json: { text: sentences.join(' '), sentences: 3 }, schema: Summary });
  return data.summary;
}
