/** MiniStack from PyPI, in a virtual environment of the project: an AWS API for machines that have Python and no Docker. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, openSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { ROOT } from '../../../infra/bundle.ts';
import { command } from './command.ts';

export const MINISTACK = 'ministack==1.5.33';

const HOME = join(ROOT, '.localstack');
const VENV = join(HOME, MINISTACK.replace('==', '-'));
const LOG = join(HOME, 'ministack.log');
const windows = process.platform === 'win32';
const bin = (name: string) => (windows ? join(VENV, 'Scripts', `${name}.exe`) : join(VENV, 'bin', name));

export type Process = { stop(): Promise<void>; exited(): boolean; log: string };

/** Installs it once. Throws what kept it from being installed. */
export async function installMinistack(): Promise<void> {
  const marker = join(VENV, '.installed');
  if (existsSync(marker)) return;
  await rm(VENV, { recursive: true, force: true });
  await mkdir(HOME, { recursive: true });
  await command(windows ? 'python' : 'python3', ['-m', 'venv', VENV]);
  await command(bin('python'), ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', MINISTACK]);
  await writeFile(marker, '');
}

/** It runs each function as a process of the `node` that it finds first: this one. */
export function startMinistack(port: number): Process {
  // The code of each function, which it leaves behind. Not in the project: there its CommonJS would be taken for ES modules.
  const scratch = mkdtempSync(join(tmpdir(), 'holdfast-ministack-'));
  const log = openSync(LOG, 'w');
  const child = spawn(bin('python'), ['-m', 'ministack'], {
    detached: !windows,
    stdio: ['ignore', log, log],
    env: {
      ...process.env,
      AWS_ENDPOINT_URL: undefined,
      AWS_ENDPOINT_URL_S3: undefined,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      BIND_HOST: '127.0.0.1',
      MINISTACK_HOST: 'localhost',
      GATEWAY_PORT: String(port),
      LAMBDA_EXECUTOR: 'local',
      TMPDIR: scratch,
      PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}`,
    },
  });
  const kill = (signal: NodeJS.Signals) => {
    try {
      // With all the functions that it has started.
      if (child.pid !== undefined) process.kill(windows ? child.pid : -child.pid, signal);
    } catch {
      // Already gone.
    }
  };
  const onExit = () => kill('SIGKILL');
  process.once('exit', onExit);
  const exited = () => child.exitCode !== null || child.signalCode !== null;
  return {
    log: LOG,
    exited,
    async stop() {
      process.off('exit', onExit);
      if (!exited()) {
        const gone = once(child, 'exit');
        kill('SIGTERM');
        const patience = setTimeout(() => kill('SIGKILL'), 10_000);
        await gone;
        clearTimeout(patience);
        kill('SIGKILL');
      }
      await rm(scratch, { recursive: true, force: true });
    },
  };
}
