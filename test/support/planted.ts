/** Secrets that are planted, an API that shows callers what they sent in every way there is, and the search for what got out. */
import { gzipSync } from 'node:zlib';
import type { Entropy } from '../../src/engine/ports.ts';
import type { Fate, Received } from './hostile-server.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
/** What some writer escapes, and may stand in a header and in a line of a file. */
const AWKWARD = ['', '+', '/', '=', '%', '&', '<', '"', "'", '\\', '~', '@', ':', '{', ';', '$'];

export type Planted = {
  readonly value: string /** Letters and digits alone: in whatever spelling it gets out, this is in it. */;
  readonly core: string;
};

export function plant(entropy: Entropy): Planted {
  const pick = <T>(of: ArrayLike<T>): T => of[Math.floor(entropy.random() * of.length)] as T;
  const core = Array.from({ length: 22 }, () => pick(ALPHABET)).join('');
  return { core, value: `p${pick(AWKWARD)}${pick(AWKWARD)}${core}${pick(AWKWARD)}${pick(AWKWARD)}q` };
}

/** What was received as credential; of basic auth also what is in it. */
function sentBy({ headers, url }: Received): { credential: string; inside: string } {
  const asked = new URL(url, 'http://api.example').searchParams.get('api_key');
  const credential = String(headers['x-api-key'] ?? headers.authorization ?? asked ?? '');
  const inside = credential.startsWith('Basic ') ? Buffer.from(credential.slice(6), 'base64').toString() : credential;
  return { credential, inside };
}

/** Bytes of a body at which the test's connections cut the one that is made for it. */
export const CUT = 400;

const text = { 'content-type': 'text/plain' };
const ascii = (json: string) =>
  json.replace(/[^A-Za-z0-9 :,{}[\]\\"]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** How an API shows it. Each mentions `control`, which is no secret: that is found wherever the rest is kept. */
export const WAYS: Readonly<Record<string, (sent: { credential: string; inside: string; control: string; url: string }) => Fate>> = {
  'plain text': ({ credential, control }) => ({ headers: text, body: `${control} ${credential}` }),
  'decoded basic auth': ({ inside, control }) => ({ headers: text, body: `${control} ${inside}` }),
  JSON: (sent) => ({ body: JSON.stringify({ sent }) }),
  'JSON in ASCII': (sent) => ({ body: ascii(JSON.stringify({ sent })) }),
  'JSON within JSON': (sent) => ({ body: JSON.stringify({ log: JSON.stringify({ sent }) }) }),
  'a URL': ({ credential, inside, control }) => ({
    headers: text,
    body: `${control}?a=${encodeURIComponent(credential)}&b=${encodeURIComponent(inside)}`,
  }),
  'a form': ({ credential, inside, control }) => ({ headers: text, body: new URLSearchParams({ control, credential, inside }).toString() }),
  // At a cap of so many bytes, `CUT`, which stands within the letters and digits.
  'a body that is cut': ({ inside, control }) => ({
    headers: text,
    body: `${control.padEnd(CUT - 18)}${inside.replace(/^(?:Bearer |ada:)/, '')}`,
  }),
  gzip: (sent) => ({ headers: { 'content-encoding': 'gzip' }, body: gzipSync(JSON.stringify({ sent })) }),
  bytes: ({ inside, credential }) => ({
    headers: { 'content-type': 'image/png' },
    body: Buffer.concat([Buffer.of(0xff, 0), Buffer.from(`${inside} ${credential}`)]),
  }),
  'a large body': (sent) => ({ body: JSON.stringify({ noise: Array.from({ length: 5_000 }, (_, n) => Math.sin(n)), sent }) }),
  headers: ({ credential, control }) => ({
    headers: { 'x-control': control, 'x-echo': credential, 'x-request-id': credential, 'set-cookie': `s=${credential}` },
  }),
  'the type': ({ credential, control }) => ({ headers: { 'content-type': `text/plain; boundary="${credential}"` }, body: control }),
  'an error': (sent) => ({ status: 400, body: JSON.stringify({ error: { message: 'bad credential', sent } }) }),
  'an error in headers': ({ credential, control }) => ({
    status: 403,
    headers: { 'www-authenticate': `Bearer error="${credential}"`, 'x-control': control },
    body: '',
  }),
  'a hint': ({ credential, control }) => ({
    status: 429,
    headers: { 'retry-after': credential, 'x-ratelimit-reset': credential, 'x-request-id': `${control} ${credential}` },
  }),
  'a server error': (sent) => ({ status: 500, body: JSON.stringify({ sent }) }),
  'a redirect': ({ credential, inside, control }) => ({
    status: 302,
    headers: { location: `/x/${control}/${encodeURIComponent(inside)}?token=${encodeURIComponent(credential)}` },
  }),
  'a redirect that is followed': ({ credential, control, url }) =>
    url.includes('landed')
      ? { headers: { 'x-control': control }, body: JSON.stringify({ landed: credential }) }
      : {
          status: 307,
          headers: { location: `/landed/${control}/${encodeURIComponent(credential)}?token=${encodeURIComponent(credential)}` },
        },
  'a status line': ({ credential }) => ({ raw: `HTTP/1.1 400 ${credential}\r\ncontent-length: 0\r\n\r\n` }),
  'no HTTP': ({ credential }) => ({ raw: `HTTP/1.1 200 OK\r\nx-echo ${credential}\r\n${credential}\u0000` }),
  'a reset': (sent) => ({ reset: 'half-body', body: JSON.stringify({ sent }).repeat(3) }),
  'a reset after the effect': () => ({ reset: 'after-effect' }),
};

export function echo(request: Received, way: string, control: string): Fate {
  return (WAYS[way] as (typeof WAYS)[string])({ ...sentBy(request), control, url: request.url });
}

/** The beginning, since what is cut shows no more; as text, and as base64 wherever in a text it began. */
export function* spellings(core: string): Generator<string> {
  const begun = core.slice(0, 12);
  yield begun;
  for (const before of [0, 1, 2]) {
    const encoded = Buffer.from(' '.repeat(before) + begun).toString('base64');
    yield encoded.slice(before === 0 ? 0 : 4, -4);
  }
}
