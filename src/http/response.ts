/** The `Response` that `connection.fetch` gives: a real one, made of the journal's reply, live and on every replay alike. */
import { STATUS_CODES } from 'node:http';
import { pieces } from './bodies/pieces.ts';
import { type Call, capOf } from './call.ts';
import { overCap, reviveCallError } from './errors.ts';
import { bytesOf, type Fetched, type StoredReply } from './reply.ts';

/** Statuses that a Response may not have a body with. */
export const BODILESS: ReadonlySet<number> = new Set([204, 205, 304]);

/** Carries `x-should-retry: false`: what is left to be done about it has been done, an SDK's own retries would come on top. */
export function responseOf(text: string, call: Call, { bytes }: Fetched = {}): Response {
  const stored = JSON.parse(text) as StoredReply & { live?: true };
  if (stored.truncated) throw overCap(capOf(call), stored.status);
  const { origin, prefix } = call.core.base();
  const asked = `${origin}${prefix}${call.path}`;
  if (stored.live || stored.pieces) return dressed(stored, stored.live ? (call.live?.body ?? null) : replayed(stored), asked);
  const empty = bytes === undefined && stored.text === undefined && stored.base64 === undefined;
  return dressed(stored, BODILESS.has(stored.status) || empty ? null : (bytes ?? bytesOf(stored)), asked);
}

/** Piece by piece as it was given live, to the same end. */
function replayed(stored: StoredReply): ReadableStream<Uint8Array> {
  const body = pieces(() => {});
  const bytes = bytesOf(stored);
  let at = 0;
  for (const length of stored.pieces ?? []) {
    body.push(bytes.subarray(at, at + length));
    at += length;
  }
  body.end(stored.broken && reviveCallError(stored.broken, undefined));
  return body.stream;
}

function dressed(
  { status, headers: given, url }: StoredReply,
  body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null,
  asked: string,
): Response {
  const headers = new Headers(given);
  // By the name that SDKs made by generators read, and by Stripe's.
  for (const name of ['x-should-retry', 'stripe-should-retry']) headers.set(name, 'false');
  // Some servers make up statuses that a Response cannot be made with.
  const registered = status <= 599;
  const response = new Response(body, { status: registered ? status : 500, statusText: STATUS_CODES[status] ?? '', headers });
  return dress(response, { url: url ?? asked, redirected: url !== undefined, ...(registered ? {} : { status }) });
}

/** What only the platform can give a Response, its copies included. */
function dress(response: Response, about: { url: string; redirected: boolean; status?: number }): Response {
  const values: PropertyDescriptorMap = {
    url: { value: about.url },
    redirected: { value: about.redirected },
    clone: { value: () => dress(Response.prototype.clone.call(response), about) },
  };
  if (about.status !== undefined) values.status = { value: about.status };
  return Object.defineProperties(response, values);
}
