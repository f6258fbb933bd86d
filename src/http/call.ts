/** One logical call, ready to become an operation: method, path, body, settings. Builds from the options of a verb; sends nothing. */
import type { Effect } from '../engine/operation.ts';
import { type Body, bodyOf } from './bodies/body.ts';
import { type Core, effectOf, type Judge, settingsFor } from './core.ts';
import { checkCarries, keyField } from './key-field.ts';
import type { As, BodyOptions } from './options.ts';
import { requestPath } from './path.ts';
import { checkSchema, statusesOf } from './schema.ts';
import { bad, COMMON_FIELDS, onlyKnown, type Settings, settle } from './settings.ts';

export type Call = {
  readonly core: Core;
  readonly method: string;
  /** With query, relative to the base URL. */
  readonly path: string;
  readonly label: string;
  /** Lower-case names; what does not depend on secrets. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Body['body'];
  /** Of the body; of canonical JSON where it is given as `json`. Absent where the body is known only when it is read. */
  readonly bodyHash?: string;
  readonly json?: unknown;
  readonly settings: Settings;
  readonly effect: Effect;
  readonly accepted: ReadonlySet<number>;
  readonly as?: As;
  readonly key?: string;
  /** `manual`: a redirect is an answer like any other. */
  readonly redirects: 'error' | 'follow' | 'manual';
  /** Every final answer is a reply, whatever its status: `fetch`. */
  readonly everyStatus: boolean;
  readonly signal?: AbortSignal;
  /** `fetch`: where user code finds the body of a reply that is still coming. */
  readonly live?: { body?: ReadableStream<Uint8Array> };
  /** The idempotency key that an SDK put into the body: ours takes its place. */
  readonly bodyKey?: string;
  /** What reads its replies: the connection's, unless the kind of call brings its own. */
  readonly judge: Judge;
  /** Loads what `judge` needs, before an attempt. */
  readonly load?: () => Promise<void>;
};

export const CALL_FIELDS: ReadonlySet<string> = new Set([
  ...COMMON_FIELDS,
  'query',
  'as',
  'schema',
  'key',
  'label',
  'signal',
  'json',
  'form',
  'multipart',
  'body',
]);
export const AGENT = 'holdfast';
const ACCEPT = 'application/json, */*;q=0.8';
export const ENCODINGS = 'gzip, deflate, br';

/** Throws `E_BAD_OPTION`, `E_BAD_DURATION`, `E_REQUEST_INVALID`, `E_NOT_SERIALISABLE`. */
export function buildCall(core: Core, method: string, path: string, options: BodyOptions): Call {
  const base = settingsFor(core, method, path);
  const label = labelOf(core, method, path, options.hidePath ?? base.hidePath, options.label);
  onlyKnown(options, CALL_FIELDS, label);
  const settings = settle(base, options, label);
  if (options.as !== undefined && !['json', 'text', 'bytes', 'file'].includes(options.as))
    bad(label, 'as', "must be 'json' | 'text' | 'bytes' | 'file'");
  if (options.as === 'file' && options.schema !== undefined) bad(label, 'schema', "cannot be given with as: 'file', which reads nothing");
  if (options.key !== undefined && (typeof options.key !== 'string' || options.key === '')) bad(label, 'key', 'must be a text');
  if (options.signal !== undefined && !(options.signal instanceof AbortSignal)) bad(label, 'signal', 'must be an AbortSignal');
  checkSchema(options.schema, label);
  const body = bodyOf(method, options, settings.arrays, label);
  const effect = effectOf(core, settings, method, label);
  const field = keyField(core, effect);
  if (field !== undefined) checkCarries(options.json, field, label);
  const named = statusesOf(options.schema);
  const call: { -readonly [Field in keyof Call]: Call[Field] } = {
    core,
    method,
    path: requestPath(path, options.query, settings.arrays, label),
    label,
    headers:
      options.headers === undefined && body.type === undefined ? usualHeaders(settings.headers) : headersOf(settings.headers, body.type),
    body: body.body,
    settings,
    effect,
    accepted: named.length === 0 ? settings.acceptStatus : new Set([...settings.acceptStatus, ...named]),
    redirects: settings.redirects,
    everyStatus: false,
    judge: core.judge,
  };
  if (body.hash !== undefined) call.bodyHash = body.hash;
  if (options.json !== undefined) call.json = options.json;
  if (options.as !== undefined) call.as = options.as;
  if (options.key !== undefined) call.key = options.key;
  if (options.signal !== undefined) call.signal = options.signal;
  return call;
}

/** By those of connection or route: one object for all calls that bring none of their own. */
const usual = new WeakMap<Settings['headers'], Call['headers']>();

function usualHeaders(own: Settings['headers']): Call['headers'] {
  let known = usual.get(own);
  if (known === undefined) {
    known = Object.freeze(headersOf(own, undefined));
    usual.set(own, known);
  }
  return known;
}

function headersOf(own: Settings['headers'], type: string | undefined): Call['headers'] {
  return {
    accept: ACCEPT,
    'accept-encoding': ENCODINGS,
    'user-agent': AGENT,
    ...(type === undefined ? {} : { 'content-type': type }),
    ...own,
  };
}

/** For people, and in every error from the first on. */
export function labelOf(core: Core, method: string, path: string, hidden?: boolean, label?: string): string {
  return `${method} ${core.id} ${label === undefined ? (hidden ? HIDDEN_PATH : shown(path)) : String(label)}`;
}

/** Whether the path is not for people, by call, route and connection. */
export function hiddenBy(core: Core, method: string, path: string, { hidePath }: { hidePath?: boolean }): boolean {
  return hidePath ?? settingsFor(core, method, path).hidePath ?? false;
}

const HIDDEN_PATH = '‹hidden path›';

/** Queries may hold what is not for logs. */
export function shown(path: string): string {
  const text = String(path);
  const mark = text.indexOf('?');
  return mark === -1 ? text : text.slice(0, mark);
}

/** What an error about a body that is too long says of its call. */
export function capOf({ label, core, settings }: Call): { label: string; maxBody: number; connection: string } {
  return { label, maxBody: settings.limits.maxBody, connection: core.name };
}
