/** What the command line decides without asking anybody: settings, inputs, arguments, words. */
import { expect, test } from 'vitest';
import { awsFault } from '../../cli/aws/faults.ts';
import { reachableUrl } from '../../cli/aws/stack.ts';
import { readInput } from '../../cli/input.ts';
import { argumentsOf } from '../../cli/local.ts';
import { collect } from '../../cli/pages.ts';
import { table } from '../../cli/render/table.ts';
import { clock, duration } from '../../cli/render/time.ts';
import { attemptText, decisionText, valueText } from '../../cli/render/words.ts';
import { readSettings } from '../../cli/settings.ts';

test('without anything it goes to the embedded cloud with its token', () => {
  expect(readSettings({}, {})).toEqual({ stage: 'local', url: 'http://127.0.0.1:3000', token: 'local-dev', json: false });
  expect(readSettings({}, { HOLDFAST_PORT: '3100' }).url).toBe('http://127.0.0.1:3100');
});

test('an option goes before the environment, and other stages have neither URL nor token of their own', () => {
  const env = { HOLDFAST_STAGE: 'dev', HOLDFAST_URL: 'https://one.example/dev/', HOLDFAST_TOKEN: 'a' };
  expect(readSettings({}, env)).toEqual({ stage: 'dev', url: 'https://one.example/dev', token: 'a', json: false });
  expect(readSettings({ stage: 'prod', url: 'https://two.example', token: 'b', json: true }, env)).toEqual({
    stage: 'prod',
    url: 'https://two.example',
    token: 'b',
    json: true,
  });
  expect(readSettings({ stage: 'prod' }, {})).toMatchObject({ url: undefined, token: undefined });
  expect(readSettings({ stage: 'localstack' }, {})).toMatchObject({ url: undefined, token: 'local-dev' });
});

test.each([
  [{ stage: 'Not A Stage' }, /cannot be a stage/],
  [{ url: 'localhost:3000' }, /is not the URL of an API/],
  [{ url: 'ftp://x.example' }, /is not the URL of an API/],
])('refuses %j as wrong usage', (options, message) => {
  expect(() => readSettings(options, {})).toThrow(expect.objectContaining({ message: expect.stringMatching(message), exit: 2 }));
});

const stdin = (text: string) => ({
  stdin: (async function* () {
    yield text;
  })(),
});

test('an input is JSON as it stands, of a file, or of stdin', async () => {
  expect(await readInput('--input', '{"a":1}', stdin(''))).toEqual({ a: 1 });
  expect(await readInput('--input', '-', stdin('[2]'))).toEqual([2]);
  expect(await readInput('--input', '@package.json', stdin(''))).toMatchObject({ name: 'holdfast' });
});

test.each([
  ['{a:1}', /--input is not JSON/],
  ['-', /--input from stdin is not JSON/],
  ['@README.md', /--input in README.md is not JSON/],
  ['@nowhere.json', /nowhere.json cannot be read/],
])('an input of %s says what is wrong', async (given, message) => {
  await expect(readInput('--input', given, stdin('no'))).rejects.toMatchObject({ message: expect.stringMatching(message), exit: 2 });
});

test('options of start and dev become those of their programs', () => {
  expect(argumentsOf({ demo: true, once: true, awsPort: '0', data: 'a b' })).toEqual(['--once', '--aws-port=0', '--data=a b']);
  expect(argumentsOf({ demo: false, inspect: true, inspectPort: '9230' })).toEqual(['--no-demo', '--inspect', '--inspect-port=9230']);
});

test('pages are read on through short and empty ones until there is enough', async () => {
  const pages = [{ items: [1], next: 'a' }, { items: [], next: 'b' }, { items: [2, 3], next: 'c' }, { items: [4] }];
  const asked: unknown[] = [];
  const read = async (query: { limit: number; after: string | undefined }) => {
    asked.push(query);
    return pages[asked.length - 1] ?? { items: [] };
  };
  expect(await collect(3, read)).toEqual({ items: [1, 2, 3], next: 'c' });
  expect(asked).toEqual([
    { limit: 3, after: undefined },
    { limit: 2, after: 'a' },
    { limit: 2, after: 'b' },
  ]);
});

test.each([
  [0, '0 ms'],
  [340, '340 ms'],
  [999.6, '1 s'],
  [3_240, '3.2 s'],
  [59_999, '60 s'],
  [61_000, '1 min 1 s'],
  [7_200_000, '2 h'],
  [183_600_000, '2 d 3 h'],
])('%d ms read as %s', (ms, text) => expect(duration(ms)).toBe(text));

test('times leave out the day that is known', () => {
  expect(clock('2026-01-02T03:04:05.678Z')).toBe('2026-01-02 03:04:05');
  expect(clock('2026-01-02T03:04:05.678Z', '2026-01-02T00:00:00.000Z')).toBe('03:04:05');
});

test('a table cuts its last column where the line would end', () => {
  const rows = [['a', 'x'.repeat(40)].map((text) => ({ text }))];
  expect(table(['one', 'two'], rows, 30)).toBe(`ONE  TWO\na    ${'x'.repeat(24)}…`);
});

const SINCE = '2026-01-01T12:00:00.000Z';
const NEXT = Date.parse('2026-01-01T12:00:30.000Z');

test.each([
  [{ n: 1, row: '2xx', class: 'success', status: 200, ms: { total: 33 } }, '200 in 33 ms', ''],
  [
    {
      n: 1,
      row: 'throttle',
      class: 'throttle',
      status: 429,
      ms: { total: 17 },
      hint: { source: 'retry-after', delay: 30_000 },
      next: NEXT,
    },
    '429 in 17 ms, throttle',
    'again at 12:00:30 (retry-after says 30 s)',
  ],
  [
    { n: 2, row: 'broken after sending', class: 'ambiguous', why: 'the connection broke (ECONNRESET)', ms: { total: 10 }, next: NEXT },
    'the connection broke (ECONNRESET) after 10 ms, broken after sending',
    'again at 12:00:30 (back-off)',
  ],
  [
    { n: 6, row: '500', class: 'transient', status: 500, ms: { total: 5 }, over: 'attempts' },
    '500 in 5 ms',
    'given up: no attempt is left (retry.attempts)',
  ],
  [{ n: 1, row: 'other 4xx', class: 'permanent', status: 404, ms: { total: 5 } }, '404 in 5 ms, other 4xx', 'final'],
  [{ row: 'reconciled: applied' }, 'reconciled: applied', ''],
  [{ n: 1, outcome: 'done', ms: 4 }, 'done in 4 ms', ''],
])('an attempt and its decision in words: %j', (attempt, text, decision) => {
  expect(attemptText(attempt)).toBe(text);
  expect(decisionText(attempt, SINCE)).toBe(decision);
});

test('a value in brief is a reply’s body, a text, or JSON on one line', () => {
  expect(valueText({ status: 200, headers: {}, text: '{"id": 1}' }, 50)).toBe('{"id": 1}');
  expect(valueText('two\nlines', 50)).toBe('two lines');
  expect(valueText({ a: [1, 2] }, 6)).toBe('{"a":…');
  expect(valueText(null, 50)).toBe('');
});

test.each([
  ['CredentialsProviderError', 'Could not load credentials from any providers', undefined, 'credentials'],
  ['CredentialsProviderError', 'The SSO session has expired', undefined, 'expired'],
  ['ExpiredToken', 'The security token included in the request is expired', undefined, 'expired'],
  ['InvalidClientTokenId', 'The security token included in the request is invalid', undefined, 'refused'],
  ['AccessDenied', 'not authorized to perform: cloudformation:DescribeStacks', undefined, 'permission'],
  ['Error', 'Region is missing', undefined, 'region'],
  ['Error', 'connect ECONNREFUSED', 'ECONNREFUSED', 'endpoint'],
  ['TimeoutError', 'timed out', undefined, 'endpoint'],
  ['ValidationError', 'something', undefined, 'other'],
])('%s (%s) is a fault of its own', (name, message, code, fault) => {
  expect(awsFault(Object.assign(new Error(message), { name, code }))).toBe(fault);
});

test('under an endpoint the API is reached through it', () => {
  const output = 'https://abc123.execute-api.eu-west-1.amazonaws.com/dev/';
  expect(reachableUrl(output, undefined)).toBe('https://abc123.execute-api.eu-west-1.amazonaws.com/dev');
  expect(reachableUrl(output, 'http://localhost:4566')).toBe('http://localhost:4566/restapis/abc123/dev/_user_request_');
});
