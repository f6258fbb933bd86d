/** `fetch` over a connection: takes what `fetch` takes and makes a call of it. What it gives is response.ts. */
import { pathBelow } from './base-url.ts';
import { fingerprint } from './bodies/body.ts';
import { encodeForm, settleBoundary } from './bodies/multipart.ts';
import { AGENT, type Call, ENCODINGS, labelOf } from './call.ts';
import { type Core, effectOf, settingsFor } from './core.ts';
import { CallError } from './errors.ts';
import { isSendableHeader, reservedHeader } from './headers.ts';
import { keyField, withoutKey } from './key-field.ts';
import { requestPath } from './path.ts';
import type { Settings } from './settings.ts';

export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** Rejects with `E_REQUEST_INVALID` for URLs of another origin: the connection's credentials are for its own API. */
export async function callOfFetch(core: Core, input: string | URL | Request, init: RequestInit = {}): Promise<Call> {
  const request = requestOf(input);
  const method = String(init.method ?? request?.method ?? 'GET').toUpperCase();
  const path = relativePath(core, request?.url ?? String(input), method);
  const settings = settingsFor(core, method, path);
  const label = labelOf(core, method, path, settings.hidePath);
  const given = headersOf(init.headers ?? request?.headers, label);
  const stated = given['content-type'] ?? settings.headers['content-type'];
  const { body: content, type } = await bodyOf(init.body ?? undefined, request, method, stated, label);
  const effect = effectOf(core, settings, method, label);
  const field = keyField(core, effect);
  const { body, given: bodyKey }: { body: typeof content; given?: string } =
    field === undefined ? { body: content } : withoutKey(content, field, label);
  const headers: Record<string, string> = {
    accept: '*/*',
    'accept-encoding': ENCODINGS,
    'user-agent': AGENT,
    ...settings.headers,
    ...given,
  };
  if (type !== undefined) headers['content-type'] = type;
  const signal = init.signal === undefined ? request?.signal : init.signal;
  return {
    core,
    method,
    path: requestPath(path, undefined, 'repeat', label),
    label,
    headers,
    body,
    ...(body === null ? {} : { bodyHash: fingerprint(body) }),
    settings,
    effect,
    accepted: settings.acceptStatus,
    redirects: redirectsOf(init.redirect, request, settings.redirects),
    everyStatus: true,
    live: {},
    ...(signal ? { signal } : {}),
    judge: core.judge,
    ...(bodyKey === undefined ? {} : { bodyKey }),
  };
}

/** What `fetch` follows by default is followed where the connection says so, and is an answer where it does not. */
function redirectsOf(given: RequestInit['redirect'], request: Request | undefined, settled: Settings['redirects']): Call['redirects'] {
  // Every Request says `follow` unless it was told otherwise.
  const said = given ?? (request?.redirect === 'follow' ? undefined : request?.redirect);
  return said ?? (settled === 'follow' ? 'follow' : 'manual');
}

/** Also one of another implementation: SDKs bring their own. */
function requestOf(input: string | URL | Request): Request | undefined {
  return typeof input === 'object' && !(input instanceof URL) && 'url' in input ? input : undefined;
}

function relativePath(core: Core, url: string, method: string): string {
  if (!/^[a-z][a-z0-9+.-]*:/i.test(url)) return url;
  const base = core.base();
  const { origin, prefix } = base;
  const path = URL.canParse(url) ? pathBelow(base, new URL(url)) : undefined;
  if (path === undefined) {
    throw new CallError(
      'E_REQUEST_INVALID',
      `${method} ${core.id}: fetch is for URLs below the connection's baseUrl, ${origin}${prefix}, without credentials in them; use a connection of its own for others`,
      {
        connection: core.name,
        field: 'input',
      },
    );
  }
  return path;
}

/** What belongs to the socket is ours to say; everything else is sent as given. */
function headersOf(given: RequestInit['headers'], label: string): Record<string, string> {
  const headers: Record<string, string> = {};
  if (given === undefined) return headers;
  let all: Headers;
  try {
    all = new Headers(given);
  } catch {
    // The platform's own words would show the value, which may be a credential.
    const problem = 'its headers cannot be sent: one has an invalid name, or a value with line breaks or beyond latin-1';
    throw new CallError('E_REQUEST_INVALID', `${label}: ${problem}`, { field: 'headers' });
  }
  for (const [name, value] of all) {
    if (reservedHeader(name)) continue;
    if (!isSendableHeader(name, value))
      throw new CallError('E_REQUEST_INVALID', `${label}: the header ${name} cannot be sent`, { field: `headers.${name}` });
    headers[name] = value;
  }
  return headers;
}

/** `type`: the content type that follows from the body; absent where the one given, or none, is right. */
type Encoded = { body: string | Uint8Array | null; type?: string };

async function bodyOf(
  body: RequestInit['body'],
  request: Request | undefined,
  method: string,
  given: string | undefined,
  label: string,
): Promise<Encoded> {
  const content = body ?? request?.body ?? undefined;
  if (content === undefined) return { body: null };
  if (method === 'GET' || method === 'HEAD')
    throw new CallError('E_REQUEST_INVALID', `${label}: a ${method} cannot have a body`, { field: 'body' });
  // Of a copy, so that whoever gave the Request can still read it, or send it again.
  if (body === undefined || body === null) return withBoundary(new Uint8Array(await (request as Request).clone().arrayBuffer()), given);
  // Read at once where that is possible: a call is best issued in the very turn in which it is written.
  if (typeof body === 'string') return withBoundary(body, given ?? 'text/plain;charset=UTF-8');
  if (body instanceof URLSearchParams) return withType(body.toString(), given, 'application/x-www-form-urlencoded;charset=UTF-8');
  if (body instanceof ArrayBuffer) return withBoundary(new Uint8Array(body.slice(0)), given);
  if (ArrayBuffer.isView(body)) return withBoundary(new Uint8Array(body.buffer, body.byteOffset, body.byteLength).slice(), given);
  if (body instanceof FormData) return encodeForm(body);
  const bytes = new Uint8Array(await new Response(body as ConstructorParameters<typeof Response>[0]).arrayBuffer());
  return withBoundary(bytes, given ?? (body instanceof Blob && body.type !== '' ? body.type : undefined));
}

function withType(body: string | Uint8Array, given: string | undefined, otherwise: string): Encoded {
  return given === undefined ? { body, type: otherwise } : { body };
}

/** Forms that came encoded have a boundary that chance made up: it would make another call of each replay. */
function withBoundary(body: string | Uint8Array, type: string | undefined): Encoded {
  if (type === undefined) return { body };
  return /^multipart\//i.test(type) ? settleBoundary(body, type) : { body, type };
}
