/** The messages of the examples, and how the demo judges what became of them. */
import { expect, test } from 'vitest';
import { type ExampleEnd, judgeExamples, readExamples, type Traces } from '../../local/demo/examples.ts';
import type { ApiRun } from '../../local/demo/http-api.ts';
import { UNREGISTERED } from '../../local/demo/register.ts';
import { FORBIDDEN, PAGES } from '../../local/demo/site-pages.ts';
import { COMPANIES } from '../../local/demo/world.ts';
import { parseStartMessage } from '../../src/engine/start.ts';
import { workflows } from '../../workflows/index.ts';

const expected = COMPANIES.length - UNREGISTERED.length;
const registered = COMPANIES.filter(({ domain }) => !UNREGISTERED.includes(domain));

const ended = (workflow: string, result: unknown, more: Partial<ApiRun> = {}): ExampleEnd => {
  const run = { id: 'run_1', createdAt: '2026-10-10T00:00:00.000Z', endedAt: '2026-10-10T00:00:12.300Z' };
  return { workflow, run: { ...run, status: 'succeeded', result, ...more } };
};
const synced = ended('nightly-sync', { night: '2026-10-10', read: COMPANIES.length, written: expected, failed: UNREGISTERED });
const crawled = ended('scrape-and-summarise', { pages: Object.keys(PAGES), skipped: ['/site/shop'] });
const traces: Traces = {
  effects: registered.map(({ domain }) => ({ effect: 'profile', customer: `${domain} 2026-10-10`, count: 1 })),
  site: { visits: [], mostAtOnce: 1 },
};

test('each message is one that the queue takes, for a workflow that is deployed and takes its input', async () => {
  const examples = readExamples();
  expect(examples.map(({ workflow }) => workflow)).toEqual(['nightly-sync', 'scrape-and-summarise']);
  for (const { text } of examples) {
    const { workflow, input } = parseStartMessage(text);
    const definition = workflows.find(({ name }) => name === workflow);
    expect((await definition?.input?.['~standard'].validate(input))?.issues).toBeUndefined();
  }
});

test('a night must be a date, and a crawl must start at a path', async () => {
  const issues = async (workflow: string, input: unknown) =>
    (await workflows.find(({ name }) => name === workflow)?.input?.['~standard'].validate(input))?.issues?.map(({ message }) => message);
  expect(await issues('nightly-sync', { night: 'today' })).toEqual(['must be a date such as 2026-10-10']);
  expect(await issues('scrape-and-summarise', { start: 'https://elsewhere.example/' })).toEqual(['must be a path such as /site/']);
});

test('both as they should be is a line each and no problem', () => {
  const { lines, problems } = judgeExamples([synced, crawled], traces);
  expect(problems).toEqual([]);
  expect(lines).toEqual([
    'nightly-sync: 288 companies read, 285 profiles written, 3 not, as they are in no register (12.3 s)',
    'scrape-and-summarise: 12 pages read, 1 that could not be, at most 1 at once, none that robots.txt forbids (12.3 s)',
  ]);
});

test('a profile that is missing, and one that was written twice, are problems', () => {
  const [first, second, ...rest] = traces.effects;
  const twice = { ...second, effect: 'profile', customer: second?.customer ?? '', count: 2 } as const;
  const { problems } = judgeExamples([synced], { ...traces, effects: [twice, ...rest] });
  expect(problems).toEqual([
    `nightly-sync: ${expected - 1} of ${expected} profiles are in the CRM`,
    `nightly-sync: the profile of ${second?.customer} was written 2 times`,
  ]);
  expect(judgeExamples([synced], { ...traces, effects: first ? [first] : [] }).problems).toHaveLength(1);
});

test('a page that was not read, and one that was not to be, are problems', () => {
  const site = { visits: [{ path: FORBIDDEN[0], at: 1, agent: 'a', status: 404 }], mostAtOnce: 1 };
  const { problems } = judgeExamples([ended('scrape-and-summarise', { pages: [], skipped: [] })], { ...traces, site });
  expect(problems).toEqual([
    'scrape-and-summarise: 0 of 12 pages were read',
    `scrape-and-summarise: ${FORBIDDEN[0]} was asked for, which robots.txt forbids`,
  ]);
});

test('a run that failed, stands still, or was never seen is a problem with its reason', () => {
  const reason = { code: 'E_SECRET_MISSING', message: 'the secret "registry/token" is missing' };
  const ends = [ended('nightly-sync', undefined, { status: 'paused', reason }), { workflow: 'scrape-and-summarise', run: undefined }];
  expect(judgeExamples(ends, traces).problems).toEqual([
    'nightly-sync should have succeeded: paused: E_SECRET_MISSING the secret "registry/token" is missing',
    'scrape-and-summarise should have succeeded: was never seen',
  ]);
});
