/** What `start` and `dev` share: they are the programs of `npm start` and `npm run dev`, with the same options. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Command } from 'commander';
import { EXIT } from './errors.ts';
import type { Tools } from './tools.ts';

export const withLocalOptions = (command: Command): Command =>
  command
    .option('--data <dir>', 'keep everything in this folder across restarts (HOLDFAST_DATA); default: in memory')
    .option('--port <n>', 'HTTP API (HOLDFAST_PORT); default: 3000')
    .option('--aws-port <n>', 'AWS API: SQS, DynamoDB, S3 (HOLDFAST_AWS_PORT); default: 4566');

/** `awsPort: '0'` as `--aws-port=0`; `demo: false` as `--no-demo`. */
export function argumentsOf(options: Readonly<Record<string, string | boolean>>): string[] {
  return Object.entries(options).flatMap(([name, value]) => {
    const flag = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    if (value === true) return name === 'demo' ? [] : [`--${flag}`];
    return value === false ? [`--no-${flag}`] : [`--${flag}=${value}`];
  });
}

/** Runs until it ends; Ctrl-C reaches it by itself, and it is what says when all is down. */
export function runLocal(
  { outside }: Tools,
  fixed: readonly string[],
  options: Readonly<Record<string, string | boolean>>,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(outside.root, 'local', 'start.ts'), ...fixed, ...argumentsOf(options)], {
      cwd: outside.root,
      stdio: 'inherit',
      env: outside.env as NodeJS.ProcessEnv,
    });
    const stay = outside.onInterrupt(() => undefined);
    const forward = () => void child.kill('SIGTERM');
    process.on('SIGTERM', forward);
    child.on('error', reject);
    child.on('close', (code) => {
      stay();
      process.off('SIGTERM', forward);
      resolve(code ?? EXIT.interrupted);
    });
  });
}
