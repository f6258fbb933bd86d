/**
 * What people and APIs get wrong. Each mistake is an error that names the connection, the call and the field; in a run it is one that its
 * code can catch, or a reason to pause, and never a run that is lost, or goes round for ever.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { workflow } from '../../src/engine/workflow.ts';
import { bearer } from '../../src/http/auth/auth.ts';
import { secret } from '../../src/http/auth/secrets.ts';
import { vars } from '../../src/http/base-url.ts';
import { type Connection, connection } from '../../src/http/connection.ts';
import type { ConnectionOptions } from '../../src/http/options.ts';
import { plainClock } from '../../src/http/plain-ports.ts';
import { type HttpRuntime, httpRuntime } from '../../src/http/runtime.ts';
import { memorySecrets } from '../../src/testing/index.ts';
import type { Fate } from '../support/hostile-server.ts';
import { failure, type Harness, harness } from '../support/http.ts';
import { runOver } from '../support/http-run.ts';

const BROKEN = 'in two\nlines';

let world: Harness;
let http: HttpRuntime;
beforeEach(async () => {
  world = await harness();
  const secrets = memorySecrets({ 'crm/broken': BROKEN });
  world.secrets.set('crm/broken', BROKEN);
  http = httpRuntime({ clock: plainClock, secrets, deploymentKey: async () => 'test-key', allowLoopback: true });
});
afterEach(async () => {
  delete process.env.HOLDFAST_VAR_CRM;
  await http.transport.close();
  await world.close();
});

type Case = {
  name: string;
  /** How the connection is made, besides its name and URL. */
  options?: Partial<ConnectionOptions>;
  call: (crm: Connection) => Promise<unknown>;
  fate?: Fate;
  code: string;
  /** What the message must name. */
  says: readonly string[];
  field?: string;
  /** How many requests leave. Default 0. */
  sent?: number;
  /** A person has to act: the run pauses. */
  pauses?: true;
};

const cyclic: Record<string, unknown> = {};
cyclic.self = cyclic;
const standard = (validate: (value: unknown) => unknown) => ({ '~standard': { version: 1 as const, vendor: 'test', validate } }) as never;
const json = (body: string | Uint8Array, type = 'application/json'): Fate => ({ body, headers: { 'content-type': type } });
const LATIN1 = Uint8Array.from([0x22, 0x42, 0xe4, 0x72, 0x22]);

const CASES: readonly Case[] = [
  // What is written into the code.
  {
    name: 'a header with a newline',
    call: (crm) => crm.get('/a', { headers: { 'x-a': 'a\r\nx-b: b' } }),
    code: 'E_BAD_OPTION',
    says: ['GET crm /a', 'headers.x-a'],
    field: 'headers.x-a',
  },
  {
    name: 'a header that is not a text',
    call: (crm) => crm.get('/a', { headers: { 'x-a': 7 as never } }),
    code: 'E_BAD_OPTION',
    says: ['GET crm /a', 'headers.x-a'],
  },
  {
    name: 'a header of the socket',
    call: (crm) => crm.get('/a', { headers: { 'Content-Length': '7' } }),
    code: 'E_BAD_OPTION',
    says: ['GET crm /a', 'headers.Content-Length'],
  },
  {
    name: 'a header with a newline, by fetch',
    call: (crm) => crm.fetch('/a', { headers: { 'x-a': 'a\nb' } }),
    code: 'E_REQUEST_INVALID',
    says: ['GET crm /a', 'headers'],
    field: 'headers',
  },
  {
    name: 'a body that is both',
    call: (crm) => crm.post('/a', { json: {}, body: 'x' }),
    code: 'E_BAD_OPTION',
    says: ['POST crm /a', 'json', 'body'],
    field: 'json',
  },
  { name: 'a body of a GET', call: (crm) => crm.request('GET', '/a', { json: {} }), code: 'E_BAD_OPTION', says: ['GET crm /a', 'json'] },
  {
    name: 'a JSON that goes in a circle',
    call: (crm) => crm.post('/a', { json: cyclic }),
    code: 'E_NOT_SERIALISABLE',
    says: ['POST crm /a', '/self'],
  },
  {
    name: 'a JSON with a function',
    call: (crm) => crm.post('/a', { json: { on: { click: () => 1 } } }),
    code: 'E_NOT_SERIALISABLE',
    says: ['POST crm /a', '/on/click'],
  },
  {
    name: 'a schema that is none',
    call: (crm) => crm.get('/a', { schema: { parse: () => 1 } as never }),
    code: 'E_BAD_OPTION',
    says: ['GET crm /a', 'schema'],
    field: 'schema',
  },
  {
    name: 'an option that there is not',
    call: (crm) => crm.get('/a', { retires: 3 } as never),
    code: 'E_BAD_OPTION',
    says: ['GET crm /a', 'retires'],
    field: 'retires',
  },
  {
    name: 'a time that is none',
    call: (crm) => crm.get('/a', { timeout: 'soon' as never }),
    code: 'E_BAD_DURATION',
    says: ['GET crm /a', 'timeout'],
  },
  {
    name: 'no attempts',
    call: (crm) => crm.get('/a', { retry: { attempts: 0 } }),
    code: 'E_BAD_OPTION',
    says: ['GET crm /a', 'retry.attempts'],
  },
  {
    name: 'a key that the API does not honour',
    call: (crm) => crm.post('/a', { effects: 'keyed' }),
    code: 'E_BAD_OPTION',
    says: ['POST crm /a', 'effects'],
  },
  {
    name: 'a path that leaves its place',
    call: (crm) => crm.get('/users/../admin'),
    code: 'E_REQUEST_INVALID',
    says: ['GET crm', 'path'],
    field: 'path',
  },
  {
    name: 'a path that is a URL',
    call: (crm) => crm.get('https://evil.example/'),
    code: 'E_REQUEST_INVALID',
    says: ['GET crm', 'baseUrl'],
    field: 'path',
  },
  {
    name: 'a path that is nothing',
    call: (crm) => crm.get(undefined as never),
    code: 'E_REQUEST_INVALID',
    says: ['GET crm', 'path'],
    field: 'path',
  },
  { name: 'a method that is none', call: (crm) => crm.request('GE T', '/a'), code: 'E_BAD_OPTION', says: ['connection "crm"', 'method'] },
  {
    name: 'an object in a query',
    call: (crm) => crm.get('/a', { query: { filter: { a: 1 } as never } }),
    code: 'E_REQUEST_INVALID',
    says: ['GET crm /a', 'query.filter'],
    field: 'query.filter',
  },
  {
    name: 'no number in a query',
    call: (crm) => crm.get('/a', { query: { page: Number.NaN } }),
    code: 'E_REQUEST_INVALID',
    says: ['GET crm /a', 'query.page', 'NaN'],
  },
  {
    name: 'half a character in a query',
    call: (crm) => crm.get('/a', { query: { q: ['a', '\ud800'] } }),
    code: 'E_REQUEST_INVALID',
    says: ['GET crm /a', 'query.q'],
  },
  {
    name: 'a URL of another API, by fetch',
    call: (crm) => crm.fetch('https://evil.example/'),
    code: 'E_REQUEST_INVALID',
    says: ['GET crm', 'baseUrl'],
    field: 'input',
  },
  {
    name: 'an account that is none',
    call: async (crm) => crm.for('').get('/a'),
    code: 'E_BAD_OPTION',
    says: ['connection "crm"', 'account'],
  },
  {
    name: 'a base URL without a scheme',
    call: async () => connection({ name: 'crm', baseUrl: 'api.example' }).get('/'),
    code: 'E_BAD_OPTION',
    says: ['connection "crm"', 'baseUrl', 'https://'],
    field: 'baseUrl',
  },
  {
    name: 'a base URL whose port looks like a scheme',
    call: async () => connection({ name: 'crm', baseUrl: 'localhost:3000' }).get('/'),
    code: 'E_BAD_OPTION',
    says: ['connection "crm"', 'baseUrl', 'https://'],
  },
  {
    name: 'a base URL with a password',
    call: async () => connection({ name: 'crm', baseUrl: 'https://a:b@api.example' }).get('/'),
    code: 'E_BAD_OPTION',
    says: ['connection "crm"', 'baseUrl', 'auth'],
  },
  {
    name: 'no base URL',
    call: async () => connection({ name: 'crm' } as never).get('/'),
    code: 'E_BAD_OPTION',
    says: ['connection "crm"', 'baseUrl'],
  },
  // What is missing or wrong in the deployment: a person has to act, and the run waits for that.
  {
    name: 'a variable without a scheme',
    options: { baseUrl: vars('crm') },
    call: (crm) => crm.get('/a'),
    code: 'E_BAD_OPTION',
    says: ['GET crm /a', 'baseUrl', 'HOLDFAST_VAR_CRM'],
    pauses: true,
  },
  {
    name: 'a secret that does not exist',
    options: { auth: bearer(secret('crm/none')) },
    call: (crm) => crm.get('/a'),
    code: 'E_SECRET_MISSING',
    says: ['GET crm /a', 'crm/none'],
    pauses: true,
  },
  {
    name: 'a secret with a newline',
    options: { auth: bearer(secret('crm/broken')) },
    call: (crm) => crm.get('/a'),
    code: 'E_REQUEST_INVALID',
    says: ['GET crm /a', 'crm/broken', 'line break'],
  },
  // What the API answers.
  {
    name: 'a reply that is not JSON though its header says so',
    call: (crm) => crm.get('/a'),
    fate: json('<html>'),
    code: 'E_SCHEMA',
    says: ['GET crm /a', 'not JSON'],
    sent: 1,
  },
  {
    name: 'half a JSON',
    call: (crm) => crm.post('/a', { json: {} }),
    fate: json('{"a":'),
    code: 'E_SCHEMA',
    says: ['POST crm /a', 'not JSON'],
    sent: 1,
  },
  {
    name: 'a reply in another charset than it says',
    call: (crm) => crm.get('/a'),
    fate: json(LATIN1, 'application/json; charset=utf-8'),
    code: 'E_SCHEMA',
    says: ['GET crm /a', 'charset'],
    sent: 1,
  },
  {
    name: 'a JSON in a charset that there is not',
    call: (crm) => crm.get('/a'),
    fate: json(LATIN1, 'application/json; charset=klingon'),
    code: 'E_SCHEMA',
    says: ['GET crm /a', 'charset', 'klingon'],
    sent: 1,
  },
  {
    name: 'a text in a charset that there is not',
    call: (crm) => crm.get('/a'),
    fate: json(LATIN1, 'text/plain; charset=klingon'),
    code: 'E_SCHEMA',
    says: ['GET crm /a', 'charset', 'klingon'],
    sent: 1,
  },
  {
    name: 'a schema that throws',
    call: (crm) =>
      crm.get('/a', {
        schema: standard(() => {
          throw new TypeError('cannot read x');
        }),
      }),
    code: 'E_SCHEMA',
    says: ['GET crm /a', 'the schema threw TypeError: cannot read x'],
    sent: 1,
  },
  {
    name: 'a schema that rejects',
    call: (crm) => crm.get('/a', { schema: standard(async () => Promise.reject(new Error('no database'))) }),
    code: 'E_SCHEMA',
    says: ['GET crm /a', 'no database'],
    sent: 1,
  },
  {
    name: 'a schema that answers nothing',
    call: (crm) => crm.get('/a', { schema: standard(() => undefined) }),
    code: 'E_SCHEMA',
    says: ['GET crm /a', 'validate()'],
    sent: 1,
  },
  {
    name: 'a Retry-After of a year',
    call: (crm) => crm.get('/a'),
    fate: { status: 429, headers: { 'retry-after': '31536000' } },
    code: 'E_DEADLINE',
    says: ['GET crm /a', 'answered 429', 'retry.deadline'],
    sent: 1,
  },
  {
    name: 'a Retry-After of a year, as a date',
    call: (crm) => crm.post('/a', { json: {} }),
    fate: { status: 503, headers: { 'retry-after': new Date(Date.now() + 31_536_000_000).toUTCString() } },
    code: 'E_DEADLINE',
    says: ['POST crm /a', 'answered 503', 'retry.deadline'],
    sent: 1,
  },
  {
    name: 'a judge that throws',
    options: {
      successWhen: () => {
        throw new TypeError('cannot read ok');
      },
    },
    call: (crm) => crm.post('/a', { json: {} }),
    code: 'E_BAD_OPTION',
    says: ['POST crm /a', 'successWhen', 'connection "crm"', 'cannot read ok'],
    field: 'successWhen',
    sent: 1,
  },
  {
    name: 'a judge that says what there is not',
    options: { successWhen: () => 'maybe' as never },
    call: (crm) => crm.get('/a'),
    code: 'E_BAD_OPTION',
    says: ['GET crm /a', 'successWhen', 'maybe'],
    sent: 1,
  },
  {
    name: 'a judge of conflicts that throws',
    options: {
      inFlightWhen: () => {
        throw new Error('none');
      },
    },
    call: (crm) => crm.get('/a'),
    fate: { status: 409 },
    code: 'E_BAD_OPTION',
    says: ['GET crm /a', 'inFlightWhen'],
    sent: 1,
  },
];

describe.each(CASES)('$name', ({ options, call, fate, code, says, field, sent = 0, pauses }) => {
  beforeEach(() => {
    process.env.HOLDFAST_VAR_CRM = 'api.example';
    if (fate) world.server.script(fate);
  });

  it('is an error that names connection, call and field', async () => {
    const error = await failure<Error & { code: string; detail?: { field?: string } }>(call(world.connect(options)));
    expect(error.code).toBe(code);
    for (const word of says) expect(error.message).toContain(word);
    if (field !== undefined) expect(error.detail?.field).toBe(field);
    expect(world.server.received).toHaveLength(sent);
  });

  it('does not lose its run', async () => {
    const crm = world.connect(options);
    const uncaught = runOver(http, workflow({ name: 'uncaught', run: async () => void (await call(crm)) }));
    const run = await uncaught.throughWaits(5);
    const told = run.outcome && 'error' in run.outcome ? run.outcome.error : run.reason;
    expect({ status: run.status, code: told?.code }).toEqual({ status: pauses ? 'paused' : 'failed', code });
    for (const word of says) expect(told?.message).toContain(word);
    expect(world.server.received).toHaveLength(sent);
  });

  // What pauses its run is for a person, and not for its code.
  if (!pauses) {
    it('can be caught, and the run goes on, replayed or not', async () => {
      const crm = world.connect(options);
      const seen: string[] = [];
      const caught = runOver(
        http,
        workflow({
          name: 'caught',
          async run() {
            const error = await failure<Error & { code: string }>(call(crm));
            seen.push(`${error.code} ${error.message}`);
            world.server.script({});
            await world.connect().get('/next');
            return error.code;
          },
        }),
        1,
      );
      expect((await caught.toTheEnd()).status).toBe('succeeded');
      expect(new Set(seen).size).toBe(1);
      // What reads may be made again when the run is put down meanwhile.
      expect(world.server.received.filter(({ url }) => url !== '/next')).toHaveLength(sent);
    });
  }
});

it('a text whose bytes are not of its charset is read as fetch reads it, and JSON that is UTF-8 is read whatever it says', async () => {
  world.server.script(json(LATIN1, 'text/plain; charset=utf-8'));
  expect((await world.connect().get('/')).data).toBe('"B\ufffdr"');
  world.server.script(json('{"name":"Bär"}', 'application/json; charset=klingon'));
  expect((await world.connect().get('/')).data).toEqual({ name: 'Bär' });
  world.server.script(json(LATIN1, 'application/json; charset=latin1'));
  expect((await world.connect().get('/')).data).toBe('Bär');
  world.server.script(json(LATIN1, 'application/json; charset=klingon'));
  expect((await world.connect().get('/', { as: 'bytes' })).data).toEqual(LATIN1);
});
