/** The commands against the real embedded cloud: runs that succeed, fail, wait, pause, and what is then done about them. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DeadLetterItem, JournalItem, Page, Run, RunItem } from '../../cli/api-types.ts';
import type { Finding } from '../../cli/doctor/finding.ts';
import { type Cli, type CliOptions, cli } from '../support/cli.ts';
import { startTestCloud, type TestCloud } from '../support/cloud/cloud.ts';

let cloud: TestCloud;
const stops: Array<() => unknown> = [];
/** Answers of the API that the workflows call, by path; the default is 200 `ok`. `break` takes the request and hangs up. */
const answers = new Map<string, { status: number; headers?: Record<string, string> } | 'break'>();
const LONG_WAIT_S = 600;
/** What calls of accounts were sent with. */
const authorized: Array<string | undefined> = [];

beforeAll(async () => {
  const server = createServer((request, response) => {
    const answer = answers.get(request.url ?? '') ?? { status: request.url === '/effects' ? 201 : 200 };
    if (request.url?.startsWith('/accounts/')) authorized.push(request.headers.authorization);
    request.resume();
    request.on('end', () => {
      if (answer === 'break') {
        request.socket.destroy();
        return;
      }
      response.writeHead(answer.status, {
        'content-type': request.url === '/effects' ? 'application/json' : 'text/plain',
        ...answer.headers,
      });
      response.end(request.url === '/effects' ? '{"id":"e-1"}' : 'ok');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stops.push(() => server.close());
  cloud = await startTestCloud({ apiUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  stops.push(() => cloud.stop());
});

afterAll(async () => {
  for (const stop of stops.reverse()) await stop();
});

const here = (options: CliOptions = {}): Cli =>
  cli({ ...options, env: { HOLDFAST_URL: cloud.apiUrl, AWS_ENDPOINT_URL: cloud.awsUrl, ...options.env } });

async function json<T>(...args: string[]): Promise<T> {
  const { out, err, code } = await here()(...args, '--json');
  expect({ code, err }).toMatchObject({ code: 0 });
  return JSON.parse(out) as T;
}

const detached = async (workflow: string, input: unknown): Promise<string> =>
  (await here()('run', workflow, '--input', JSON.stringify(input), '--detach')).out.trim();

const reached = (id: string, status: string) =>
  cloud.until(
    () => cloud.run(id),
    (run) => run.status === status,
    30_000,
  );

test('run follows a run call by call on stderr, and leaves nothing but its result on stdout', async () => {
  const { code, out, err } = await here()('run', 'everything', '--input', '{"name":"one"}', '--key', 'one');
  expect(code).toBe(0);
  expect(JSON.parse(out)).toEqual({ reads: ['ok', 'ok', 'ok'], made: 3, id: 'e-1' });
  expect(err).toMatch(/^run_[0-9a-f]{32} {2}everything$/m);
  expect(err).toContain('✓ GET test-api /quick/one-1  200 in');
  expect(err).toContain('✓ step make');
  expect(err).toMatch(/… sleep 3s {2}put down for/);
  expect(err).toMatch(/^ {2}waiting, \d.* left$/m);
  expect(err).toMatch(/^succeeded after /m);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that there is none of them is the point.
  expect(out + err).not.toMatch(/\u001b/);
});

test('the same key gives the same run; with another input it is refused', async () => {
  const again = await here()('run', 'everything', '--input', '{"name":"one"}', '--key', 'one', '--json');
  expect(again.code).toBe(0);
  expect(JSON.parse(again.out)).toMatchObject({
    workflow: 'everything',
    status: 'succeeded',
    idempotencyKey: 'one',
    input: { name: 'one' },
  });
  const other = await here()('run', 'everything', '--input', '{"name":"two"}', '--key', 'one');
  expect(other.code).toBe(1);
  expect(other.err).toContain('E_KEY_CONFLICT');
});

test('on a terminal there are colours, unless NO_COLOR forbids them', async () => {
  const bold = '\u001b[';
  const id = await detached('quick', { name: 'colour' });
  await reached(id, 'succeeded');
  expect((await here({ terminal: true })('inspect', id)).out).toContain(bold);
  expect((await here({ terminal: true, env: { NO_COLOR: '1' } })('inspect', id)).out).not.toContain(bold);
});

test('an input of stdin and a tenant; an invalid input and an unknown workflow say what is wrong', async () => {
  const { out } = await here({ stdin: '{"name":"piped"}' })('run', 'quick', '--input', '-', '--tenant', 'acme', '--json');
  expect(JSON.parse(out)).toMatchObject({ status: 'succeeded', tenant: 'acme' });
  const invalid = await here()('run', 'quick', '--input', '{"name":7}');
  expect(invalid).toMatchObject({ code: 1, out: '', err: expect.stringContaining('E_INPUT_INVALID') });
  const unknown = await here()('run', 'quik', '--json');
  expect(unknown.code).toBe(1);
  expect(JSON.parse(unknown.out)).toMatchObject({ error: { code: 'E_UNKNOWN_WORKFLOW', message: expect.stringContaining('quick') } });
});

test('runs lists the newest first, reads on through pages, and filters', async () => {
  for (const name of ['a', 'b', 'c']) await here()('run', 'quick', '--input', `{"name":"list-${name}"}`, '--tenant', 'lists');
  const all = await json<Page<RunItem>>('runs', '--tenant', 'lists');
  expect(all.items).toHaveLength(3);
  const two = await json<Page<RunItem>>('runs', '--tenant', 'lists', '--limit', '2');
  expect(two.items.map(({ id }) => id)).toEqual(all.items.slice(0, 2).map(({ id }) => id));
  const { out } = await here()('runs', '--status', 'succeeded', '--workflow', 'quick', '--tenant', 'lists');
  expect(out).toMatch(/^RUN +WORKFLOW +STATUS/);
  expect(out.match(/succeeded/g)).toHaveLength(3);
  expect((await here()('runs', '--tenant', 'nobody')).out).toBe('No runs.\n');
});

test('a run that fails ends run with 1; once the API is mended, redrive lets it succeed without repeating what was done', async () => {
  answers.set('/effects', { status: 422 });
  const failed = await here()('run', 'everything', '--input', '{"name":"mend"}', '--key', 'mend', '--json');
  expect(failed.code).toBe(1);
  const { id, error } = JSON.parse(failed.out) as Run;
  expect(error?.code).toBe('E_CALL_FAILED');
  expect(failed.err).toContain(`npx holdfast redrive ${id}`);
  const shown = (await here()('inspect', id)).out;
  expect(shown).toContain('✗ POST test-api /effects [unsafe]');
  expect(shown).toMatch(/1\. 422 in .*, other 4xx → final/);

  answers.delete('/effects');
  const redriven = await here()('redrive', id, '--why', 'the API is mended', '--follow');
  expect({ code: redriven.code, err: redriven.err }).toMatchObject({ code: 0 });
  expect(JSON.parse(redriven.out)).toMatchObject({ id: 'e-1', made: 3 });
  const after = (await here()('inspect', id)).out;
  expect(after).toMatch(/redriven from entry \d+ at .*: the API is mended/);
  expect(await here()('redrive', id)).toMatchObject({ code: 1, err: expect.stringContaining('E_NOT_APPLICABLE') });
});

test('cancel ends a run that waits, and says when there is nothing to cancel', async () => {
  answers.set('/limited/park', { status: 429, headers: { 'retry-after': String(LONG_WAIT_S) } });
  const id = await detached('retry-after', { name: 'park' });
  await reached(id, 'waiting');
  const waiting = (await here()('inspect', id)).out;
  expect(waiting).toMatch(/1\. 429 in .*, throttle → again at .* \(retry-after says 10 min\)/);
  expect(waiting).toMatch(/put down at .* until/);
  expect(waiting).toMatch(/^Waits until /m);
  expect(await here()('cancel', id, '--why', 'ordered twice', '--follow')).toMatchObject({
    code: 0,
    err: expect.stringContaining('cancelled'),
  });
  expect((await here()('inspect', id)).out).toContain('ordered twice');
  expect(await here()('cancel', id)).toMatchObject({ code: 1, err: expect.stringContaining('E_NOT_APPLICABLE') });
  expect(await here()('delete', id)).toMatchObject({ code: 0, out: `deleted ${id}\n` });
  expect(await here()('inspect', id)).toMatchObject({ code: 1, err: expect.stringContaining('E_UNKNOWN_RUN') });
});

test('an effect whose outcome is not known pauses its run; settle by hand, and it goes on', async () => {
  answers.set('/effects', 'break');
  const paused = await here()('run', 'everything', '--input', '{"name":"unknown"}', '--json');
  expect(paused.code).toBe(1);
  const { id, status, reason } = JSON.parse(paused.out) as Run;
  expect({ status, code: reason?.code }).toEqual({ status: 'paused', code: 'E_UNKNOWN_OUTCOME' });
  const { journal } = await json<{ journal: JournalItem[] }>('inspect', id);
  const seq = journal.find(({ type }) => type === 'unknown')?.seq;
  expect((await here()('inspect', id)).out).toContain(`npx holdfast settle ${id} ${seq} happened --value '{"status":201,"data":{}}'`);

  expect(await here()('settle', id, String(seq), 'happened', '--value', '{"id":"no reply"}')).toMatchObject({
    code: 2,
    err: expect.stringContaining('status'),
  });
  const settled = await here()('settle', id, String(seq), 'happened', '--value', '{"status":201,"data":{"id":"found"}}', '--follow');
  expect({ code: settled.code, err: settled.err }).toMatchObject({ code: 0 });
  expect(JSON.parse(settled.out)).toMatchObject({ id: 'found' });
  answers.delete('/effects');
});

test('Ctrl-C leaves the run running, and says how to come back', async () => {
  answers.set('/limited/ctrl-c', { status: 429, headers: { 'retry-after': String(LONG_WAIT_S) } });
  const holdfast = here();
  const followed = holdfast('run', 'retry-after', '--input', '{"name":"ctrl-c"}');
  await cloud.until(
    async () => holdfast.said(),
    (said) => said.includes('waiting'),
    30_000,
  );
  expect(holdfast.interrupt()).toBe(true);
  const { code, err } = await followed;
  expect(code).toBe(130);
  const id = /run_[0-9a-f]{32}/.exec(err)?.[0] as string;
  expect(err).toContain(`The run goes on. Look at it: npx holdfast inspect ${id}`);
  expect((await cloud.run(id)).status).toBe('waiting');
});

test('dead letters are listed by their reason, redriven where that is mended, and deleted', async () => {
  await cloud.start('quick', { name: 7 }, 'dead-1');
  await cloud.start('nowhere', {}, 'dead-2');
  const listed = () => json<Page<DeadLetterItem>>('dead-letters', 'list');
  const { items } = await cloud.until(listed, (page) => page.items.length === 2, 30_000);
  expect((await json<Page<DeadLetterItem>>('dead-letters', 'list', '--code', 'E_UNKNOWN_WORKFLOW')).items).toHaveLength(1);
  expect((await here()('dead-letters', 'list')).out).toMatch(/E_INPUT_INVALID +the input of quick is invalid/);

  const redriven = await here()('dead-letters', 'redrive', '--all', '--per-second', '50');
  expect(redriven).toMatchObject({ code: 1, out: '0 redriven, 2 refused\n' });
  const deleted = await here()('dead-letters', 'delete', ...items.map(({ id }) => id));
  expect(deleted.code).toBe(0);
  expect((await listed()).items).toEqual([]);
});

test('a token is printed once, does what its scopes say, and is refused when it is revoked', async () => {
  const made = await here()('token', 'create', '--name', 'looker', '--scopes', 'read', '--expires', '90d');
  expect(made).toMatchObject({ code: 0, out: expect.stringMatching(/^hf_[\w-]{43}\n$/), err: expect.stringContaining('not shown again') });
  const token = made.out.trim();
  expect((await here()('runs', '--token', token)).code).toBe(0);
  const start = await here()('run', 'quick', '--input', '{"name":"no"}', '--token', token);
  expect(start).toMatchObject({ code: 3, err: expect.stringContaining('E_FORBIDDEN') });

  const other = await json<{ token: string; hash: string }>('token', 'create', '--name', 'mistaken', '--tenant', 'acme');
  const { items } = await json<{ items: Array<{ hash: string; name: string; scopes: string[]; tenant?: string }> }>('token', 'list');
  expect(items.map(({ name, scopes, tenant }) => ({ name, scopes, tenant }))).toEqual([
    { name: 'mistaken', scopes: ['read', 'start', 'operate'], tenant: 'acme' },
    { name: 'looker', scopes: ['read'], tenant: undefined },
  ]);
  expect(JSON.stringify(items)).not.toContain(token);
  expect((await here()('token', 'list')).out).toContain('looker');
  const hash = other.hash.slice(0, 12);
  expect(await here()('token', 'revoke', hash)).toMatchObject({ code: 0, out: `revoked mistaken (${hash})\n` });
  expect(await here()('token', 'revoke', hash)).toMatchObject({ code: 1 });
  // Before its first use: what the API knew already it may know for a minute more.
  expect(await here()('runs', '--token', other.token)).toMatchObject({ code: 3, err: expect.stringContaining('E_UNAUTHORIZED') });
});

test('a run whose account has no credential pauses, and goes on by itself when one is stored', async () => {
  const paused = await here()('run', 'accounts', '--input', '{"name":"acme"}', '--json');
  expect(paused.code).toBe(1);
  const { id, status, reason } = JSON.parse(paused.out) as Run;
  expect({ status, code: reason?.code, detail: reason?.detail }).toMatchObject({
    status: 'paused',
    code: 'E_NEEDS_AUTH',
    detail: { connection: 'of-accounts', account: 'acme' },
  });
  const list = async () => (await json<{ items: object[] }>('credential', 'list', 'of-accounts')).items;
  expect(await list()).toMatchObject([{ account: 'acme', status: 'needs-auth', waiting: 1 }]);
  const put = await here({ stdin: 'token-of-acme\n' })('credential', 'put', 'of-accounts', 'acme', '--token-stdin', '--json');
  expect(JSON.parse(put.out)).toMatchObject({ account: 'acme', status: 'ok', version: 1, woken: 1 });
  await reached(id, 'succeeded');
  expect(authorized).toEqual(['Bearer token-of-acme']);
  expect(await list()).toMatchObject([{ account: 'acme', status: 'ok', waiting: 0 }]);
  expect(await here()('credential', 'remove', 'of-accounts', 'acme')).toMatchObject({ code: 0 });
  expect(await list()).toEqual([]);
});

test('a wrong token, no answer, and what is no Holdfast end with 3 and say what to do', async () => {
  expect(await here()('runs', '--token', 'wrong')).toMatchObject({
    code: 3,
    err: expect.stringMatching(/answered 401.*\n.*--token or HOLDFAST_TOKEN/),
  });
  expect(await here({ env: { HOLDFAST_URL: 'http://127.0.0.1:1' } })('runs')).toMatchObject({
    code: 3,
    err: expect.stringMatching(/cannot be reached.*\n.*npx holdfast dev/),
  });
  expect(await here({ env: { HOLDFAST_URL: cloud.awsUrl } })('runs')).toMatchObject({
    code: 3,
    err: expect.stringContaining('really that of a Holdfast API'),
  });
});

test('doctor says that Holdfast itself runs at its ports', async () => {
  const port = (url: string | undefined) => new URL(url as string).port;
  const env = { HOLDFAST_PORT: port(cloud.apiUrl), HOLDFAST_AWS_PORT: port(cloud.awsUrl), HOLDFAST_DEMO_PORT: '0' };
  const { out } = await here({ env })('doctor', '--json');
  const { findings } = JSON.parse(out) as { findings: Finding[] };
  const found = (check: string) => findings.find((finding) => finding.check === check);
  expect(found('port of the HTTP API')).toMatchObject({ level: 'ok', found: expect.stringContaining('of Holdfast runs at') });
  expect(found('port of the AWS API')).toMatchObject({ level: 'ok', found: expect.stringContaining('of Holdfast runs at') });
  expect(found('token')).toMatchObject({ level: 'ok' });
});
