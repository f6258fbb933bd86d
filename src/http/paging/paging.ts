/**
 * Lists that an API gives page by page: how the next page is found, and the walk over them. One page is one call, so that a run
 * goes on at the page where it was. Nothing is fetched ahead: the next page is asked for when an item of it is wanted.
 */
import { HoldfastError } from '../../engine/errors.ts';
import { encodeJson } from '../../engine/json.ts';
import { pathBelow } from '../base-url.ts';
import { CALL_FIELDS, hiddenBy, labelOf } from '../call.ts';
import type { Core } from '../core.ts';
import type { BodyOptions, PagesOptions, Query } from '../options.ts';
import type { Reply } from '../reply.ts';
import { bad, onlyKnown, wholeNumber } from '../settings.ts';
import { readLinks } from './link-header.ts';

/** What is different in the request of the next page: its URL, or parts of the query or of the JSON body. `undefined`: that was the last one. */
export type NextPage = string | { readonly query?: Query; readonly json?: { readonly [field: string]: unknown } } | undefined | null;

export type Page = {
  /** 1 for the first. */
  readonly number: number;
  /** How many items it had. */
  readonly items: number;
  /** Items of all pages so far, this one included. */
  readonly total: number;
};

/** How the next page is found, made by `byLink()` and its kin. */
export type Paging<in Data = never> = {
  walk(source: Source, path: string, options: PagesOptions): AsyncIterable<unknown>;
  readonly reads?: (data: Data) => void;
};

/** The connection that is walked over. */
export type Source = {
  readonly core: Core;
  readonly send: (core: Core, method: string, path: string, options: BodyOptions) => Promise<unknown>;
};

type Finder<Data> = (reply: Reply<Data>, page: Page) => NextPage;

/** RFC 8288: the target of `Link: <…>; rel="next"`. */
export function byLink(): Paging<unknown> {
  return byFunction((reply) => {
    const header = reply.headers.get('link');
    return header === null ? undefined : readLinks(header).find(({ rel }) => rel.includes('next'))?.target;
  });
}

/** The URL of the next page, read out of the reply. Absolute, or relative to the page's own. */
export function byNextUrl<Data = unknown>(from: (reply: Reply<Data>) => string | null | undefined): Paging<Data> {
  return byFunction((reply) => from(reply) || undefined);
}

/**
 * A cursor, read out of the reply and sent as `param` (default `cursor`) of the query, or with `in: 'json'` as that field of the JSON body.
 * An empty text, `null`, `undefined` or `false` ends the list.
 */
export function byCursor<Data = unknown>(options: {
  from: (reply: Reply<Data>) => string | number | null | undefined | false;
  param?: string;
  in?: 'query' | 'json';
}): Paging<Data> {
  onlyKnown(options, new Set(['from', 'param', 'in']), 'byCursor');
  const { from, param = 'cursor', in: place = 'query' } = options;
  if (place !== 'query' && place !== 'json') bad('byCursor', 'in', "must be 'query' | 'json'");
  if (typeof from !== 'function') bad('byCursor', 'from', 'must be a function of the reply');
  return byFunction((reply) => {
    const cursor = from(reply);
    if (cursor === undefined || cursor === null || cursor === false || cursor === '') return undefined;
    return { [place]: { [param]: cursor } };
  });
}

/**
 * `offset` and `limit`. The offset goes on by the items that came, since APIs may give fewer than was asked for; so `items` must give all of a page.
 * Ends at an empty page, or where `total(reply)` says so: a short page alone is no end.
 */
export function byOffset<Data = unknown>(options: {
  limit: number;
  param?: string;
  limitParam?: string;
  /** Of the first item. Default 0. */
  first?: number;
  total?: (reply: Reply<Data>) => number | null | undefined;
}): Paging<Data> {
  onlyKnown(options, new Set(['limit', 'param', 'limitParam', 'first', 'total']), 'byOffset');
  const { param = 'offset', limitParam = 'limit', first = 0, total } = options;
  const limit = { [limitParam]: wholeNumber(options.limit, 1, 'byOffset', 'limit') };
  return byFunction(
    (reply, page) => {
      const all = total?.(reply) ?? Number.POSITIVE_INFINITY;
      return page.items === 0 || page.total >= all ? undefined : { query: { ...limit, [param]: first + page.total } };
    },
    { query: first === 0 ? limit : { ...limit, [param]: first } },
  );
}

/**
 * The number of the page, sent as `param` (default `page`). Ends at an empty page, or where `pages(reply)`, their number, says so:
 * a short page alone is no end.
 */
export function byPage<Data = unknown>(
  options: { param?: string /** Default 1. */; first?: number; pages?: (reply: Reply<Data>) => number | null | undefined } = {},
): Paging<Data> {
  onlyKnown(options, new Set(['param', 'first', 'pages']), 'byPage');
  const { param = 'page', first = 1, pages } = options;
  return byFunction(
    (reply, page) => {
      const all = pages?.(reply) ?? Number.POSITIVE_INFINITY;
      return page.items === 0 || page.number >= all ? undefined : { query: { [param]: first + page.number } };
    },
    { query: { [param]: first } },
  );
}

/** Any other way. `first`: what is different in the request of the first page. */
export function byFunction<Data = unknown>(next: Finder<Data>, first?: { readonly query?: Query }): Paging<Data> {
  if (typeof next !== 'function') bad('byFunction', 'next', 'must be a function of the reply');
  return Object.freeze({
    walk(source: Source, path: string, options: PagesOptions) {
      const { maxPages = MAX_PAGES, items, method = 'GET' } = options;
      const label = labelOf(source.core, method, path, hiddenBy(source.core, method, path, options));
      onlyKnown(options, new Set([...CALL_FIELDS, 'next', 'items', 'maxPages', 'method']), label);
      wholeNumber(maxPages, 1, label, 'maxPages');
      if (items !== undefined && typeof items !== 'function') bad(label, 'items', 'must be a function of the reply');
      return { [Symbol.asyncIterator]: () => walk(source, path, options, next as Finder<unknown>, first) };
    },
  });
}

/** Each is a journal entry, and a run has 10,000. */
const MAX_PAGES = 5_000;

async function* walk(
  { core, send }: Source,
  path: string,
  { items, next: _, maxPages = MAX_PAGES, method = 'GET', query: asked, json: sent, ...call }: PagesOptions,
  next: Finder<unknown>,
  first: { readonly query?: Query } | undefined,
): AsyncGenerator<unknown, void, undefined> {
  const label = labelOf(core, method, path, hiddenBy(core, method, path, call), call.label);
  const seen = new Set<string>();
  let total = 0;
  let at = path;
  let query: Query | undefined = first?.query ? { ...asked, ...first.query } : asked;
  let json = sent;
  for (let number = 1; ; number++) {
    const wrong = (problem: string): never => {
      throw new HoldfastError('E_PAGING', `${label}: page ${number} ${problem}`, {
        detail: { connection: core.name, field: 'next', page: number },
      });
    };
    const request = `${at} ${JSON.stringify(query)} ${json === undefined ? '' : encodeJson(json, `the json of ${label}`)}`;
    if (seen.has(request)) wrong('was read before: the API gives the same cursor or URL again, so the list would never end');
    if (number > maxPages) wrong(`is one too many: the list goes on after ${maxPages} pages (maxPages)`);
    seen.add(request);
    const reply = (await send(core, method, at, {
      ...call,
      ...(query === undefined ? {} : { query }),
      ...(json === undefined ? {} : { json }),
    })) as Reply;
    const found: unknown = items === undefined ? reply.data : (items as (reply: Reply) => unknown)(reply);
    if (typeof found === 'string' || typeof (found as Iterable<unknown> | undefined)?.[Symbol.iterator] !== 'function') {
      wrong(
        items === undefined
          ? 'is not a list: say where its items are, with items: (reply) => …'
          : 'has no list of items where `items` looks',
      );
    }
    let count = 0;
    for (const item of found as Iterable<unknown>) {
      count++;
      yield item;
    }
    total += count;
    const more = next(reply, { number, items: count, total });
    if (more === undefined || more === null) return;
    if (typeof more === 'string') {
      at = nextPath(core, at, more) ?? wrong(outside(core));
      query = undefined;
      continue;
    }
    if (Object.values(more.query ?? {}).some((value) => typeof value === 'object' && value !== null && !Array.isArray(value)))
      wrong('has a cursor that is neither a text nor a number');
    if (more.query) query = { ...query, ...more.query };
    if (more.json) json = { ...(json as object | undefined), ...more.json };
  }
}

export const outside = (core: Core): string => {
  const { origin, prefix } = core.base();
  return `is followed by one at a URL that is not below the connection's baseUrl, ${origin}${prefix}, and credentials are for that alone`;
};

/** Where an API's reference leads, relative to the connection's base; `undefined` where that is elsewhere. `from`: the path it was given at. */
export function nextPath(core: Core, from: string, reference: string): string | undefined {
  const base = core.base();
  const here = `${base.origin}${base.prefix}${from.startsWith('/') ? '' : '/'}${from}`;
  return URL.canParse(reference, here) ? pathBelow(base, new URL(reference, here)) : undefined;
}
