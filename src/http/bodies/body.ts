/**
 * The body of a call from its options: what is sent, under which type, and by which hash it is told from another. What is in memory
 * is encoded here, at once; what is not is described, and read by upload.ts each time it is sent.
 */
import { hash } from 'node:crypto';
import { canonicalJson, encodeJson, type Json } from '../../engine/json.ts';
import type { Arrays, BodyOptions, FormFields, FormValue, UploadBody } from '../options.ts';
import { CONTENT, type Content, type StoredBody } from '../reply.ts';
import { bad } from '../settings.ts';
import { encodeParts, type MemoryPart, partHead } from './multipart.ts';

/** A body that is not in memory. */
export type Source =
  | { readonly kind: 'blob'; readonly blob: Blob }
  | { readonly kind: 'stored'; readonly content: Extract<Content, { stored: unknown }> }
  /** Called for every sending. */
  | { readonly kind: 'made'; readonly make: () => AsyncIterable<Uint8Array | string> }
  /** It can be read once: kept on the way of the first sending. */
  | { readonly kind: 'once'; readonly iterable: AsyncIterable<Uint8Array | string> }
  /** Its boundary is chosen when it is sent. */
  | { readonly kind: 'multipart'; readonly parts: readonly Part[] };

export type Part = { readonly head: string; readonly content: Uint8Array | Extract<Source, { kind: 'blob' | 'stored' }> };

/** `hash`: absent where what is sent is known only when it is read. */
export type Body = { readonly body: string | Uint8Array | Source | null; readonly type?: string; readonly hash?: string };

export function isSource(body: Body['body']): body is Source {
  return typeof body === 'object' && body !== null && 'kind' in body;
}

const NO_BODY: Body = { body: null };
const FIELDS = ['json', 'form', 'multipart', 'body'] as const;

/** Throws `E_BAD_OPTION`, `E_NOT_SERIALISABLE`. */
export function bodyOf(method: string, options: BodyOptions, arrays: Arrays, label: string): Body {
  const { json, form, multipart, body } = options;
  if (json === undefined && form === undefined && multipart === undefined && body === undefined) return NO_BODY;
  const [field, second] = FIELDS.filter((name) => options[name] !== undefined);
  if (field === undefined) return NO_BODY;
  if (second !== undefined) bad(label, field, `and ${second} cannot both be given`);
  if (method === 'GET' || method === 'HEAD') bad(label, field, `cannot be given with ${method}`);
  switch (field) {
    case 'json': {
      const text = encodeJson(options.json, `the json of ${label}`) as string;
      return { body: text, type: 'application/json', hash: fingerprint(canonicalJson(options.json as Json)) };
    }
    case 'form':
      return formOf(options.form as FormFields, arrays, label);
    case 'multipart':
      return multipartOf(options.multipart as FormData | FormFields, label);
    case 'body':
      return given(options.body as UploadBody, label);
  }
}

function given(body: UploadBody, label: string): Body {
  // A copy: what is sent later must be what its hash says.
  if (typeof body === 'string' || body instanceof Uint8Array) return inMemory(typeof body === 'string' ? body : new Uint8Array(body));
  if (body instanceof Blob) return { body: { kind: 'blob', blob: body }, ...typed(body.type), hash: fingerprint(nameOf(body)) };
  const content = storedIn(body);
  if (content) {
    if ('bytes' in content) return { ...inMemory(content.bytes), ...typed((body as StoredBody).type) };
    return { body: { kind: 'stored', content }, ...typed((body as StoredBody).type), hash: fingerprint(nameOf(body as StoredBody)) };
  }
  if (typeof body === 'function') return { body: { kind: 'made', make: body } };
  if (typeof (body as Partial<AsyncIterable<Uint8Array>> | null)?.[Symbol.asyncIterator] === 'function') {
    return { body: { kind: 'once', iterable: body as AsyncIterable<Uint8Array> } };
  }
  return bad(
    label,
    'body',
    'must be a text, a Uint8Array, a Blob, a StoredBody, an async iterable of Uint8Array, or a function that makes one; for JSON use json',
  );
}

const inMemory = (content: string | Uint8Array): Body => ({ body: content, hash: fingerprint(content) });
const typed = (type: string | undefined): { type?: string } => (type === undefined || type === '' ? {} : { type });

/** By what a file is told from another without reading it. */
function nameOf(file: Blob | StoredBody): string {
  if (file instanceof Blob) return `blob ${file.size} ${file.type}`;
  const content = storedIn(file) as Content;
  return 'stored' in content ? `stored ${content.stored.ref}` : fingerprint(content.bytes);
}

function storedIn(value: unknown): Content | undefined {
  return typeof value === 'object' && value !== null ? (value as { [CONTENT]?: Content })[CONTENT] : undefined;
}

// ---------------------------------------------------------------------- application/x-www-form-urlencoded

const FORM_TYPE = 'application/x-www-form-urlencoded';

function formOf(form: FormFields | URLSearchParams, arrays: Arrays, label: string): Body {
  const pairs = form instanceof URLSearchParams ? [...form] : pairsOf(form, arrays, label);
  // The order of fields says nothing, that of equal names does; sorting is stable.
  const sorted = pairs.toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return { body: new URLSearchParams(pairs).toString(), type: FORM_TYPE, hash: fingerprint(new URLSearchParams(sorted).toString()) };
}

function pairsOf(form: FormFields, arrays: Arrays, label: string): Array<[string, string]> {
  if (typeof form !== 'object' || form === null || Array.isArray(form)) bad(label, 'form', 'must be an object, or URLSearchParams');
  const pairs: Array<[string, string]> = [];
  const add = (name: string, value: unknown): void => {
    if (value === undefined || value === null) return;
    if (Array.isArray(value)) {
      if (arrays === 'comma') add(name, value.filter((one) => one !== undefined && one !== null).join(','));
      else for (const one of value as unknown[]) add(arrays === 'brackets' ? `${name}[]` : name, one);
    } else if (typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype) {
      for (const [key, one] of Object.entries(value)) add(`${name}[${key}]`, one);
    } else if (typeof value === 'object' || typeof value === 'function' || typeof value === 'symbol') {
      bad(label, `form.${name}`, 'must be a text, a number, a boolean, or a list or an object of them; files go with multipart');
    } else pairs.push([name, String(value)]);
  };
  for (const [name, value] of Object.entries(form)) add(name, value);
  return pairs;
}

// ---------------------------------------------------------------------- multipart/form-data

function multipartOf(form: FormData | FormFields, label: string): Body {
  if (typeof form !== 'object' || form === null || Array.isArray(form)) bad(label, 'multipart', 'must be FormData, or an object of fields');
  const entries =
    form instanceof FormData
      ? [...form]
      : Object.entries(form).flatMap(([name, value]) => each(name, value as FormValue | readonly FormValue[]));
  const names: string[] = [];
  const parts = entries.map(([name, value]): Part => {
    const part = partOf(name, value, label);
    names.push(
      `${part.head.length} ${part.head} ${part.content instanceof Uint8Array ? fingerprint(part.content) : nameOf(value as Blob)}`,
    );
    return part;
  });
  if (parts.every((part): part is MemoryPart => part.content instanceof Uint8Array)) {
    const { body, type } = encodeParts(parts);
    return { body, type, hash: fingerprint(body) };
  }
  return { body: { kind: 'multipart', parts }, hash: fingerprint(names.join('\n')) };
}

function each(name: string, value: FormValue | readonly FormValue[]): Array<[string, FormValue]> {
  const list: readonly FormValue[] = Array.isArray(value) ? value : [value as FormValue];
  return list.filter((one) => one !== undefined && one !== null).map((one) => [name, one]);
}

function partOf(name: string, value: unknown, label: string): Part {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
    return { head: partHead(name), content: Buffer.from(String(value).replace(/\r\n|\r|\n/g, '\r\n')) };
  }
  if (value instanceof Uint8Array) return { head: partHead(name, { filename: name }), content: new Uint8Array(value) };
  if (value instanceof Blob) {
    const filename = value instanceof File ? value.name : name;
    return { head: partHead(name, { filename, type: value.type }), content: { kind: 'blob', blob: value } };
  }
  const content = storedIn(value);
  if (content) {
    const head = partHead(name, { filename: name, type: (value as StoredBody).type ?? '' });
    return { head, content: 'bytes' in content ? content.bytes : { kind: 'stored', content } };
  }
  return bad(label, `multipart.${name}`, 'must be a text, a number, a boolean, a Uint8Array, a Blob, a StoredBody, or a list of them');
}

export function fingerprint(content: string | Uint8Array): string {
  return hash('sha256', content, 'base64url');
}
