/** What profiles share: how they look into bodies that may be anything, and POSTs that only ask. */
import type { RouteOptions } from '../options.ts';
import type { Reply } from '../reply.ts';

type Fields = { readonly [field: string]: unknown };

/** The object at `path` of a reply's data; an empty one where there is none. */
export function fieldsOf(data: unknown, ...path: readonly string[]): Fields {
  let at = data;
  for (const field of path) at = typeof at === 'object' && at !== null ? (at as Fields)[field] : undefined;
  return typeof at === 'object' && at !== null ? (at as Fields) : {};
}

export function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Of the first header that is there. */
export function headerOf(reply: Reply, ...names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = reply.headers.get(name);
    if (value !== null) return value;
  }
  return undefined;
}

export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** `prefixes`: of the base URLs that people use. */
export function safePosts(paths: readonly string[], prefixes: readonly string[] = ['']): RouteOptions[] {
  return paths.flatMap((path) => prefixes.map((prefix) => ({ method: 'POST', path: prefix + path, effects: 'safe' as const })));
}
