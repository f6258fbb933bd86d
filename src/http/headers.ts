/** Header names and values: what may be sent, what of a reply is kept. */

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// Controls but tab, and everything beyond latin-1, would be cut, split or refused on the way.
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Of the connection, not of the request: the transport's own. */
const RESERVED = new Set([
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** Cookies are credentials; the others speak of one socket. */
const NOT_KEPT = new Set(['set-cookie', 'set-cookie2', 'connection', 'keep-alive', 'transfer-encoding', 'proxy-connection']);

export function isSendableHeader(name: string, value: unknown): boolean {
  return typeof value === 'string' && TOKEN.test(name) && VALUE.test(value);
}

/** `name` in lower case. */
export const reservedHeader = (name: string): boolean => RESERVED.has(name);

/** A reply's headers as the journal keeps them: lower-case names, repeated ones joined. */
export function keptHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined && !NOT_KEPT.has(name)) kept[name] = typeof value === 'string' ? value : value.join(', ');
  }
  return kept;
}

const TOLD =
  /^(retry-after|retry-after-ms|x-ms-retry-after-ms|date|content-type|x-request-id|request-id|idempotent-replayed|x-should-retry|(x-)?rate-?limit.*)$/;

/** Those that explain a decision, for an attempt's record. */
export function toldHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const told: Record<string, string> = {};
  for (const name in headers) {
    if (TOLD.test(name)) told[name] = (headers[name] as string).slice(0, 200);
  }
  return told;
}
