/** JSON as the journal keeps it: what cannot come back as it was is refused with the path to it. */
import { HoldfastError } from './errors.ts';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json | undefined };

/** Far above what anybody means, far below what a stack holds. */
const MAX_DEPTH = 500;

/**
 * The JSON text of a value, or `undefined` for `undefined` itself.
 * Throws `E_NOT_SERIALISABLE` naming the path of the first thing that would not come back as it was.
 */
export function encodeJson(value: unknown, what: string): string | undefined {
  if (value === undefined) return undefined;
  check(value, [], new Set(), what);
  return JSON.stringify(value);
}

function check(value: unknown, path: string[], above: Set<object>, what: string): void {
  if (value === null) return;
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return;
    case 'number':
      if (!Number.isFinite(value)) refuse(String(value), path, what);
      return;
    case 'object':
      break;
    default:
      refuse(`a ${typeof value}`, path, what);
  }
  const object = value as object;
  if (above.has(object)) refuse('a cycle', path, what);
  if (above.size === MAX_DEPTH) refuse(`nesting deeper than ${MAX_DEPTH} levels`, path.slice(0, 5), what);
  above.add(object);
  if (Array.isArray(object)) {
    for (let i = 0; i < object.length; i++) {
      if (object[i] === undefined) refuse('undefined in an array', [...path, String(i)], what);
      check(object[i], [...path, String(i)], above, what);
    }
  } else {
    const prototype = Object.getPrototypeOf(object);
    if (prototype !== Object.prototype && prototype !== null) refuse(`a ${object.constructor?.name ?? 'class instance'}`, path, what);
    for (const [key, member] of Object.entries(object)) check(member, [...path, key], above, what);
  }
  above.delete(object);
}

function refuse(found: string, path: string[], what: string): never {
  throw new HoldfastError(
    'E_NOT_SERIALISABLE',
    `${what} cannot be kept: ${found} at ${pointer(path)}. Return plain JSON: convert dates with toISOString(), maps with Object.fromEntries().`,
    { detail: { pointer: pointer(path) } },
  );
}

/** RFC 6901; the whole document is written `/`, for people. */
export function pointer(path: readonly (string | number)[]): string {
  if (path.length === 0) return '/';
  return path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** The same value always gives the same text: keys in code unit order, undefined members left out. */
export function canonicalJson(value: Json | undefined): string {
  if (value === undefined) return '';
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item)).join(',')}]`;
  const keys = Object.keys(value).filter((key) => value[key] !== undefined);
  keys.sort();
  return `{${keys.map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key])}`).join(',')}}`;
}
