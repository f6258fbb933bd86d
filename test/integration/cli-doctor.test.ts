/** `doctor` names each fault, and each fault is there: a listening socket, an empty environment, a closed port, a stack that is not. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, createServer as createSocketServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { Finding } from '../../cli/doctor/finding.ts';
import { ROOT } from '../../cli/outside.ts';
import { cli } from '../support/cli.ts';

const MAIN = join(ROOT, 'cli', 'main.mjs');

async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'holdfast-doctor-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

async function listening<T extends Server | ReturnType<typeof createSocketServer>>(server: T): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** A port at which nothing listens. */
async function closedPort(): Promise<number> {
  const server = createSocketServer();
  const port = await listening(server);
  server.close();
  await once(server, 'close');
  return port;
}

type Report = { healthy: boolean; findings: Finding[]; code: number; of(check: string): Finding | undefined };

async function doctor(env: Record<string, string>, ...args: string[]): Promise<Report> {
  return reportOf(await cli({ env })('doctor', '--json', ...args));
}

function reportOf({ out, code }: { out: string; code: number }): Report {
  const { healthy, findings } = JSON.parse(out) as { healthy: boolean; findings: Finding[] };
  return { healthy, findings, code, of: (check) => findings.find((finding) => finding.check === check) };
}

/** The few answers of CloudFormation and of Holdfast's API that `doctor` reads. */
async function deployed(stack: { status?: string; version?: string; error?: { code: string; message: string } }): Promise<string> {
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const { pathname } = new URL(request.url ?? '/', 'http://x');
    const api = /^\/restapis\/abc123\/localstack\/_user_request_(\/.*)$/.exec(pathname)?.[1];
    if (api !== undefined) {
      const allowed = api === '/healthz' || request.headers.authorization === 'Bearer local-dev';
      response.writeHead(allowed ? 200 : 401, { 'content-type': 'application/json' });
      response.end(JSON.stringify(allowed ? { status: 'ok', items: [] } : { code: 'E_UNAUTHORIZED', detail: 'send a valid token' }));
      return;
    }
    const name = new URLSearchParams(body).get('StackName') ?? '';
    const xml = (status: number, text: string) => {
      response.writeHead(status, { 'content-type': 'text/xml' });
      response.end(text);
    };
    const fault = (code: string, message: string) =>
      xml(
        400,
        `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>r</RequestId></ErrorResponse>`,
      );
    if (stack.error) return fault(stack.error.code, stack.error.message);
    if (name === 'holdfast-localstack' && stack.status === undefined)
      return fault('ValidationError', `Stack with id ${name} does not exist`);
    const outputs = {
      ApiUrl: 'https://abc123.execute-api.us-east-1.amazonaws.com/localstack/',
      ...(stack.version === undefined ? {} : { Version: stack.version }),
    };
    const members = Object.entries(outputs).map(
      ([key, value]) => `<member><OutputKey>${key}</OutputKey><OutputValue>${value}</OutputValue></member>`,
    );
    xml(
      200,
      `<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult><Stacks><member><StackName>${name}</StackName><CreationTime>2026-01-01T00:00:00.000Z</CreationTime><StackStatus>${name === 'CDKToolkit' ? 'CREATE_COMPLETE' : stack.status}</StackStatus><Outputs>${members.join('')}</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`,
    );
  });
  return `http://127.0.0.1:${await listening(server)}`;
}

const localstack = (endpoint: string) => ({ AWS_ENDPOINT_URL: endpoint, HOLDFAST_STAGE: 'localstack' });

test('wrong Node: the command itself says so, in words that an old Node understands', async () => {
  const root = await folder();
  await mkdir(join(root, 'cli'));
  await cp(MAIN, join(root, 'cli', 'main.mjs'));
  await writeFile(join(root, 'package.json'), JSON.stringify({ type: 'module', engines: { node: '>=99' } }));
  const child = spawn(process.execPath, [join(root, 'cli', 'main.mjs'), 'doctor'], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (text) => {
    said += String(text);
  });
  const [code] = await once(child, 'close');
  expect(code).toBe(3);
  expect(said).toContain(`Node ${process.versions.node} is too old: it takes 99 or newer`);
  expect(said).toContain('npm ci');
});

test('wrong Node and dependencies that are not installed are findings of a project', async () => {
  const root = await folder();
  await writeFile(join(root, 'package.json'), JSON.stringify({ engines: { node: '>=99' } }));
  await cp(join(ROOT, 'package-lock.json'), join(root, 'package-lock.json'));
  const { of, code } = reportOf(await cli({ root, env: { HOLDFAST_URL: `http://127.0.0.1:${await closedPort()}` } })('doctor', '--json'));
  expect(code).toBe(1);
  expect(of('node')).toMatchObject({
    level: 'fail',
    found: expect.stringContaining('it takes 99 or newer'),
    remedy: expect.stringContaining('npm ci'),
  });
  expect(of('dependencies')).toMatchObject({ level: 'fail', found: 'nothing is installed', remedy: expect.stringContaining('npm ci') });
  expect(of('config')).toMatchObject({ level: 'fail', found: expect.stringContaining('holdfast.config.ts cannot be loaded') });
});

test('one package of another version than the lockfile says is named', async () => {
  const root = await folder();
  const lock = (version: string) =>
    JSON.stringify({ packages: { '': {}, 'node_modules/zod': { version }, 'node_modules/other': { version: '1.0.0', optional: true } } });
  await writeFile(join(root, 'package.json'), JSON.stringify({ engines: { node: '>=20' } }));
  await writeFile(join(root, 'package-lock.json'), lock('4.6.7'));
  await mkdir(join(root, 'node_modules'));
  await writeFile(
    join(root, 'node_modules', '.package-lock.json'),
    JSON.stringify({ packages: { 'node_modules/zod': { version: '3.0.0' } } }),
  );
  const { of } = reportOf(await cli({ root, env: { HOLDFAST_URL: `http://127.0.0.1:${await closedPort()}` } })('doctor', '--json'));
  expect(of('dependencies')).toMatchObject({ level: 'fail', found: '1 differ from the lockfile: zod is 3.0.0, wanted 4.6.7' });
});

test('taken port: which one, and how to start with another', async () => {
  const port = await listening(createSocketServer((socket) => socket.destroy()));
  const { of, code } = await doctor({
    HOLDFAST_PORT: String(port),
    HOLDFAST_DEMO_PORT: String(await closedPort()),
    HOLDFAST_AWS_PORT: String(await closedPort()),
  });
  expect(code).toBe(1);
  expect(of('port of the HTTP API')).toMatchObject({
    level: 'fail',
    found: `${port} is taken by another process (EADDRINUSE)`,
    remedy: expect.stringContaining('--port or HOLDFAST_PORT'),
  });
  expect(of('port of the demo API')).toMatchObject({ level: 'ok' });
});

test('LocalStack at the port of the AWS API is told as what it is', async () => {
  const port = await listening(
    createServer((request, response) => response.writeHead(request.url === '/_localstack/health' ? 200 : 404).end('{}')),
  );
  const { of } = await doctor({ HOLDFAST_PORT: String(await closedPort()), HOLDFAST_AWS_PORT: String(port) });
  expect(of('port of the AWS API')).toMatchObject({
    level: 'warn',
    found: expect.stringContaining('LocalStack is at'),
    remedy: expect.stringContaining('--aws-port'),
  });
});

test('a stage that is not there: those that are', async () => {
  const { of } = await doctor({ AWS_ENDPOINT_URL: `http://127.0.0.1:${await closedPort()}` }, '--stage', 'nowhere');
  expect(of('config')).toMatchObject({ level: 'fail', found: expect.stringContaining('there is no stage "nowhere": use one of local') });
});

/** With nothing in the environment but what a process needs to run. */
function inEmptyEnvironment(env: Record<string, string>, ...args: string[]): Promise<{ out: string; err: string; code: number }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { env: { PATH: process.env.PATH, ...env } }, (error, out, err) =>
      resolve({ out, err, code: (error as { code?: number } | null)?.code ?? 0 }),
    );
  });
}

test('missing credentials: how to give them', async () => {
  const home = await folder();
  const env = { HOME: home, AWS_EC2_METADATA_DISABLED: 'true', AWS_REGION: 'eu-west-1', HOLDFAST_API_TOKEN_SHA256: 'a'.repeat(64) };
  const report = reportOf(await inEmptyEnvironment(env, 'doctor', '--stage', 'dev', '--json'));
  expect(report.code).toBe(1);
  expect(report.of('credentials')).toMatchObject({
    level: 'fail',
    found: expect.stringContaining('there are none'),
    remedy: expect.stringContaining('AWS_PROFILE'),
  });
  expect(report.of('stack')).toMatchObject({ level: 'skip' });

  const runs = await inEmptyEnvironment(env, 'runs', '--stage', 'dev');
  expect(runs.code).toBe(3);
  expect(runs.err).toMatch(/the stack holdfast-dev cannot be asked for its ApiUrl: there are no AWS credentials/);
  expect(runs.err).toContain('AWS_PROFILE');
});

test('no region: which variable', async () => {
  const home = await folder();
  const env = { HOME: home, AWS_EC2_METADATA_DISABLED: 'true', AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' };
  const { of } = reportOf(await inEmptyEnvironment(env, 'doctor', '--stage', 'dev', '--json'));
  expect(of('credentials')).toMatchObject({
    level: 'fail',
    found: expect.stringContaining('no region is set'),
    remedy: expect.stringContaining('AWS_REGION'),
  });
});

test('expired and unknown credentials are told apart', async () => {
  const expired = await deployed({ error: { code: 'ExpiredToken', message: 'The security token included in the request is expired' } });
  expect((await doctor(localstack(expired))).of('credentials')).toMatchObject({
    level: 'fail',
    found: expect.stringContaining('they have expired'),
    remedy: expect.stringContaining('aws sso login'),
  });
  const unknown = await deployed({
    error: { code: 'InvalidClientTokenId', message: 'The security token included in the request is invalid' },
  });
  expect((await doctor(localstack(unknown))).of('credentials')).toMatchObject({
    level: 'fail',
    found: expect.stringContaining('they are not known there'),
  });
});

test('endpoint down: which, and what decides it', async () => {
  const endpoint = `http://127.0.0.1:${await closedPort()}`;
  const { of, code } = await doctor(localstack(endpoint));
  expect(code).toBe(1);
  expect(of('endpoint')).toMatchObject({
    level: 'fail',
    found: `${endpoint} does not answer (ECONNREFUSED)`,
    remedy: expect.stringContaining('AWS_ENDPOINT_URL'),
  });
  expect(of('stack')).toMatchObject({ level: 'skip' });
});

test('stack not deployed: how to deploy it', async () => {
  const endpoint = await deployed({});
  const { of, code } = await doctor(localstack(endpoint));
  expect(code).toBe(1);
  expect(of('bootstrap')).toMatchObject({ level: 'ok' });
  expect(of('stack')).toMatchObject({
    level: 'fail',
    found: `holdfast-localstack is not deployed at ${endpoint}`,
    remedy: expect.stringContaining('npm run deploy:local'),
  });

  const { code: asked, err } = await cli({ env: localstack(endpoint) })('runs');
  expect(asked).toBe(3);
  expect(err).toContain('there is no stack holdfast-localstack at');
  expect(err).toContain('npm run deploy:local');
});

test('a stack that was rolled back, and one that never came up', async () => {
  const back = await doctor(localstack(await deployed({ status: 'UPDATE_ROLLBACK_COMPLETE', version: 'x' })));
  expect(back.of('stack')).toMatchObject({ level: 'warn', remedy: expect.stringContaining('taken back') });
  const never = await doctor(localstack(await deployed({ status: 'ROLLBACK_COMPLETE' })));
  expect(never.of('stack')).toMatchObject({ level: 'fail', remedy: expect.stringContaining('npm run destroy') });
});

test('another version deployed: both versions; the same one is well, and a wrong token is not', async () => {
  const other = await doctor(localstack(await deployed({ status: 'CREATE_COMPLETE', version: '0.0.1-000000000000' })));
  expect(other.code).toBe(1);
  expect(other.of('api')).toMatchObject({ level: 'ok' });
  expect(other.of('token')).toMatchObject({ level: 'ok' });
  const finding = other.of('version');
  expect(finding).toMatchObject({
    level: 'fail',
    found: expect.stringMatching(/^0\.0\.1-0{12} is deployed, and this working tree is \S+$/),
    remedy: expect.stringContaining('npm run deploy:local'),
  });

  const here = finding?.found.split(' ').at(-1) as string;
  const same = await doctor(localstack(await deployed({ status: 'UPDATE_COMPLETE', version: here })), '--token', 'not-this-one');
  expect(same.of('version')).toMatchObject({ level: 'ok' });
  expect(same.of('token')).toMatchObject({ level: 'fail', remedy: expect.stringContaining('HOLDFAST_TOKEN') });
});

test('for people it is a line for each check, what to do below, and a sum', async () => {
  const endpoint = `http://127.0.0.1:${await closedPort()}`;
  const { out, code } = await cli({ env: localstack(endpoint) })('doctor');
  expect(code).toBe(1);
  expect(out).toMatch(/^ok {4}node: Node /m);
  expect(out).toMatch(/^fail {2}endpoint: .*\n {6}Nothing answers at /m);
  expect(out).toMatch(/^1 check fails\.$/m);
});
