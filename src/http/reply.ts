/** A reply: as the journal keeps it, and as user code sees it, live and on every replay alike. */
import { isUtf8 } from 'node:buffer';
import type { ErrorData } from '../engine/errors.ts';
import { encodeJson } from '../engine/json.ts';
import type { Answer } from './exchange.ts';
import type { As } from './options.ts';
import type { Head } from './sink.ts';

export type Reply<T = unknown, Status extends number = number> = {
  readonly status: Status;
  readonly headers: Headers;
  /** Parsed JSON, text or bytes; `undefined` where there is no body. */
  readonly data: T;
  /** The body was over the cap and is cut; `data` is what came, as text or bytes. */
  readonly truncated?: true;
};

/** The journal's form. Bodies that are UTF-8 are kept as text, all others as base64: both come back byte for byte. */
export type StoredReply = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text?: string;
  readonly base64?: string;
  readonly truncated?: true;
  /** Where redirects led to. */
  readonly url?: string;
  /** It came live: the lengths of the pieces in which user code was given it, and what it broke off with. */
  readonly pieces?: readonly number[];
  readonly broken?: ErrorData;
  /** What `encrypt` names is in the box; in `text` a mark stands in its place, at these offsets, or for all of it. Last, so that it is quickly seen. */
  readonly sealed?: { readonly at?: readonly number[]; readonly box: string };
};

export function storeReply(answer: Pick<Answer, 'status' | 'headers' | 'body' | 'truncated' | 'url'>): string {
  const { status, headers, body, url } = answer;
  const stored: StoredReply = {
    status,
    headers,
    ...(body.length === 0 ? {} : isUtf8(body) ? { text: body.toString('utf8') } : { base64: body.toString('base64') }),
    ...(answer.truncated ? { truncated: true } : {}),
    ...(url === undefined ? {} : { url }),
  };
  return JSON.stringify(stored);
}

/** Of a reply that was given as it came. */
export function storePieces(head: Head, given: readonly Buffer[], broken: ErrorData | undefined): string {
  const stored = JSON.parse(
    storeReply({ ...head, headers: { ...head.headers }, body: Buffer.concat(given), truncated: false }),
  ) as StoredReply;
  return JSON.stringify({ ...stored, pieces: given.map(({ length }) => length), ...(broken === undefined ? {} : { broken }) });
}

/** What a reconciler or a person says that an unknown call was answered with. */
export type ToldReply = { status: number; headers?: Readonly<Record<string, string>>; data?: unknown };

/** The journal's form of a reply that was not received but told, such that reading it as the call is read gives this `data`. */
export function storeTold(told: ToldReply, as?: As): string {
  const { status, headers = {}, data } = told;
  const given = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const as64 = data instanceof Uint8Array;
  // A text is one where the call or its type says so; otherwise it is JSON like anything else.
  const plain = typeof data === 'string' && (as === 'text' || TEXT_TYPE.test(given['content-type'] ?? ''));
  const type = as64 ? 'application/octet-stream' : plain ? 'text/plain; charset=utf-8' : 'application/json';
  const text = plain ? data : as64 ? undefined : encodeJson(data, 'the reply that was told');
  const stored: StoredReply = {
    status,
    headers: { ...(data === undefined ? {} : { 'content-type': type }), ...given },
    ...(as64 ? { base64: Buffer.from(data).toString('base64') } : {}),
    ...(text === undefined ? {} : { text }),
  };
  return JSON.stringify(stored);
}

/**
 * Throws a SyntaxError when a body that should be JSON is not, a RangeError or TypeError when it is not in its charset, unless `lenient`:
 * then `data` is its text, as well as it can be read.
 */
export function readReply(stored: StoredReply, as?: As, lenient = false): Reply {
  const { status } = stored;
  let headers: Headers | undefined;
  let data: unknown;
  try {
    data = dataOf(stored, as);
  } catch (error) {
    if (!lenient) throw error;
    data = textOf(stored);
  }
  return {
    status,
    // Few look at them: made when somebody does.
    get headers() {
      headers ??= new Headers(stored.headers);
      return headers;
    },
    data,
    ...(stored.truncated ? { truncated: true } : {}),
  };
}

const JSON_TYPE = /^\s*[\w.+-]+\/(?:[\w.-]+\+)?json\s*(?:;|$)/i;
const TEXT_TYPE = /^\s*(?:text\/|application\/(?:[\w.-]+\+)?(?:xml|yaml|x-www-form-urlencoded|javascript|x-ndjson|jsonl|graphql))/i;

function dataOf(stored: StoredReply, as: As | undefined): unknown {
  if (stored.text === undefined && stored.base64 === undefined) return as === 'text' ? '' : as === 'bytes' ? new Uint8Array() : undefined;
  if (as === 'bytes') return bytesOf(stored);
  const type = stored.headers['content-type'];
  if (as === 'json' || (as === undefined && type !== undefined && JSON_TYPE.test(type))) {
    const text = textOf(stored, stored.truncated ? 'some' : 'all');
    // A body that was cut is no JSON any more: what came is handed over as it is.
    return stored.truncated ? text : JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text);
  }
  if (as === 'text' || (type === undefined ? stored.text !== undefined : TEXT_TYPE.test(type))) return textOf(stored, 'some');
  return bytesOf(stored);
}

export function bytesOf({ text, base64 }: StoredReply): Uint8Array<ArrayBuffer> {
  // A copy of its own: small Buffers are windows on a pool that others write into.
  return new Uint8Array(text === undefined ? Buffer.from(base64 ?? '', 'base64') : Buffer.from(text, 'utf8'));
}

/** `must`: be read in `all` its bytes; in `some`, and what cannot be read is marked, as fetch does; or in `any` charset at all. */
function textOf(stored: StoredReply, must: 'all' | 'some' | 'any' = 'any'): string {
  if (stored.text !== undefined) return stored.text;
  const charset = /charset\s*=\s*"?([\w.:-]+)/i.exec(stored.headers['content-type'] ?? '')?.[1] ?? 'utf-8';
  try {
    return new TextDecoder(charset, { fatal: must === 'all' }).decode(bytesOf(stored));
  } catch (error) {
    if (must !== 'any') throw error;
    return new TextDecoder().decode(bytesOf(stored));
  }
}
