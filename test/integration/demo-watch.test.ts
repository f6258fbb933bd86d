/** How the demo follows its runs, over real sockets: pages, an API that stumbles, runs that end one after another or never. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { afterEach, expect, test } from 'vitest';
import { type ApiRun, httpApi } from '../../local/demo/http-api.ts';
import { listen } from '../../local/demo/listen.ts';
import { type WatchOptions, watch } from '../../local/demo/watch.ts';

const stops: Array<() => Promise<void>> = [];

afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
});

async function api(answer: (url: URL, request: IncomingMessage, response: ServerResponse) => unknown) {
  const server = await listen(
    createServer((request, response) => {
      const body = answer(new URL(request.url ?? '/', 'http://x'), request, response);
      if (!response.writableEnded) response.end(JSON.stringify(body));
    }),
    0,
  );
  stops.push(server.stop);
  return httpApi(server.url, 'local-dev');
}

const run = (id: string, status: string): ApiRun => ({ id, status, createdAt: '2026-01-01T00:00:00.000Z' });
const options = (given: Partial<WatchOptions> & Pick<WatchOptions, 'api'>): WatchOptions => ({
  workflow: 'onboard-customer',
  runs: ['run_1', 'run_2'],
  letters: [],
  every: 1,
  patience: 20_000,
  progress: () => undefined,
  ...given,
});

test('lists are read to their last page, with the token', async () => {
  const seen: string[] = [];
  const { runs } = await api((url, request) => {
    seen.push(`${url.search} ${request.headers.authorization}`);
    return url.searchParams.get('after') === 'c=1'
      ? { items: [run('run_2', 'running')] }
      : { items: [run('run_1', 'running')], next: 'c=1' };
  });
  expect((await runs('onboard-customer')).map(({ id }) => id)).toEqual(['run_1', 'run_2']);
  expect(seen).toEqual([
    '?workflow=onboard-customer&limit=200 Bearer local-dev',
    '?workflow=onboard-customer&limit=200&after=c%3D1 Bearer local-dev',
  ]);
});

test('an API that stumbles is asked again, one that refuses is not', async () => {
  let asked = 0;
  const { run: read } = await api((url, _, response) => {
    asked++;
    if (url.pathname === '/v1/runs/run_1' && asked === 1) response.writeHead(503);
    if (url.pathname === '/v1/runs/run_2') response.writeHead(401);
    return run('run_1', 'running');
  });
  expect((await read('run_1')).status).toBe('running');
  expect(asked).toBe(2);
  await expect(read('run_2')).rejects.toThrow('was answered 401');
  expect(asked).toBe(3);
});

test('it goes on until all runs have ended and the dead letters are there, and reads each ended run once', async () => {
  let looks = 0;
  const reads: string[] = [];
  const lines: string[] = [];
  const http = await api((url) => {
    if (url.pathname === '/v1/dead-letters') return { items: looks < 3 ? [] : [{ body: 'bad', reason: { code: 'E', message: 'm' } }] };
    if (url.pathname === '/v1/runs') {
      looks++;
      return {
        items: [
          run('run_other', 'running'),
          run('run_1', 'succeeded'),
          ...(looks > 1 ? [run('run_2', looks > 2 ? 'failed' : 'waiting')] : []),
        ],
      };
    }
    reads.push(url.pathname);
    if (url.pathname.endsWith('/journal'))
      return { items: [{ type: 'done', call: '1', label: 'GET crm /x', attempts: [{ phase: 'ambiguous' }, { phase: 'answered' }] }] };
    return { ...run(url.pathname.split('/')[3] as string, 'succeeded'), result: { created: true } };
  });
  const seen = await watch(
    options({
      api: http,
      letters: ['bad'],
      progress: ({ queued, waiting, ended, letters, totals }) => lines.push(`${queued} ${waiting} ${ended} ${letters} ${totals.retries}`),
    }),
  );
  expect([...seen.runs.keys()]).toEqual(['run_1', 'run_2']);
  expect(seen.unfinished.size).toBe(0);
  expect(reads.sort()).toEqual(['/v1/runs/run_1', '/v1/runs/run_1/journal', '/v1/runs/run_2', '/v1/runs/run_2/journal']);
  expect(lines).toEqual(['1 0 1 0 1', '0 1 1 0 1', '0 0 2 1 2']);
});

test('it does not wait for a person, nor for ever', async () => {
  const http = await api((url) => ({ items: url.pathname === '/v1/runs' ? [run('run_1', 'paused'), run('run_2', 'paused')] : [] }));
  expect([...(await watch(options({ api: http }))).unfinished.values()].map((left) => left?.status)).toEqual(['paused', 'paused']);
  const silent = await api(() => ({ items: [] }));
  expect([...(await watch(options({ api: silent, patience: 0 }))).unfinished.values()]).toEqual([undefined, undefined]);
});
