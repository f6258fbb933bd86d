/** A public web site that is read page by page. Not an API, but called like one: retried, put off, and journaled. */
import { connection, vars } from 'holdfast';

/** Who we are, in every request: robots.txt is written for names, and its owner wants to know whom to ask. */
export const AGENT = 'holdfast-example/1.0 (+https://holdfast.example/crawler)';

export const site = connection({
  name: 'site',
  baseUrl: vars('site'),
  headers: { 'user-agent': AGENT, accept: 'text/html, text/plain;q=0.9' },
  // Reads are `safe` by default, and may all be made again after a crash. A polite visitor remembers what it was given: this way
  // the journal is written before each page is asked for, and only what was in flight is asked for again.
  effects: 'idempotent',
  timeout: '5s',
  retry: { schedule: ['5s', '1m'] }, // three attempts: a site in trouble is left in peace
  maxBody: 500_000, // pages are kept in the journal
});
