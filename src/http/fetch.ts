/** `fetch` over a connection: takes what `fetch` takes, gives a real `Response` for every final status, with the call's durability. */
import { pathBelow } from './base-url.ts';
import { AGENT, type Call, ENCODINGS, fingerprint, shown } from './call.ts';
import { type Core, effectOf, settingsFor } from './core.ts';
import { CallError } from './errors.ts';
import { isSendableHeader, reservedHeader } from './headers.ts';
import { encodeForm } from './multipart.ts';
import { requestPath } from './path.ts';
import { bytesOf, type StoredReply } from './reply.ts';

export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** Rejects with `E_REQUEST_INVALID` for URLs of another origin: the connection's credentials are for its own API. */
export async function callOfFetch(core: Core, input: string | URL | Request, init: RequestInit = {}): Promise<Call> {
  const request = input instanceof Request ? input : undefined;
  const method = (init.method ?? request?.method ?? 'GET').toUpperCase();
  const path = relativePath(core, request?.url ?? String(input), method);
  const label = `${method} ${core.id} ${shown(path)}`;
  const { body, type } = await bodyOf(init.body ?? undefined, request, method, label);
  const settings = settingsFor(core, method, path);
  const headers: Record<string, string> = {
    accept: '*/*',
    'accept-encoding': ENCODINGS,
    'user-agent': AGENT,
    ...settings.headers,
    ...headersOf(init.headers ?? request?.headers, label),
  };
  if (type !== undefined && (headers['content-type'] === undefined || type.startsWith('multipart/'))) headers['content-type'] = type;
  return {
    core,
    method,
    path: requestPath(path, undefined, 'repeat', label),
    label,
    headers,
    body,
    ...(body === null ? {} : { bodyHash: fingerprint(body) }),
    settings,
    effect: effectOf(core, settings, method, label),
    accepted: settings.acceptStatus,
    everyStatus: true,
  };
}

/** Statuses that a Response may not have a body with. */
const BODILESS = new Set([204, 205, 304]);

/** Carries `x-should-retry: false`: what is left to be done about it has been done, an SDK's own retries would come on top. */
export function responseOf(text: string, call: Call): Response {
  const stored = JSON.parse(text) as StoredReply;
  if (stored.truncated) {
    const { limits } = call.settings;
    throw new CallError(
      'E_CALL_FAILED',
      `${call.label}: the body of the answer (${stored.status}) is over maxBody (${limits.maxBody} bytes)`,
      {
        status: stored.status,
        connection: call.core.name,
      },
    );
  }
  const headers = new Headers(stored.headers);
  headers.set('x-should-retry', 'false');
  const empty = BODILESS.has(stored.status) || (stored.text === undefined && stored.base64 === undefined);
  const response = new Response(empty ? null : (stored.text ?? bytesOf(stored)), { status: stored.status, headers });
  // A text given to Response names a content type of its own where there is none.
  if (stored.headers['content-type'] === undefined) response.headers.delete('content-type');
  const { origin, prefix } = call.core.base();
  return Object.defineProperty(response, 'url', { value: `${origin}${prefix}${call.path}` });
}

function relativePath(core: Core, url: string, method: string): string {
  if (!/^[a-z][a-z0-9+.-]*:/i.test(url)) return url;
  const base = core.base();
  const { origin, prefix } = base;
  const path = URL.canParse(url) ? pathBelow(base, new URL(url)) : undefined;
  if (path === undefined) {
    throw new CallError(
      'E_REQUEST_INVALID',
      `${method} ${core.id}: fetch is for URLs below the connection's baseUrl, ${origin}${prefix}; use a connection of its own for others`,
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
  for (const [name, value] of new Headers(given)) {
    if (reservedHeader(name)) continue;
    if (!isSendableHeader(name, value))
      throw new CallError('E_REQUEST_INVALID', `${label}: the header ${name} cannot be sent`, { field: `headers.${name}` });
    headers[name] = value;
  }
  return headers;
}

type Encoded = { body: string | Uint8Array | null; type?: string };

async function bodyOf(body: RequestInit['body'], request: Request | undefined, method: string, label: string): Promise<Encoded> {
  if (body === undefined || body === null) {
    if (!request?.body) return { body: null };
    return { body: new Uint8Array(await request.clone().arrayBuffer()) };
  }
  if (method === 'GET' || method === 'HEAD')
    throw new CallError('E_REQUEST_INVALID', `${label}: a ${method} cannot have a body`, { field: 'body' });
  // Read at once where that is possible: a call is best issued in the very turn in which it is written.
  if (typeof body === 'string') return { body, type: 'text/plain;charset=UTF-8' };
  if (body instanceof URLSearchParams) return { body: body.toString(), type: 'application/x-www-form-urlencoded;charset=UTF-8' };
  if (body instanceof ArrayBuffer) return { body: new Uint8Array(body.slice(0)) };
  if (ArrayBuffer.isView(body)) return { body: new Uint8Array(body.buffer, body.byteOffset, body.byteLength).slice() };
  if (body instanceof FormData) return encodeForm(body);
  const type = body instanceof Blob && body.type !== '' ? body.type : undefined;
  const bytes = new Uint8Array(await new Response(body as ConstructorParameters<typeof Response>[0]).arrayBuffer());
  return { body: bytes, ...(type === undefined ? {} : { type }) };
}
