/**
 * Where in a JSON text the values stand that paths name, so that everything else of it stays as it came, byte for byte. Loaded with
 * the first call that encrypts.
 */
import type { JsonPath } from './json-paths.ts';

export type Range = readonly [start: number, end: number];

/** A body nested deeper is not searched, but taken as a whole. */
const DEEPEST = 500;

/**
 * Where the values stand that the paths name, in order, none within another. A name that meets a list is looked for in each of its elements.
 * `undefined`: the paths say nothing of such a body; it is no JSON, or neither object nor list.
 */
export function findRanges(text: string, paths: readonly JsonPath[]): Range[] | undefined {
  const start = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  try {
    const body: unknown = JSON.parse(start === 0 ? text : text.slice(start));
    if (typeof body !== 'object' || body === null) return undefined;
    const ranges: Range[] = [];
    scan(text, start, paths, 0, ranges);
    return ranges;
  } catch {
    return undefined;
  }
}

/** Reads the value at or after `from`, which is known to be well-formed. Returns where it ends. */
function scan(text: string, from: number, paths: readonly JsonPath[], depth: number, found: Range[]): number {
  const at = skipBlank(text, from);
  if (paths.some((path) => path.length === 0)) {
    const end = skipValue(text, at);
    found.push([at, end]);
    return end;
  }
  const open = text[at];
  if (paths.length === 0 || (open !== '{' && open !== '[')) return skipValue(text, at);
  if (depth > DEEPEST) throw new RangeError('nested too deeply');
  let next = skipBlank(text, at + 1);
  while (text[next] !== '}' && text[next] !== ']') {
    let inside: readonly JsonPath[];
    if (open === '{') {
      const end = skipString(text, next);
      const name = JSON.parse(text.slice(next, end)) as string;
      inside = paths.filter(([step]) => step === '*' || step === name).map((path) => path.slice(1));
      next = skipBlank(text, end) + 1;
    } else inside = paths.map((path) => (path[0] === '*' ? path.slice(1) : path));
    next = skipBlank(text, scan(text, next, inside, depth + 1, found));
    if (text[next] === ',') next = skipBlank(text, next + 1);
  }
  return next + 1;
}

function skipBlank(text: string, from: number): number {
  let at = from;
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\r' || text[at] === '\t') at += 1;
  return at;
}

function skipString(text: string, from: number): number {
  let at = from + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

function skipValue(text: string, from: number): number {
  let at = from;
  let depth = 0;
  do {
    const char = text[at];
    if (char === '"') at = skipString(text, at);
    else {
      if (char === '{' || char === '[') depth += 1;
      if (char === '}' || char === ']') depth -= 1;
      at += 1;
      if (depth === 0 && char !== '}' && char !== ']') while (at < text.length && !',}] \n\r\t'.includes(text[at] as string)) at += 1;
    }
  } while (depth > 0);
  return at;
}
