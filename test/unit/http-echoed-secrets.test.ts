/** An API that shows a caller what the caller sent must not put a credential into the journal, however it writes it down. */
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Auth, basic, bearer, header } from '../../src/http/auth/auth.ts';
import { secret } from '../../src/http/auth/secrets.ts';
import { failure, type Harness, harness } from '../support/http.ts';

/** Of everything that some writer escapes: quotes, slashes, what HTML and URLs mind, what base64 has of its own. */
const AWKWARD = `p@ss/w0rd+&<x>="y'z~%{}\\`;
const PASSWORD = `${AWKWARD} ünïcode ☃ 😀`;

let world: Harness;
beforeEach(async () => {
  world = await harness();
  world.secrets.set('awkward', AWKWARD);
  world.secrets.set('password', PASSWORD);
});
afterEach(() => world.close());

const escaped = (text: string, which: RegExp, digits: (hex: string) => string = (hex) => hex) =>
  text.replace(which, (char) => `\\u${digits(char.charCodeAt(0).toString(16).padStart(4, '0'))}`);
const json = (text: string) => JSON.stringify(text).slice(1, -1);
const upper = (hex: string) => hex.toUpperCase();
const strict = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*~]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

/** As one writer or another puts a text into a body. */
const WRITERS: Record<string, (text: string) => string> = {
  'plain text': (text) => text,
  JSON: json,
  'JSON with escaped slashes (PHP)': (text) => escaped(json(text).replaceAll('/', '\\/'), /[^ -~]/g),
  'JSON in ASCII (Python)': (text) => escaped(json(text), /[^ -~]/g),
  'JSON that is safe in HTML (Go)': (text) => escaped(json(text), /[<>&]/g),
  'JSON that is safe everywhere (.NET)': (text) => escaped(json(text).replaceAll('\\"', '\u0022'), /[^ -~]|["&'+<>`]/g, upper),
  'a URL': encodeURIComponent,
  'a URL in lower case': (text) => encodeURIComponent(text).replace(/%../g, (byte) => byte.toLowerCase()),
  'a URL with everything escaped': strict,
  'a form': (text) => new URLSearchParams([['', text]]).toString().slice(1),
  HTML: (text) =>
    text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll("'", '&#39;'),
};

const base64 = (password: string) => Buffer.from(`ada:${password}`).toString('base64');

describe.each([
  ['a bearer token', bearer(secret('awkward')), [AWKWARD]],
  ['a header of its own', header('X-Api-Key', secret('awkward')), [AWKWARD]],
  ['basic auth', basic('ada', secret('password')), [PASSWORD, base64(PASSWORD), base64(PASSWORD).replace(/=+$/, '')]],
] as [string, Auth, string[]][])('the secret of %s', (_what, auth, shown) => {
  it.each(Object.entries(WRITERS))('is taken out of what is written as %s', async (_how, write) => {
    for (const text of shown) {
      world.server.script({ headers: { 'content-type': 'text/plain' }, body: `before ${write(text)} after` });
      const { data } = await world.connect({ auth }).get('/');
      expect(data).toMatch(/^before ‹redacted:[\w-]{8}›(?:=|%3D)* after$/i);
    }
  });
});

it('is not in what the journal keeps of an error, nor in the error', async () => {
  const auth = basic('ada', secret('password'));
  for (const [, write] of Object.entries(WRITERS)) {
    const text = write(base64(PASSWORD));
    world.server.script({ status: 400, headers: { 'x-request-id': text, 'content-type': 'text/plain' }, body: text });
    const error = await failure(world.connect({ auth }).get('/'));
    expect(inspect(error, { depth: 9, getters: true })).not.toContain(text);
  }
});

it.each(Object.entries(WRITERS))('is taken out of a body that is cut within it, wherever that is (%s)', async (_how, write) => {
  const auth = bearer(secret('awkward'));
  const text = `before ${write(AWKWARD)}`;
  world.server.script({ headers: { 'content-type': 'application/octet-stream' }, body: `${text} and more that is not read` });
  const shown = Buffer.from(text);
  // From its fifth character on, at every byte: within spellings, too.
  for (let maxBody = Buffer.byteLength(`before ${write(AWKWARD.slice(0, 4))}`); maxBody <= shown.length; maxBody++) {
    const { data } = await world.connect({ auth, maxBody }).get('/', { as: 'bytes' });
    expect(Buffer.from(data).toString()).toMatch(/^before ‹redacted:[\w-]{8}›$/);
  }
});

it('is taken out of a body that is cut, however long it is: a token of 16,000 characters takes no process down', async () => {
  const token = `eyJ${'aB3.-_'.repeat(2_300)}`;
  world.secrets.set('long', token);
  const auth = bearer(secret('long'));
  world.server.script({ headers: { 'content-type': 'text/plain' }, body: `before ${token}` });
  const { data } = await world.connect({ auth, maxBody: 9_000 }).get('/');
  expect(data).toMatch(/^before ‹redacted:[\w-]{8}›$/);
});

describe('a secret and a body that are made to be hard to tell apart', () => {
  const MB = 2_000_000;
  it.each([
    ['backslashes', '\\'.repeat(30), '\\'.repeat(MB)],
    ['what is escaped', '\\-'.repeat(30), '\\\\\\\\-'.repeat(MB / 5)],
    ['one letter', `${'a'.repeat(12_000)}-`, 'a'.repeat(MB)],
    ['percent signs', '%2'.repeat(6_000), '%25'.repeat(MB / 3)],
  ])('take no long time: %s', async (_what, begin, text) => {
    world.secrets.set('hard', `${begin}Zabcdefgh`);
    const auth = header('X-Api-Key', secret('hard'));
    for (const maxBody of [MB * 2, MB]) {
      world.server.script({ headers: { 'content-type': 'text/plain' }, body: `${text}Z Zabcdefgh` });
      const began = performance.now();
      await world.connect({ auth, maxBody }).get('/');
      // One that goes all ways through the text takes years.
      expect(performance.now() - began).toBeLessThan(10_000);
    }
  });
});
