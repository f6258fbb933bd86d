/**
 * Which AWS API the suite deploys to: what answers at AWS_ENDPOINT_URL, else LocalStack by Docker Compose, else MiniStack from PyPI.
 * Says which one it is, ends what it started and nothing else, and fails when there is none: it never skips.
 */

import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { ROOT } from '../../../infra/bundle.ts';
import { command } from './command.ts';
import { installMinistack, MINISTACK, startMinistack } from './ministack.ts';
import { until } from './until.ts';

export type Endpoint = {
  url: string;
  /** What it leaves out is its own. */
  make: 'LocalStack' | 'MiniStack' | 'unknown';
  /** For people: which one it is, and whose. */
  what: string;
  /** Under which name the deployed functions reach this machine, and where a server must listen to be reached so. */
  tests: { host: string; listen: string };
  stop(): Promise<void>;
};

/** What the tests are told of it. */
export type Reachable = Pick<Endpoint, 'url' | 'make' | 'tests'>;

const COMPOSE = join(ROOT, 'compose.yaml');
const LOOPBACK = { host: '127.0.0.1', listen: '127.0.0.1' };
/** From within a container: compose.yaml gives the name to the functions' containers too. */
const FROM_DOCKER = { host: 'host.docker.internal', listen: '0.0.0.0' };
const PULL_MS = 600_000;

export async function findEndpoint(env: NodeJS.ProcessEnv, say: (text: string) => void): Promise<Endpoint> {
  const refusals: string[] = [];
  for (const find of [given, docker, ministack]) {
    try {
      return await find(env);
    } catch (error) {
      const why = (error as Error).message.trim();
      refusals.push(why);
      say(why);
    }
  }
  throw new Error(
    `there is no AWS API to deploy to:\n${refusals.map((why) => `- ${why}`).join('\n')}\n` +
      'Start one and name it in AWS_ENDPOINT_URL, start Docker, or install Python 3 with its venv module. docs/localstack.md tells how.',
  );
}

async function given(env: NodeJS.ProcessEnv): Promise<Endpoint> {
  const url = env.AWS_ENDPOINT_URL?.replace(/\/+$/, '');
  if (!url) throw new Error('AWS_ENDPOINT_URL is not set');
  const made = await makeOf(url);
  if (made === undefined) throw new Error(`nothing answers at AWS_ENDPOINT_URL, ${url}`);
  // Whoever runs it in containers knows it, and says so.
  const tests = env.HOLDFAST_TEST_FROM_DOCKER === '1' ? FROM_DOCKER : LOOPBACK;
  return { url, ...told(made, url, 'AWS_ENDPOINT_URL'), tests, stop: async () => {} };
}

async function docker(): Promise<Endpoint> {
  try {
    await command('docker', ['info'], { ms: 20_000 });
  } catch {
    throw new Error('no Docker engine answers `docker info`');
  }
  const port = await freePort();
  const project = `holdfast-test-${port}`;
  const compose = (...args: string[]) =>
    command('docker', ['compose', '--project-name', project, '--file', COMPOSE, ...args], {
      env: { HOLDFAST_LOCALSTACK_PORT: String(port) },
      ms: PULL_MS,
    });
  const stop = async () => void (await compose('down', '--volumes', '--timeout', '10'));
  try {
    await compose('up', '--detach', '--wait');
  } catch (error) {
    await stop().catch(() => {});
    throw error;
  }
  const url = `http://localhost:${port}`;
  return { url, ...told(await makeOf(url), url, 'Docker Compose'), tests: FROM_DOCKER, stop };
}

async function ministack(): Promise<Endpoint> {
  try {
    await installMinistack();
  } catch (error) {
    throw new Error(`${MINISTACK} could not be installed from PyPI: ${(error as Error).message}`);
  }
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const child = startMinistack(port);
  const made = await until(
    () => makeOf(url),
    (seen) => seen !== undefined || child.exited(),
    60_000,
  ).catch(() => undefined);
  if (made === undefined) {
    await child.stop();
    throw new Error(`${MINISTACK} did not come up: see ${child.log}`);
  }
  return { url, ...told(made, url, 'from PyPI'), tests: LOOPBACK, stop: child.stop };
}

type Made = { make: Endpoint['make']; version: string };

function told(made: Made | undefined, url: string, how: string): Pick<Endpoint, 'make' | 'what'> {
  const { make, version } = made ?? { make: 'unknown', version: '' };
  return { make, what: `${make === 'unknown' ? 'an AWS API of unknown make' : `${make} ${version}`} at ${url} (${how})` };
}

/** Undefined when nothing answers. Both programs tell their version in the same place; MiniStack alone has one of its own too. */
async function makeOf(url: string): Promise<Made | undefined> {
  const get = async (path: string) => {
    const response = await fetch(`${url}${path}`, { signal: AbortSignal.timeout(5_000) });
    return { ok: response.ok, text: await response.text() };
  };
  try {
    const [health, own] = [await get('/_localstack/health'), await get('/_ministack/health')];
    if (!health.ok) return { make: 'unknown', version: '' };
    const { version = '' } = JSON.parse(health.text) as { version?: string };
    return { make: own.ok ? 'MiniStack' : 'LocalStack', version };
  } catch {
    return undefined;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  await new Promise((closed) => server.close(closed));
  return port;
}
