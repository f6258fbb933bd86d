/** The references of docs/calls.md, paging.md and authentication.md have every option that there is, no other, and the defaults that are taken. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { milliseconds } from '../../src/engine/duration.ts';
import { oauth2RefreshToken } from '../../src/http/auth/oauth.ts';
import { secret } from '../../src/http/auth/secrets.ts';
import { connection } from '../../src/http/connection.ts';
import { makeCore } from '../../src/http/core.ts';
import { ratesOf } from '../../src/http/limits.ts';
import { byCursor, byLink, byOffset, byPage } from '../../src/http/paging/paging.ts';
import { COMMON_FIELDS, DEFAULTS } from '../../src/http/settings.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const calls = read('docs/calls.md');
const paging = read('docs/paging.md');
const authentication = read('docs/authentication.md');

type Row = { option: string; default: string; values: string; what: string };

/** The first table after `heading`. */
function table(page: string, heading: string): Row[] {
  const at = page.indexOf(heading);
  if (at < 0) throw new Error(`no "${heading}" on the page`);
  const lines = page.slice(at).split('\n');
  const first = lines.findIndex((line) => /^\| -/.test(line)) + 1;
  const rest = lines.slice(first);
  const end = rest.findIndex((line) => !line.startsWith('|'));
  return rest.slice(0, end).map((line) => {
    const [option = '', preset = '', values = '', what = ''] = line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim());
    return { option: option.replace(/^`|`$/g, ''), default: preset.replace(/^`|`$/g, ''), values, what };
  });
}

const common = table(calls, '### On connections, routes and calls');
const ofConnections = table(calls, '### On connections alone');
const ofCalls = table(calls, '### On calls alone');
const ofGraphql = table(calls, '## GraphQL');
const ofPages = table(paging, '| option of `pages` |');
const ofPoll = table(paging, '| option of `poll` |');
const ofOauth = table(authentication, '| option | default | values | what |');

/** Options that are no part of another one. */
const own = (rows: readonly Row[]) => rows.map(({ option }) => option).filter((option) => !/[.[]/.test(option));
const within = (rows: readonly Row[], option: string) =>
  rows.filter((row) => row.option.startsWith(`${option}.`)).map((row) => row.option.slice(option.length + 1));

/** The names that a type of src/http/options.ts declares itself. */
function declared(type: string, file = 'src/http/options.ts'): string[] {
  const source = read(file).replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
  const from = source.indexOf(`export type ${type} = `);
  if (from < 0) throw new Error(`no type ${type} in ${file}`);
  const next = source.indexOf('\nexport ', from + 1);
  const text = source.slice(from, next < 0 ? undefined : next).split(/\n\}[^\n]*;\n/, 1)[0] as string;
  const inOne = /= \{ (.+) \};/.exec(text)?.[1];
  const fields = inOne === undefined ? text.matchAll(/^ +(\w+)\??: /gm) : inOne.matchAll(/(\w+)\??: /g);
  return [...new Set([...fields].map(([, name]) => name as string))];
}

/** The names that a misspelt option is told of. */
async function accepted(make: () => unknown): Promise<string[]> {
  const error = await Promise.resolve()
    .then(make)
    .catch((thrown: unknown) => thrown);
  const [, names] = /there are (.+)$/.exec((error as Error).message) ?? [];
  if (names === undefined) throw new Error(`it was not refused: ${String(error)}`);
  return names.split(', ');
}

const sorted = (names: readonly string[]) => [...new Set(names)].sort();
const GOOD = { name: 'crm', baseUrl: 'https://api.crm.example' };
const crm = connection(GOOD);
const wrong = { wrong: 1 } as never;
const make = (options: object) => () => connection({ ...GOOD, ...options } as never);
const BODIES = ['json', 'form', 'multipart', 'body'];

describe('what a connection, a route and a call take is on the page, and nothing else', () => {
  const everywhere = own(common);

  test('as the types have it', () => {
    expect(sorted(everywhere)).toEqual(sorted(declared('CommonOptions')));
    expect(sorted(own(ofConnections))).toEqual(sorted(declared('ConnectionOptions')));
    expect(sorted(within(ofConnections, 'routes[]'))).toEqual(sorted(declared('RouteOptions')));
    expect(sorted(own(ofCalls))).toEqual(sorted([...declared('CallOptions'), ...declared('BodyOptions')]));
    expect(sorted(within(common, 'timeout'))).toEqual(sorted(declared('TimeLimits')));
    expect(sorted(within(common, 'retry'))).toEqual(sorted(declared('RetryOptions')));
    expect(sorted(within(ofConnections, 'rateLimit'))).toEqual(sorted(declared('RateLimit')));
    expect(sorted(within(ofConnections, 'idempotencyKey'))).toEqual(sorted(declared('IdempotencyKeyOptions')));
    expect(sorted(own(ofPages))).toEqual(sorted(declared('PagesOptions')));
    expect(sorted(own(ofPoll))).toEqual(sorted(declared('PollOptions')));
    expect(sorted(own(ofGraphql))).toEqual(sorted(declared('GraphqlOptions')));
    expect(sorted(own(ofOauth))).toEqual(
      sorted([...declared('OAuth2Options', 'src/http/auth/oauth.ts'), ...declared('OAuth2RefreshOptions', 'src/http/auth/oauth.ts')]),
    );
  });

  test.each<[string, readonly string[], () => unknown]>([
    ['a connection', [...everywhere, ...own(ofConnections)], make(wrong)],
    ['a route', [...everywhere, ...within(ofConnections, 'routes[]')], make({ routes: [{ path: '/', ...(wrong as object) }] })],
    ['a timeout', within(common, 'timeout'), make({ timeout: wrong })],
    ['a retry', within(common, 'retry'), make({ retry: wrong })],
    ['an idempotencyKey', within(ofConnections, 'idempotencyKey'), make({ idempotencyKey: wrong })],
    ['a rateLimit', within(ofConnections, 'rateLimit'), make({ rateLimit: wrong })],
    ['a call', [...everywhere, ...own(ofCalls)], () => crm.get('/', wrong)],
    ['pages()', [...everywhere, ...own(ofCalls), ...own(ofPages)], () => crm.pages('/', { next: byLink(), ...(wrong as object) } as never)],
    ['poll()', [...everywhere, ...own(ofCalls), ...own(ofPoll)], () => crm.poll('/', wrong)],
    [
      'graphql()',
      [...everywhere, ...own(ofCalls).filter((option) => !['query', 'as', ...BODIES].includes(option)), ...own(ofGraphql)],
      () => crm.graphql('{ a }', {}, wrong),
    ],
    [
      'OAuth 2.0',
      own(ofOauth),
      () => oauth2RefreshToken({ tokenUrl: 'https://a.example', clientId: 'a', refreshToken: secret('a'), ...(wrong as object) }),
    ],
  ])('as %s tells who misspells one', async (_name, told, misspell) => {
    expect(sorted(told)).toEqual(sorted(await accepted(misspell)));
  });

  test.each<[string, () => unknown]>([
    ['byCursor', () => byCursor(wrong)],
    ['byOffset', () => byOffset(wrong)],
    ['byPage', () => byPage(wrong)],
  ])('and of %s', async (name, misspell) => {
    const [, row = ''] = new RegExp(`^\\| \`${name}\\(\\{ (.+?) \\}\\)\``, 'm').exec(paging) ?? [];
    const told = row.split(', ').map((one) => one.split(':', 1)[0] as string);
    expect(sorted(told)).toEqual(sorted(await accepted(misspell)));
  });

  test('with the tables in one place for what may be said everywhere', () => {
    expect(everywhere).toHaveLength(COMMON_FIELDS.length);
  });
});

describe('the default of every option', () => {
  const all = [...common, ...ofConnections, ...ofCalls, ...ofGraphql, ...ofPages, ...ofPoll, ...ofOauth];

  test('is told', () => {
    expect(all.filter((row) => row.default === '').map(({ option }) => option)).toEqual([]);
  });

  test('is told with its unit, or with what it may be', () => {
    const without = [...common, ...ofConnections, ...ofCalls, ...ofGraphql, ...ofPages, ...ofPoll].filter(({ values }) => values === '');
    expect(without.map(({ option }) => option)).toEqual([]);
  });

  const core = makeCore({ ...GOOD, idempotencyKey: { header: 'Idempotency-Key' } });
  const preset = (rows: readonly Row[], option: string) => rows.find((row) => row.option === option)?.default ?? '';
  const inCode = (file: string, pattern: RegExp) => (pattern.exec(read(file))?.[1] ?? 'not there').replaceAll('_', '');

  test.each<[string, string, number]>([
    ['timeout', preset(common, 'timeout'), DEFAULTS.limits.total],
    ['timeout.total', preset(common, 'timeout.total'), DEFAULTS.limits.total],
    ['timeout.headers', preset(common, 'timeout.headers'), DEFAULTS.limits.headers],
    ['timeout.idle', preset(common, 'timeout.idle'), DEFAULTS.limits.idle],
    ['retry.deadline', preset(common, 'retry.deadline'), DEFAULTS.retry.deadline],
    ['idempotencyKey.ttl', preset(ofConnections, 'idempotencyKey.ttl'), core.idempotencyKey?.ttl ?? 0],
    ['connectTimeout', preset(ofConnections, 'connectTimeout'), core.connectTimeout],
    ['every', preset(ofPoll, 'every'), milliseconds(inCode('src/http/paging/poll.ts', /every = '(\w+)'/), 'every')],
    ['timeout of poll()', preset(ofPoll, 'timeout'), milliseconds(inCode('src/http/paging/poll.ts', /timeout = '(\w+)'/), 'timeout')],
  ])('is the one that is taken: %s', (_option, told, taken) => {
    expect(milliseconds(told, 'the page')).toBe(taken);
  });

  test.each<[string, string, unknown]>([
    ['timeout.minRate', preset(common, 'timeout.minRate'), DEFAULTS.limits.minRate],
    ['maxBody', preset(common, 'maxBody'), DEFAULTS.limits.maxBody],
    ['retry.attempts', preset(common, 'retry.attempts'), DEFAULTS.retry.attempts],
    ['retry.throttles', preset(common, 'retry.throttles'), DEFAULTS.retry.throttles],
    ['arrays', preset(common, 'arrays'), DEFAULTS.arrays],
    ['onUnknown', preset(common, 'onUnknown'), DEFAULTS.onUnknown],
    ['redirects', preset(common, 'redirects'), DEFAULTS.redirects],
    ['onTruncated', preset(common, 'onTruncated'), DEFAULTS.onTruncated],
    ['goneIsDone', preset(common, 'goneIsDone'), DEFAULTS.goneIsDone.size > 0],
    ['weight', preset(common, 'weight'), DEFAULTS.weight],
    ['rateLimit.burst', preset(ofConnections, 'rateLimit.burst'), ratesOf({ requests: 9, per: '1s' }, '')[0]?.burst],
    ['onAdmissionError', preset(ofConnections, 'onAdmissionError'), core.onAdmissionError],
    ['hidePath', preset(common, 'hidePath'), DEFAULTS.hidePath ?? false],
    ['graphql', preset(ofConnections, 'graphql'), core.graphql],
    ['idempotencyKey.format', preset(ofConnections, 'idempotencyKey.format'), inCode('src/http/core.ts', /key\.format \?\? '(\w+)'/)],
    ['partial', preset(ofGraphql, 'partial'), inCode('src/http/graphql/graphql.ts', /partial = '(\w+)'/)],
    ['maxPages', preset(ofPages, 'maxPages'), inCode('src/http/paging/paging.ts', /MAX_PAGES = (\w+)/)],
    ['method', preset(ofPages, 'method'), inCode('src/http/paging/paging.ts', /method = '(\w+)'/)],
    ['authMethod', preset(ofOauth, 'authMethod'), inCode('src/http/auth/oauth-grants.ts', /authMethod = '(\w+)'/)],
  ])('is the one that is taken: %s', (_option, told, taken) => {
    expect(told.replaceAll(',', '')).toBe(String(taken));
  });
});
