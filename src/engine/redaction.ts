/**
 * What people are shown of what was kept: without what names and forms say is a credential. Pure; knows names and values, not where
 * they come from. What is kept stays exact, since a replay must see what the code saw.
 */
import type { ErrorData } from './errors.ts';
import type { Json } from './json.ts';

export const REDACTED = '‹redacted›';

/** Spelled without case and separators. `…token` but not `tokens`, which are counted, nor those that say where a list goes on. */
const SECRET =
  /(?:authorization|cookie2?|password|passwd|passphrase|pwd|secret(?:key)?|apikey|accesskey(?:id)?|privatekey|signingkey|credentials?|assertion|signature|(?<!page|next|previous|continuation|sync|cursor|resume|start|delta|skip|scroll)token)$/;
/** In headers those are no names of data. */
const SECRET_HEADER = /token(?!s)|secret|password|apikey|credential|signature|authorization|cookie|session/;
/** In queries (and forms) these are, too: OAuth codes, Google's and Azure's keys, presigned URLs. */
const SECRET_PARAMETER = /^(?:code|key|sig|sign|auth|jwt|otp|pin|state|nonce|sid|sessionid|ticket|samlresponse|pass|pw)$/;

const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, '');

export const isSecretName = (name: string): boolean => SECRET.test(plain(name));
const isSecretHeader = (name: string): boolean => SECRET_HEADER.test(plain(name)) && !/rate-?limit/i.test(name);
const isSecretParameter = (name: string): boolean => isSecretName(name) || SECRET_PARAMETER.test(plain(name));

/** `https://user:password@host`. */
const USERINFO = /\b([a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/?#@"'<>\\]{1,500}@/gi;
const PARAMETER = /(^|[?&#;\s"'(,{])([\w.%[\]-]{1,80})=([^&#\s"'<>;,)\\]+)/g;
const SCHEME = /\b(Bearer|Basic|Digest|Token)(\s+|%20|\+)(?=[\w+/.~-]*[\d+/=._~-]|[\w-]{16})[\w+/=.~-]{6,}/g;
/** URLs, forms, headers and JSON in any text. */
export function redactText(text: string): string {
  if (!/[=@:]|\b(?:Bearer|Basic|Digest|Token)\b/.test(text)) return text;
  const shown = text
    .replace(USERINFO, `$1${REDACTED}@`)
    .replace(PARAMETER, (whole, before: string, name: string) =>
      isSecretParameter(decoded(name)) ? `${before}${name}=${REDACTED}` : whole,
    )
    .replace(SCHEME, `$1$2${REDACTED}`);
  return redactMembers(shown);
}

/** Members by their names, every text for what is in it. Numbers, truths and `null` under other names stay. */
export function redactJson(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value !== 'object' || value === null) return value;
  // Deeper than anybody reads, and than a stack should have to bear.
  if (depth > 100) return REDACTED;
  if (Array.isArray(value)) return value.map((item) => redactJson(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      name,
      isSecretName(name) && item !== null && typeof item !== 'boolean' ? REDACTED : redactJson(item, depth + 1),
    ]),
  );
}

export function redactHeaders(headers: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, isSecretHeader(name) ? REDACTED : redactJson(value)]));
}

export function redactError({ message, stack, detail, ...rest }: ErrorData): ErrorData {
  return {
    ...rest,
    message: redactText(message),
    ...(stack === undefined ? {} : { stack: redactText(stack) }),
    ...(detail === undefined ? {} : { detail: redactJson(detail) as { [key: string]: Json | undefined } }),
  };
}

/** Members of JSON in a text, also of JSON within JSON, and where the text is cut. Looks at each quote once, whatever the text. */
function redactMembers(text: string): string {
  const quotes = quotesOf(text);
  let shown = '';
  let from = 0;
  for (let i = 0; i + 1 < quotes.length; i++) {
    const [open, close] = [quotes[i], quotes[i + 1]] as [Quote, Quote];
    const level = open.run;
    const end = close.at - level;
    if (close.run !== level || end - open.at > LONGEST_NAME || !isSecretName(text.slice(open.at + 1, end))) continue;
    AFTER_NAME.lastIndex = close.at + 1;
    const [colon] = AFTER_NAME.exec(text) ?? [];
    if (colon === undefined) continue;
    const value = close.at + 1 + colon.length;
    const quote = text.slice(open.at - level, open.at + 1);
    if (text.startsWith(quote, value)) {
      let last = i + 3;
      // Escaped ones within it have as many backslashes again before each of theirs.
      while (last < quotes.length && (quotes[last] as Quote).run % (2 * (level + 1)) !== level) last += 1;
      const until = last < quotes.length ? (quotes[last] as Quote).at - level : text.length;
      shown += text.slice(from, value + quote.length) + REDACTED;
      from = until;
      i = last;
    } else {
      NUMBER.lastIndex = value;
      const [number] = NUMBER.exec(text) ?? [];
      if (number === undefined) continue;
      shown += text.slice(from, value) + quote + REDACTED + quote;
      from = value + number.length;
    }
  }
  return from === 0 ? text : shown + text.slice(from);
}

function quotesOf(text: string): Quote[] {
  const quotes: Quote[] = [];
  for (let at = text.indexOf('"'), before = -1; at !== -1; before = at, at = text.indexOf('"', at + 1)) {
    let run = 0;
    while (at - run - 1 > before && text[at - run - 1] === '\\') run += 1;
    quotes.push({ at, run });
  }
  return quotes;
}

/** `at`: of the quote itself; `run`: backslashes right before it. */
type Quote = { at: number; run: number };

const LONGEST_NAME = 100;
const AFTER_NAME = /\s*:\s*/y;
const NUMBER = /-?\d[\d.eE+-]*/y;

function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}
