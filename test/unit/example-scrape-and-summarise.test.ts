/** The example crawl in one process, against the demo's site: what it may ask for, how much at once, and what it makes of the pages. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type DemoSite, demoSite, type SiteOptions } from '../../local/demo/site.ts';
import { BUSY, DEEP, FILE, FORBIDDEN, MISSING, PAGES } from '../../local/demo/site-pages.ts';
import { frequentTerms, readPage, summarise } from '../../workflows/lib/page.ts';
import { robotsOf } from '../../workflows/lib/robots.ts';
import { scrapeAndSummarise } from '../../workflows/scrape-and-summarise.ts';
import { runExample, startDemo } from '../support/example-run.ts';

/** The site without the rest of the demo, on a server of its own. */
async function openSite(options: SiteOptions, robots?: number): Promise<DemoSite & { url: string }> {
  const site = demoSite(options);
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    if (path === '/robots.txt' && robots !== undefined) response.writeHead(robots).end('');
    else void site.answer(request, response, path);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { ...site, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

type Result = {
  pages: Array<{ url: string; title: string; headings: string[]; words: number; terms: string[] }>;
  skipped: Array<{ url: string; why: string }>;
  words: number;
  terms: string[];
  summary: string;
};

async function crawl(site: DemoSite & { url: string }, input: object = {}, more: { summariser?: string; breakOffAfter?: number } = {}) {
  const { summariser = '', ...how } = more;
  const ended = await runExample(scrapeAndSummarise, { start: '/site/', ...input }, { vars: { site: site.url, summariser }, ...how });
  const { visits, mostAtOnce } = site.record();
  const paths = (told: ReadonlyArray<{ url: string }>) => told.map(({ url }) => url.slice(site.url.length));
  return { ...ended, result: ended.result as Result, visits, mostAtOnce, asked: visits.map(({ path }) => path), paths };
}

describe('the crawl', () => {
  test('reads every page that is allowed once, breadth first, and tells why others were not read', async () => {
    const { run, result, asked, visits, paths } = await crawl(await openSite({ crawlDelay: 0, slow: 50, busy: true }));
    expect(run.status).toBe('succeeded');
    expect(paths(result.pages).sort()).toEqual(Object.keys(PAGES).sort());
    expect(asked.filter((path) => FORBIDDEN.some((forbidden) => forbidden === path) || path.startsWith('/crm/'))).toEqual([]);
    // Once each, but the busy one, which had asked for it.
    expect(asked.toSorted()).toEqual(['/robots.txt', ...Object.keys(PAGES), FILE, MISSING, BUSY].sort());
    expect(asked[0]).toBe('/robots.txt');
    expect(asked.indexOf(DEEP)).toBe(asked.length - 1);
    expect(result.skipped.map(({ url, why }) => [new URL(url).pathname, why]).sort()).toEqual([
      [FILE, 'not HTML'],
      [MISSING, 'answered 404'],
    ]);
    expect(new Set(visits.map(({ agent }) => agent))).toEqual(new Set(['holdfast-example/1.0 (+https://holdfast.example/crawler)']));
  });

  test('has at most so many requests in flight as it was told', async () => {
    const { mostAtOnce } = await crawl(await openSite({ crawlDelay: 0, slow: 300, busy: false }), { concurrency: 3 });
    expect(mostAtOnce).toBeGreaterThan(1);
    expect(mostAtOnce).toBeLessThanOrEqual(3);
  });

  test('asks for one page at a time where the site wants a pause, and keeps the pause', async () => {
    const crawlDelay = 0.06;
    const { visits, mostAtOnce } = await crawl(await openSite({ crawlDelay, slow: 50, busy: false }), { concurrency: 3 });
    expect(mostAtOnce).toBe(1);
    expect(shortestPause(visits)).toBeGreaterThanOrEqual(crawlDelay * 1_000 - 1);
  });

  test('comes back to a busy page after the time that it gave, and not before', async () => {
    const { visits } = await crawl(await openSite({ crawlDelay: 0, slow: 50, busy: true }));
    const [first, second] = visits.filter(({ path }) => path === BUSY);
    expect(first?.status).toBe(429);
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(1_000);
  });

  test('stops at its limits of pages and of clicks', async () => {
    const site = await openSite({ crawlDelay: 0, slow: 50, busy: false });
    const few = await crawl(site, { limit: 4 });
    expect(few.asked).toHaveLength(1 + 4);
    const near = await crawl(await openSite({ crawlDelay: 0, slow: 50, busy: false }), { depth: 1 });
    expect(near.paths(near.result.pages).sort()).toEqual(['/site/', '/site/history', '/site/keepers/', '/site/visit']);
  });

  test('broken off in its pauses and replayed again and again, it asks for nothing twice, and ends the same', async () => {
    const whole = await crawl(await openSite({ crawlDelay: 0, slow: 50, busy: false }));
    const broken = await crawl(await openSite({ crawlDelay: 0.02, slow: 50, busy: false }), {}, { breakOffAfter: 2 });
    expect(broken.deliveries).toBeGreaterThan(4);
    expect(broken.asked.toSorted()).toEqual(whole.asked.toSorted());
    expect(broken.result.summary).toBe(whole.result.summary);
    expect(broken.result.terms).toEqual(whole.result.terms);
  });

  test('says what each page and the whole site is about', async () => {
    const site = await openSite({ crawlDelay: 0, slow: 50, busy: false });
    const { result } = await crawl(site);
    const lamp = result.pages.find(({ url }) => url.endsWith('/site/history/lamp'));
    expect(lamp).toEqual({
      url: `${site.url}/site/history/lamp`,
      title: 'The lamp · Kestrel Point',
      headings: ['The lamp'],
      words: expect.any(Number),
      terms: expect.arrayContaining(['flashes']),
    });
    expect(result.terms.slice(0, 2)).toEqual(['lamp', 'lighthouse']);
    expect(result.words).toBe(result.pages.reduce((sum, { words }) => sum + words, 0));
    expect(result.summary).toMatch(/^[A-Z].*lighthouse.*\.$/);
  });

  test('asks the summariser for the summary where it is told to', async () => {
    const demo = await startDemo();
    const { result } = await crawl(
      await openSite({ crawlDelay: 0, slow: 50, busy: false }),
      { askSummariser: true },
      { summariser: `${demo.url}/summariser` },
    );
    expect(result.summary).toMatch(/^The lighthouse at Kestrel Point has warned ships of the reef since 1871\. Its lamp/);
  });

  test('reads everything of a site without a robots.txt, and nothing of one that cannot give it', async () => {
    const without = await crawl(await openSite({ slow: 50, busy: false }, 404), { depth: 1 });
    expect(without.asked).toEqual(expect.arrayContaining([FORBIDDEN[0]]));
    const { run, asked } = await crawl(await openSite({ slow: 50, busy: false }, 501));
    expect(run.status).toBe('failed');
    expect(asked).toEqual([]);
  });
});

describe('a robots.txt', () => {
  const at = (status: number) => ({ status, url: 'https://site.example/robots.txt' });
  const text = 'User-agent: *\nDisallow: /\n\nUser-agent: tester\nDisallow: /private/\nAllow: /private/open\nCrawl-delay: 1.5\n';

  test('is read for our own name, with its pause in milliseconds', () => {
    const { allows, pause } = robotsOf(at(200), text, 'tester/1.0 (+https://tester.example)');
    expect(['/', '/private/x', '/private/open'].map((path) => allows(`https://site.example${path}`))).toEqual([true, false, true]);
    expect(pause).toBe(1_500);
    expect(robotsOf(at(200), text, 'other/1.0').allows('https://site.example/')).toBe(false);
  });

  test('says nothing of other sites, so they are not read', () => {
    expect(robotsOf(at(200), '', 'tester').allows('https://other.example/')).toBe(false);
  });

  test('that is not there allows all; that cannot be had, or is elsewhere, allows nothing', () => {
    expect(robotsOf(at(404), '<h1>no</h1>', 'tester')).toMatchObject({ pause: 0 });
    expect(robotsOf(at(403), '', 'tester').allows('https://site.example/x')).toBe(true);
    for (const status of [500, 503, 301]) expect(() => robotsOf(at(status), '', 'tester')).toThrow(`answered ${status}`);
  });
});

describe('a page', () => {
  const url = 'https://site.example/a/b';

  test('gives its links absolute, of its own origin, once each and without fragments', () => {
    const html = [
      'c',
      './c#x',
      '/d?e=1',
      'https://other.example/',
      'mailto:a@b',
      'http://site.example/',
      '//site.example/f',
      'http://[',
      '#g',
    ]
      .map((href) => `<a href="${href}">x</a>`)
      .join('');
    expect(readPage(`<a>none</a>${html}`, url).links).toEqual([
      'https://site.example/a/c',
      'https://site.example/d?e=1',
      'https://site.example/f',
      url,
    ]);
  });

  test('is read without its menus, scripts and styles, and each text once', () => {
    const html =
      '<nav>Menu</nav><script>code()</script><style>p{}</style><h1>Head</h1><ul><li><p>One &amp; two. Three <b>fo</b>ur</ul><footer><p>End</footer>';
    const { title, headings, sentences, words } = readPage(html, url);
    expect({ title, headings, sentences, words }).toEqual({
      title: 'Head',
      headings: ['Head'],
      sentences: ['One & two.', 'Three four'],
      words: 5,
    });
  });

  test('counts terms by how often they occur, then by the alphabet, without common words', () => {
    expect(frequentTerms(['Ships, ships and lamps: the lamp with ships.', 'Über Öl und über Wasser'], 3)).toEqual([
      'ships',
      'über',
      'lamp',
    ]);
  });

  test('is summarised by its most telling sentences, in their order', () => {
    const sentences = [
      'A lighthouse warns ships of the reef at night.',
      'Tea is served.',
      'Ships see the lighthouse before they see the reef.',
    ];
    expect(summarise(sentences, 2)).toBe(`${sentences[0]} ${sentences[2]}`);
    expect(summarise([], 2)).toBe('');
  });
});

/** Between two requests that came one after the other, ms. */
function shortestPause(visits: ReadonlyArray<{ at: number }>): number {
  return Math.min(...visits.slice(1).map(({ at }, i) => at - (visits[i]?.at ?? 0)));
}
