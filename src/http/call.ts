/** One logical call, ready to become an operation: method, path, body, settings. Builds from the options of a verb; sends nothing. */
import type { Effect } from '../engine/operation.ts';
import { type Body, bodyOf } from './body.ts';
import { type Core, effectOf, settingsFor } from './core.ts';
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
  /** Every final answer is a reply, whatever its status: `fetch`. */
  readonly everyStatus: boolean;
};

const FIELDS = new Set<string>([...COMMON_FIELDS, 'query', 'as', 'schema', 'key', 'label', 'json', 'form', 'multipart', 'body']);
export const AGENT = 'holdfast';
const ACCEPT = 'application/json, */*;q=0.8';
export const ENCODINGS = 'gzip, deflate, br';

/** Throws `E_BAD_OPTION`, `E_BAD_DURATION`, `E_REQUEST_INVALID`, `E_NOT_SERIALISABLE`. */
export function buildCall(core: Core, method: string, path: string, options: BodyOptions): Call {
  const label = options.label === undefined ? `${method} ${core.id} ${shown(path)}` : `${method} ${core.id} ${String(options.label)}`;
  onlyKnown(options, FIELDS, label);
  const settings = settle(settingsFor(core, method, path), options, label);
  if (options.as !== undefined && !['json', 'text', 'bytes', 'file'].includes(options.as))
    bad(label, 'as', "must be 'json' | 'text' | 'bytes' | 'file'");
  if (options.as === 'file' && options.schema !== undefined) bad(label, 'schema', "cannot be given with as: 'file', which reads nothing");
  if (options.key !== undefined && (typeof options.key !== 'string' || options.key === '')) bad(label, 'key', 'must be a text');
  checkSchema(options.schema, label);
  const body = bodyOf(method, options, settings.arrays, label);
  const named = statusesOf(options.schema);
  return {
    core,
    method,
    path: requestPath(path, options.query, settings.arrays, label),
    label,
    headers: {
      accept: ACCEPT,
      'accept-encoding': ENCODINGS,
      'user-agent': AGENT,
      ...(body.type === undefined ? {} : { 'content-type': body.type }),
      ...settings.headers,
    },
    body: body.body,
    ...(body.hash === undefined ? {} : { bodyHash: body.hash }),
    ...(options.json === undefined ? {} : { json: options.json }),
    settings,
    effect: effectOf(core, settings, method, label),
    accepted: named.length === 0 ? settings.acceptStatus : new Set([...settings.acceptStatus, ...named]),
    ...(options.as === undefined ? {} : { as: options.as }),
    ...(options.key === undefined ? {} : { key: options.key }),
    everyStatus: false,
  };
}

/** Queries may hold what is not for logs. */
export function shown(path: string): string {
  return String(path).split('?', 1)[0] as string;
}
