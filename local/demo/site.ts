/**
 * The demo's site: pages for everybody, a robots.txt, and the manners of real sites: one page is slow, one is busy at first, one is
 * gone, one is no page. Keeps record of who came when, so that visitors' manners can be judged, too.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { BUSY, FILE, html, PAGES, robotsTxt, SLOW } from './site-pages.ts';

/** `at`: ms since the site was opened, when the request came. */
export type SiteVisit = { path: string; at: number; agent: string; status: number };
export type SiteRecord = { visits: SiteVisit[]; mostAtOnce: number };

export type SiteOptions = {
  /** Seconds between two requests, asked for in robots.txt; 0: none. Default 0.25, since a demo is in a hurry. */
  crawlDelay?: number;
  /** Milliseconds that the slow page takes. Default 700. */
  slow?: number;
  /** Whether one page turns its first visitor away. Default true. */
  busy?: boolean;
};

export type DemoSite = {
  /** Whether the path is one of the site's. */
  has(path: string): boolean;
  answer(request: IncomingMessage, response: ServerResponse, path: string): Promise<void>;
  record(): SiteRecord;
};

const RETRY_AFTER = 1;
/** A demo that stays up for weeks keeps the latest visits alone. */
const MOST_VISITS = 1_000;

export function demoSite({ crawlDelay = 0.25, slow = 700, busy = true }: SiteOptions = {}): DemoSite {
  const opened = performance.now();
  const visits: SiteVisit[] = [];
  let atOnce = 0;
  let mostAtOnce = 0;
  let free = !busy;

  function answerTo(path: string): { status: number; type: string; body: string | Buffer; headers?: Record<string, string> } {
    if (path === '/robots.txt') return { status: 200, type: 'text/plain; charset=utf-8', body: robotsTxt(crawlDelay) };
    // Not UTF-8, as files are.
    if (path === FILE) return { status: 200, type: 'application/pdf', body: Buffer.from('%PDF-1.7\n%\xe2\xe3\xcf\xd3\n%%EOF\n', 'latin1') };
    if (path === BUSY && !free) {
      free = true;
      return { status: 429, type: 'text/html', body: '<h1>One at a time</h1>', headers: { 'retry-after': String(RETRY_AFTER) } };
    }
    const page = PAGES[path];
    if (!page) return { status: 404, type: 'text/html; charset=utf-8', body: '<h1>Lost at sea</h1>' };
    return { status: 200, type: 'text/html; charset=utf-8', body: html(page) };
  }

  return {
    has: (path) => path === '/robots.txt' || path.startsWith('/site/'),
    async answer(request, response, path) {
      const { status, type, body, headers = {} } = answerTo(path);
      visits.push({ path, at: performance.now() - opened, agent: request.headers['user-agent'] ?? '', status });
      if (visits.length > MOST_VISITS) visits.shift();
      mostAtOnce = Math.max(mostAtOnce, ++atOnce);
      response.once('close', () => atOnce--);
      // Unreferenced: whoever ends the server does not wait for a slow page.
      await wait(path === SLOW ? slow : 0, undefined, { ref: false });
      response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body), ...headers }).end(body);
    },
    record: () => ({ visits: [...visits], mostAtOnce }),
  };
}
