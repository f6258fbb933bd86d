/** From a path and a query to what stands in the request line. Keeps what users interpolate from leaving the place they meant. */
import { CallError } from './errors.ts';
import type { Arrays, Query, QueryValue } from './options.ts';

/** What most are: nothing in it that could mean anything but itself. */
const SIMPLE = /^\/[A-Za-z0-9_~/-]*$/;
const PLAIN = /^[!-~]*$/;
/** Space and control characters. */
const BLANK = /[^!-\uffff]/g;
const DOT_SEGMENT = /(?:^|[/\\])(?:\.|%2e){1,2}(?:[/\\]|$)/i;

/** A path with its query, beginning with `/`, in ASCII. Throws `E_REQUEST_INVALID`. */
export function requestPath(path: string, query: Query | undefined, arrays: Arrays, label: string): string {
  const invalid = (problem: string): never => {
    throw new CallError('E_REQUEST_INVALID', `${label}: the path ${problem}`, { field: 'path' });
  };
  if (query === undefined && SIMPLE.test(path)) return path;
  if (typeof path !== 'string') return invalid('must be a text such as "/companies/acme"');
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(path)) return invalid("must be relative to the connection's baseUrl, not a URL");
  if (path.includes('#')) return invalid('contains "#", which is never sent: write values into it with encodeURIComponent()');
  const [before = ''] = path.split('?', 1);
  // URL parsers drop what is below "!" from the ends, and look for dots only then.
  if (DOT_SEGMENT.test(before.replace(BLANK, '')))
    return invalid('contains "." or ".." as a segment: write values into it with encodeURIComponent()');
  if (path.includes('\\')) return invalid('contains "\\": write values into it with encodeURIComponent()');
  const rooted = path.startsWith('/') ? path : `/${path}`;
  let encoded = rooted;
  if (!PLAIN.test(rooted)) {
    const url = new URL(`http://h${rooted.replace(BLANK, (char) => encodeURIComponent(char))}`);
    encoded = url.pathname + url.search;
  }
  const text = query === undefined ? '' : queryText(query, arrays, label);
  return text === '' ? encoded : `${encoded}${encoded.includes('?') ? '&' : '?'}${text}`;
}

function queryText(query: Query, arrays: Arrays, label: string): string {
  const parts: string[] = [];
  for (const name in query) {
    const value = query[name];
    const key = encodeURIComponent(name);
    if (Array.isArray(value)) {
      const items = (value as readonly QueryValue[])
        .filter((item) => item !== undefined && item !== null)
        .map((item) => queryValue(item, name, label));
      if (items.length === 0) continue;
      if (arrays === 'comma') parts.push(`${key}=${items.join(',')}`);
      else for (const item of items) parts.push(`${key}${arrays === 'brackets' ? '%5B%5D' : ''}=${item}`);
    } else if (value !== undefined && value !== null) parts.push(`${key}=${queryValue(value, name, label)}`);
  }
  return parts.join('&');
}

/** `[object Object]` and `NaN` are never what was meant. */
function queryValue(value: unknown, name: string, label: string): string {
  // Half a surrogate pair has no encoding.
  if (
    (typeof value === 'string' && value.isWellFormed()) ||
    typeof value === 'boolean' ||
    typeof value === 'bigint' ||
    Number.isFinite(value)
  )
    return encodeURIComponent(String(value));
  throw new CallError(
    'E_REQUEST_INVALID',
    `${label}: query.${name} must be a text, a number, a boolean or a list of them, not ${String(value)}`,
    {
      field: `query.${name}`,
    },
  );
}

/** `/users/:id` and `/files/*` as a test of a path without its query. */
export function pathPattern(pattern: string): (path: string) => boolean {
  const source = pattern
    .replace(/[.+?^${}()|[\]\\]/g, '\\$&')
    .replace(/\*/g, '.*')
    .replace(/:[A-Za-z_]\w*/g, '[^/]+');
  const expression = new RegExp(`^${source}$`);
  return (path) => expression.test(path.split('?', 1)[0] as string);
}
