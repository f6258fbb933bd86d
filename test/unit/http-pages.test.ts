import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { map, sleep } from '../../src/engine/verbs.ts';
import { workflow } from '../../src/engine/workflow.ts';
import { bearer } from '../../src/http/auth/auth.ts';
import { secret } from '../../src/http/auth/secrets.ts';
import { connection } from '../../src/http/connection.ts';
import { byCursor, byFunction, byLink, byNextUrl, byOffset, byPage } from '../../src/http/paging/paging.ts';
import type { Reply } from '../../src/http/reply.ts';
import { failure, type Harness, harness, TOKEN } from '../support/http.ts';
import { resultOf, runOver } from '../support/http-run.ts';

let world: Harness;
beforeEach(async () => {
  world = await harness();
});
afterEach(() => world.close());

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

const urls = () => world.server.received.map(({ url }) => url);
const list = (...ids: number[]) => JSON.stringify(ids);
const link = (target: string) => ({ link: `<${target}>; rel="next"` });
const Ids = z.array(z.number());
const Chunk = z.object({ ids: Ids, next: z.union([z.string(), z.null()]).optional() });
type Chunk = z.infer<typeof Chunk>;
const chunk = (ids: number[], next?: string | null) => ({ body: JSON.stringify({ ids, next }) });
const byNext = byCursor({ from: ({ data }: Reply<Chunk>) => data.next });

describe('the pages of a list', () => {
  it('follow the next link, absolute or relative, and end without one', async () => {
    world.server.script(
      { body: list(1, 2), headers: link(`${world.server.url}/v2/things?page=2&per=2`) },
      { body: list(3), headers: link('?page=3') },
      { body: list(4), headers: link('/v2/other/things') },
      { body: list(5), headers: { link: '</v2/things>; rel="first"' } },
    );
    const crm = connection({ name: 'crm', baseUrl: `${world.server.url}/v2` });
    expect(await all(crm.pages('/things', { query: { per: 2 }, schema: Ids, next: byLink() }))).toEqual([1, 2, 3, 4, 5]);
    expect(urls()).toEqual(['/v2/things?per=2', '/v2/things?page=2&per=2', '/v2/things?page=3', '/v2/other/things']);
  });

  it('follow a cursor in the query beside what else is asked for', async () => {
    world.server.script(chunk([1], 'a b&c'), chunk([2], 'z'), chunk([3], ''));
    const items = world.connect().pages('/x', { query: { limit: 1 }, schema: Chunk, items: ({ data }) => data.ids, next: byNext });
    expect(await all(items)).toEqual([1, 2, 3]);
    expect(urls()).toEqual(['/x?limit=1', '/x?limit=1&cursor=a%20b%26c', '/x?limit=1&cursor=z']);
  });

  it('follow a cursor in the JSON body', async () => {
    world.server.script(chunk([1], 'two'), chunk([2], null));
    const items = world.connect().pages('/search', {
      method: 'POST',
      effects: 'safe',
      json: { text: 'x' },
      schema: Chunk,
      items: ({ data }) => data.ids,
      next: byCursor({ from: ({ data }: Reply<Chunk>) => data.next, param: 'start', in: 'json' }),
    });
    expect(await all(items)).toEqual([1, 2]);
    expect(world.server.received.map(({ body }) => JSON.parse(body) as unknown)).toEqual([{ text: 'x' }, { text: 'x', start: 'two' }]);
  });

  it('go on by offset as far as items came, since an API may give fewer than it was asked for, and end at an empty page', async () => {
    world.server.script({ body: list(1, 2) }, { body: list(3) }, { body: list() });
    expect(await all(world.connect().pages('/x', { next: byOffset({ limit: 5 }) }))).toEqual([1, 2, 3]);
    expect(urls()).toEqual(['/x?limit=5', '/x?limit=5&offset=2', '/x?limit=5&offset=3']);
  });

  it('end at the total, where the API gives one', async () => {
    world.server.script({ body: list(1, 2), headers: { 'x-total': '3' } }, { body: list(3), headers: { 'x-total': '3' } });
    const next = byOffset({ limit: 2, param: 'skip', limitParam: 'top', total: ({ headers }) => Number(headers.get('x-total')) });
    expect(await all(world.connect().pages('/x', { next }))).toEqual([1, 2, 3]);
    expect(urls()).toEqual(['/x?top=2', '/x?top=2&skip=2']);
  });

  it('go on by number until one is empty, or is the last', async () => {
    world.server.script({ body: list(1) }, { body: list(2) }, { body: list() });
    expect(await all(world.connect().pages('/x', { next: byPage() }))).toEqual([1, 2]);
    world.server.script({ body: list(1) }, { body: list(2) });
    expect(await all(world.connect().pages('/x', { next: byPage({ param: 'p', first: 0, pages: () => 2 }) }))).toEqual([1, 2]);
    expect(urls()).toEqual(['/x?page=1', '/x?page=2', '/x?page=3', '/x?p=0', '/x?p=1']);
  });

  it('follow a URL in the body, or whatever a function says', async () => {
    world.server.script(chunk([1], '/x/2?a=1'), chunk([2]));
    const one = { schema: Chunk, items: ({ data }: Reply<Chunk>) => data.ids };
    expect(await all(world.connect().pages('/x', { ...one, next: byNextUrl(({ data }: Reply<Chunk>) => data.next) }))).toEqual([1, 2]);
    world.server.script(chunk([1]), chunk([2]));
    const next = byFunction((_, page) => (page.number < 2 ? { query: { after: page.total } } : undefined), { query: { after: 0 } });
    expect(await all(world.connect().pages('/x', { ...one, next }))).toEqual([1, 2]);
    expect(urls()).toEqual(['/x', '/x/2?a=1', '/x?after=0', '/x?after=1']);
  });

  it('are asked for one after the other, each when an item of it is wanted, and no more after a break', async () => {
    world.server.script({ body: list(1, 2), headers: link('?page=2') }, { body: list(3), headers: link('?page=3') });
    const seen: [unknown, number][] = [];
    const items = world.connect().pages('/x', { next: byLink() });
    expect(urls()).toEqual([]);
    for await (const item of items) {
      seen.push([item, world.server.received.length]);
      if (item === 3) break;
    }
    expect(seen).toEqual([
      [1, 1],
      [2, 1],
      [3, 2],
    ]);
    for await (const item of items) {
      expect(item).toBe(3);
      break;
    }
    expect(urls()).toEqual(['/x', '/x?page=2', '/x']);
  });

  it('are the connection’s to hang together, unless the call says otherwise', async () => {
    world.server.script({ body: list(1), headers: link('?page=2') }, { body: list(2) });
    const crm = world.connect({ paging: byLink() });
    expect(await all(crm.pages('/x', { schema: Ids }))).toEqual([1, 2]);
    expect(await all(crm.for('acme').pages('/x', { next: byFunction(() => undefined) }))).toEqual([2]);
  });
});

describe('a list that cannot be read to its end', () => {
  it.each([
    ['another origin', 'https://evil.example/v2/x'],
    ['another scheme', () => `${world.server.url.replace('http:', 'https:')}/v2/x`],
    ['a path above the base', '/v1/x'],
    ['a way out of the base', '/v2/../v1/x'],
    ['a path that only begins like the base', '/v22/x'],
    ['another host', '//evil.example/v2/x'],
    ['no URL at all', 'https://'],
  ])('goes nowhere else: %s', async (_, target) => {
    const url = typeof target === 'string' ? target : target();
    world.server.script({ body: list(1), headers: link(`${url}?token=hidden`) });
    const crm = connection({ name: 'crm', baseUrl: `${world.server.url}/v2`, auth: bearer(secret('crm/token')) });
    const error = await failure(all(crm.pages('/x', { query: { q: 'hidden' }, next: byLink() })));
    expect(error).toMatchObject({ code: 'E_PAGING', detail: { connection: 'crm', field: 'next', page: 1 } });
    expect(error.message).toContain('GET crm /x: page 1 is followed by one at a URL that is not below');
    expect(JSON.stringify(error) + error.message).not.toMatch(/hidden|evil/);
    expect(error.message).not.toContain(TOKEN);
    expect(world.server.received).toHaveLength(1);
  });

  it('is an error when a cursor comes again, however late', async () => {
    world.server.script(chunk([1], 'a'), chunk([2], 'b'), chunk([3], 'a'));
    const seen: number[] = [];
    const read = async () => {
      for await (const id of world.connect().pages('/x', { schema: Chunk, items: ({ data }) => data.ids, next: byNext })) seen.push(id);
    };
    expect(await failure(read())).toMatchObject({
      code: 'E_PAGING',
      message: 'GET crm /x: page 4 was read before: the API gives the same cursor or URL again, so the list would never end',
    });
    expect(seen).toEqual([1, 2, 3]);
    expect(urls()).toEqual(['/x', '/x?cursor=a', '/x?cursor=b']);
  });

  it('is an error when a page names itself', async () => {
    world.server.script({ body: list(1), headers: link('/x') });
    expect(await failure(all(world.connect().pages('/x', { next: byLink() })))).toMatchObject({ code: 'E_PAGING' });
    expect(urls()).toEqual(['/x']);
  });

  it('is an error after maxPages, and never merely cut', async () => {
    world.server.script({ body: list(1) });
    const error = await failure(all(world.connect().pages('/x', { next: byPage(), maxPages: 3 })));
    expect(error).toMatchObject({
      code: 'E_PAGING',
      message: 'GET crm /x: page 4 is one too many: the list goes on after 3 pages (maxPages)',
    });
    expect(world.server.received).toHaveLength(3);
  });

  it('is an error where the items are not', async () => {
    world.server.script({ body: '{"data":[]}' });
    const next = byLink();
    expect((await failure(all(world.connect().pages('/x', { next })))).message).toContain('say where its items are');
    expect(await failure(all(world.connect().pages('/x', { next, items: () => 'text' })))).toMatchObject({ code: 'E_PAGING' });
    expect(await failure(all(world.connect().pages('/x', { next, items: () => undefined as unknown as [] })))).toMatchObject({
      code: 'E_PAGING',
    });
  });

  it('is an error where the cursor is not one', async () => {
    world.server.script({ body: list(1) });
    const next = byCursor({ from: () => ({ a: 1 }) as unknown as string });
    expect((await failure(all(world.connect().pages('/x', { next })))).message).toContain('neither a text nor a number');
  });

  it.each([
    ['next', {}],
    ['next', { next: 'link' }],
    ['maxPages', { next: byLink(), maxPages: 0 }],
    ['items', { next: byLink(), items: 'data' }],
  ])('says which option is wrong before anything is sent: %s', (field, options) => {
    expect(() => world.connect().pages('/x', options as never)).toThrow(
      expect.objectContaining({ code: 'E_BAD_OPTION', detail: { field } }) as Error,
    );
  });

  it('says so when an option is not one', async () => {
    expect(() => world.connect().pages('/x', { next: byLink(), itmes: 1 } as never)).toThrow(
      expect.objectContaining({ code: 'E_BAD_OPTION' }),
    );
    expect(urls()).toEqual([]);
  });
});

describe('an option of pages() that there is not', () => {
  // They were passed on to the call, whose error offered neither `maxPages` nor `items`.
  it('is told when the list is named, with those that there are', () => {
    const { pages } = world.connect();
    expect(() => pages('/x', { next: byLink(), maxpages: 2 } as never)).toThrow(
      /maxpages is not an option; there are .*next, items, maxPages, method/,
    );
  });

  // A misspelt one was ignored, and the default taken: the same page again and again.
  it.each<[string, () => unknown, RegExp]>([
    [
      'byCursor',
      () => byCursor({ from: () => 'a', params: 'after' } as never),
      /byCursor: params is not an option; there are from, param, in/,
    ],
    ['byCursor, in', () => byCursor({ from: () => 'a', in: 'body' } as never), /byCursor: in must be 'query' \| 'json'/],
    ['byOffset', () => byOffset({ limit: 1, limitparam: 'n' } as never), /byOffset: limitparam is not an option/],
    ['byPage', () => byPage({ frist: 0 } as never), /byPage: frist is not an option/],
  ])('is told when it is given to %s', (_name, make, message) => {
    expect(make).toThrow(message);
    expect(make).toThrow(expect.objectContaining({ code: 'E_BAD_OPTION' }));
  });
});

describe('pages in a run', () => {
  const Things = z.object({ ids: z.array(z.number()) });

  it('are journaled one by one: a run that is put down after every call goes on at the page where it was', async () => {
    world.server.script((request) => {
      const page = Number(new URL(request.url, 'http://x').searchParams.get('page') ?? 1);
      return { body: JSON.stringify({ ids: [page * 10, page * 10 + 1] }), headers: page < 6 ? link(`?page=${page + 1}`) : {} };
    });
    const crm = world.connect();
    const read = workflow({
      name: 'read',
      async run() {
        const ids: number[] = [];
        for await (const id of crm.pages('/things', { schema: Things, items: ({ data }) => data.ids, next: byLink() })) {
          if (id % 10 === 1) await crm.put(`/things/${id}`, { json: {} });
          ids.push(id);
        }
        return ids;
      },
    });
    const run = runOver(world.runtime, read, 1);
    expect(resultOf(await run.toTheEnd(40))).toEqual([10, 11, 20, 21, 30, 31, 40, 41, 50, 51, 60, 61]);
    const gets = world.server.received.filter(({ method }) => method === 'GET').map(({ url }) => url);
    expect(gets).toEqual(['/things', '/things?page=2', '/things?page=3', '/things?page=4', '/things?page=5', '/things?page=6']);
    expect(world.server.effects.filter(({ method }) => method === 'PUT')).toHaveLength(6);
  });

  it('wait for as long as the API wants, and go on at that page', async () => {
    world.server.script(
      { body: list(1), headers: link('?page=2') },
      { status: 429, headers: { 'retry-after': '3600' } },
      { body: list(2) },
    );
    const crm = world.connect();
    const read = workflow({ name: 'read', run: async () => all(crm.pages('/x', { schema: Ids, next: byLink() })) });
    const run = runOver(world.runtime, read);
    expect((await run.deliver()).status).toBe('waiting');
    expect(resultOf(await run.deliver(3_700_000))).toEqual([1, 2]);
    expect(urls()).toEqual(['/x', '/x?page=2', '/x?page=2']);
  });

  it('of several lists at once, and after a break, are replayed as they were', async () => {
    world.server.script((request) => {
      const page = Number(new URL(request.url, 'http://x').searchParams.get('page') ?? 1);
      return { body: list(page), headers: link(`?page=${page + 1}`) };
    });
    const crm = world.connect();
    const read = workflow({
      name: 'read',
      async run() {
        const sums = await map(['/a', '/b', '/b'], async (path) => {
          let sum = 0;
          for await (const id of crm.pages(path, { schema: Ids, next: byLink() })) {
            sum += id;
            if (id === 3) break;
          }
          return sum;
        });
        await sleep('1h');
        return sums;
      },
    });
    const run = runOver(world.runtime, read);
    expect((await run.deliver()).status).toBe('waiting');
    expect(resultOf(await run.deliver(3_700_000))).toEqual([6, 6, 6]);
    expect(world.server.received).toHaveLength(9);
  });

  it('that cannot be read to their end fail the run with that error', async () => {
    world.server.script({ body: list(1), headers: link('https://evil.example/') });
    const crm = world.connect();
    const run = runOver(
      world.runtime,
      workflow({ name: 'read', run: async () => all(crm.pages('/x', { next: byLink() })) as Promise<never> }),
    );
    const ended = await run.toTheEnd();
    expect([ended.status, resultOf(ended)]).toMatchObject(['failed', { code: 'E_PAGING' }]);
  });
});
