/** A reply: as the journal keeps it, and as user code sees it, live and on every replay alike. */
import { isUtf8 } from 'node:buffer';
import type { ErrorData } from '../engine/errors.ts';
import { encodeJson } from '../engine/json.ts';
import type { PayloadStore } from '../engine/ports.ts';
import type { Head, StoredPieces } from './bodies/sink.ts';
import type { Answer } from './exchange.ts';
import type { As } from './options.ts';

export type Reply<T = unknown, Status extends number = number> = {
  readonly status: Status;
  readonly headers: Headers;
  /** Parsed JSON, text or bytes; `undefined` where there is no body. */
  readonly data: T;
  /** The body was over the cap and is cut; `data` is what came: text or bytes, or, where that is over 256 KB, a `StoredBody`. */
  readonly truncated?: true;
};

/** A body that is read when it is asked for: `data` with `as: 'file'`. Each method reads it anew; in a run, as an operation of it. */
export type StoredBody = {
  /** Bytes. */
  readonly size: number;
  /** The reply's content type. */
  readonly type: string | undefined;
  /** In pieces of at most 256 KB. Rejects when it cannot be read. */
  stream(): AsyncIterable<Uint8Array<ArrayBuffer>>;
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
  /** Decoded by the content type's charset; UTF-8 where it names none. */
  text(): Promise<string>;
  /** Rejects with a SyntaxError if it is not JSON. */
  json(): Promise<unknown>;
};

/** Under which a StoredBody tells the library what it holds. */
export const CONTENT: unique symbol = Symbol.for('holdfast.content');
export type Content = ({ readonly bytes: Uint8Array } | { readonly stored: StoredPieces }) & {
  readonly payloads: Pick<PayloadStore, 'get'>;
};

/** What was fetched for a reply before its delivery: its whole body, or a handle on it. */
export type Fetched = { readonly bytes?: Uint8Array<ArrayBuffer>; readonly file?: StoredBody };

/** The journal's form. Bodies that are UTF-8 are kept as text, all others as base64: both come back byte for byte. */
export type StoredReply = {
  /** It is not here. */
  readonly body?: StoredPieces;
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

type Undefinable<T> = { [Field in keyof T]: T[Field] | undefined };

/** How the journal's form of a reply begins whose body is elsewhere. */
const ELSEWHERE = '{"body":{';

export function isElsewhere(text: string): boolean {
  return text.startsWith(ELSEWHERE);
}

export function storeReply(answer: Storable): string {
  return JSON.stringify(storedOf(answer));
}

type Storable = Pick<Answer, 'status' | 'headers' | 'body' | 'stored' | 'truncated' | 'url'>;

/** What the journal's form is the JSON of: what there is not is `undefined`, of which JSON knows nothing. */
export function storedOf(answer: Storable): StoredReply {
  const { status, headers, body, url } = answer;
  const text = body.length > 0 && isUtf8(body);
  const stored: Undefinable<StoredReply> = {
    body: answer.stored,
    status,
    headers,
    text: text ? body.toString('utf8') : undefined,
    base64: text || body.length === 0 ? undefined : body.toString('base64'),
    truncated: answer.truncated || undefined,
    url,
  };
  return stored as StoredReply;
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
  const plain = typeof data === 'string' && (as === 'text' || as === 'file' || TEXT_TYPE.test(given['content-type'] ?? ''));
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
export function readReply(stored: StoredReply, as?: As, lenient = false, { bytes, file }: Fetched = {}): Reply {
  const { status } = stored;
  let headers: Headers | undefined;
  let data: unknown;
  try {
    data = file ?? dataOf(stored, as, bytes);
  } catch (error) {
    if (!lenient) throw error;
    data = textOf(stored, bytes);
  }
  const reply = {
    status,
    // Few look at them: made when somebody does.
    get headers() {
      headers ??= new Headers(stored.headers);
      return headers;
    },
    data,
  };
  return stored.truncated ? Object.assign(reply, { truncated: true as const }) : reply;
}

const JSON_TYPE = /^\s*[\w.+-]+\/(?:[\w.-]+\+)?json\s*(?:;|$)/i;
const TEXT_TYPE = /^\s*(?:text\/|application\/(?:[\w.-]+\+)?(?:xml|yaml|x-www-form-urlencoded|javascript|x-ndjson|jsonl|graphql))/i;

function dataOf(stored: StoredReply, as: As | undefined, fetched: Uint8Array<ArrayBuffer> | undefined): unknown {
  if (fetched === undefined && stored.text === undefined && stored.base64 === undefined)
    return as === 'text' ? '' : as === 'bytes' ? new Uint8Array() : undefined;
  const bytes = () => fetched ?? bytesOf(stored);
  if (as === 'bytes') return bytes();
  const type = stored.headers['content-type'];
  if (as === 'json' || (as === undefined && type !== undefined && JSON_TYPE.test(type))) {
    const text = textOf(stored, fetched, stored.truncated ? 'some' : 'all');
    // A body that was cut is no JSON any more: what came is handed over as it is.
    return stored.truncated ? text : JSON.parse(withoutMark(text));
  }
  const utf8 = stored.text !== undefined || stored.body?.utf8 === true;
  return as === 'text' || (type === undefined ? utf8 : TEXT_TYPE.test(type)) ? textOf(stored, fetched, 'some') : bytes();
}

export function bytesOf({ text, base64 }: StoredReply): Uint8Array<ArrayBuffer> {
  // A copy of its own: small Buffers are windows on a pool that others write into.
  return new Uint8Array(text === undefined ? Buffer.from(base64 ?? '', 'base64') : Buffer.from(text, 'utf8'));
}

type Must = 'all' | 'some' | 'any';

function textOf(stored: StoredReply, fetched: Uint8Array | undefined, must?: Must): string {
  return stored.text ?? decodeText(stored, fetched ?? bytesOf(stored), must);
}

/**
 * `bytes`: of its body, wherever they were. `must`: be read in `all` its bytes; in `some`, and what cannot be read is marked, as fetch
 * does; or in `any` charset at all.
 */
export function decodeText({ headers, text, body }: StoredReply, bytes: Uint8Array, must: Must = 'any'): string {
  if (text !== undefined || body?.utf8) return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  const charset = /charset\s*=\s*"?([\w.:-]+)/i.exec(headers['content-type'] ?? '')?.[1] ?? 'utf-8';
  try {
    return new TextDecoder(charset, { fatal: must === 'all' }).decode(bytes);
  } catch (error) {
    if (must !== 'any') throw error;
    return new TextDecoder().decode(bytes);
  }
}

/** JSON may not begin with a byte order mark, and some does. */
export function withoutMark(text: string): string {
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}
