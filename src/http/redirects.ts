/**
 * Follows a redirect of a GET or HEAD, hop by hop, within one attempt: where it may lead, and what may be sent there. Loaded by the
 * first attempt that meets one. Methods are never rewritten; every hop is a new connection, opened under the guard like any other.
 */
import { isUtf8 } from 'node:buffer';
import { isIP } from 'node:net';
import type { Clock } from '../engine/ports.ts';
import { isRedirect } from './classify.ts';
import type { Hop, WireEvent } from './exchange.ts';
import { spelledIn } from './secrecy/spellings.ts';
import type { Transport, WireRequest } from './transport.ts';

const MAX_HOPS = 3;
/** What may be said to a stranger. Everything else was meant for the API: credentials, cookies, keys, and headers of the user's own. */
const HARMLESS = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'range',
  'user-agent',
]);

export type Trail = {
  readonly transport: Transport;
  readonly clock: Clock;
  /** Not to be seen in what is recorded of the hops, nor to be sent to another origin because the API put them into its `Location`. */
  readonly secrets: readonly string[];
  /** Nothing is to be seen of paths. */
  readonly hidePath: boolean;
  /** Statuses that are replies, and followed no further. */
  readonly accepted: ReadonlySet<number>;
  /** Whether the answer is to say where it came from: whole URLs hold what others need not read, and only a Response has one. */
  readonly telling: boolean;
};

type Answered = Extract<WireEvent, { phase: 'answered' }>;

/** The event that the chain which begins with `first`, the answer to `request`, ends in. Takes no longer than `request` had in all. */
export async function follow(
  first: Answered,
  request: WireRequest,
  { transport, clock, secrets, hidePath, accepted, telling }: Trail,
): Promise<WireEvent> {
  const began = clock.now() - first.timings.total;
  const visited = new Set([request.origin + request.path]);
  const hops: Hop[] = [];
  let asked = request;
  let event: Answered = first;
  for (;;) {
    const to = target(event.headers.location, new URL(asked.origin + asked.path));
    const stopped =
      'refused' in to
        ? to.refused
        : visited.has(to.url.origin + pathOf(to.url))
          ? 'it leads in a circle'
          : hops.length >= MAX_HOPS
            ? `there are more than ${MAX_HOPS} in a row`
            : to.url.origin !== request.origin && holds(to.url.href, secrets)
              ? 'it would carry a credential to another origin'
              : undefined;
    if (stopped !== undefined || 'refused' in to) return { ...event, hops, stopped: stopped ?? '' };
    const { url } = to;
    visited.add(url.origin + pathOf(url));
    hops.push({ status: event.status, to: shown(url, hidePath || holds(url.pathname, secrets)) });
    const left = request.limits.total - (clock.now() - began);
    asked = {
      ...asked,
      origin: url.origin,
      path: pathOf(url),
      headers: url.origin === asked.origin ? asked.headers : harmless(asked.headers),
      limits: { ...request.limits, total: Math.max(1, left) },
      fresh: true,
    };
    const next = await transport.send(asked);
    const all = { hops, timings: { ...next.timings, total: clock.now() - began } };
    if (next.phase !== 'answered') return { ...next, ...all };
    const strange = event.stranger === true || asked.origin !== request.origin;
    event = { ...next, ...all, ...(telling ? { url: url.href } : {}), ...(strange ? { stranger: true } : {}) };
    if (!isRedirect(event.status) || accepted.has(event.status)) return event;
  }
}

/** Where a `Location` leads (RFC 9110, section 10.2.2), or why nobody should go there. */
export function target(header: string | undefined, from: URL): { url: URL } | { refused: string } {
  if (header === undefined || header === '') return { refused: 'it does not say where to' };
  const location = asMeant(header);
  if (!URL.canParse(location, from.href)) return { refused: 'where it leads to is no URL' };
  const url = new URL(location, from.href);
  url.hash = '';
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return { refused: 'it leads to what is neither http nor https' };
  if (from.protocol === 'https:' && url.protocol === 'http:') return { refused: 'it leads from https to plain http' };
  if (url.username !== '' || url.password !== '') return { refused: 'it has a user or password in its URL' };
  return { url };
}

/** Headers are read as latin-1; what is not ASCII in one is UTF-8, if it can be. */
function asMeant(header: string): string {
  if (!/[\x80-\xff]/.test(header)) return header;
  const bytes = Buffer.from(header, 'latin1');
  return isUtf8(bytes) ? bytes.toString('utf8') : header;
}

function harmless(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => HARMLESS.has(name)));
}

/** Shorter ones would be found in innocent URLs, as in redact.ts. */
const holds = (text: string, secrets: readonly string[]): boolean =>
  secrets.some((secret) => secret.length >= 8 && spelledIn(text, secret)?.length !== 0);

const pathOf = ({ pathname, search }: URL): string => pathname + search;

/** For the record: no query, no secret that was put into the path, and no address, which may be the one that the guard will refuse. */
function shown({ protocol, hostname, port, pathname }: URL, hidden: boolean): string {
  const host = isIP(hostname.replace(/^\[|\]$/g, '')) === 0 ? hostname : '‹address›';
  return `${protocol}//${host}${port === '' ? '' : `:${port}`}${hidden ? '/…' : pathname}`.slice(0, 300);
}
