/** `npm start` as a person meets it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';

const START = join(import.meta.dirname, '../../local/start.ts');

function start(...args: string[]): {
  child: ChildProcess;
  output: () => string;
  printed: (text: string) => Promise<void>;
  ended: Promise<number | null>;
} {
  const child = spawn(process.execPath, [START, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH } });
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  const listeners = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      for (const look of listeners) look();
    });
  }
  return {
    child,
    output: () => output,
    printed: (text) =>
      new Promise((resolve) => {
        const look = () => {
          if (output.includes(text)) resolve();
        };
        listeners.add(look);
        look();
      }),
    ended: once(child, 'close').then(([code]) => code as number | null),
  };
}

test('a taken port ends it with exit code 1, naming the flag', async () => {
  const blocker = createServer().listen(0, '127.0.0.1');
  await once(blocker, 'listening');
  onTestFinished(() => void blocker.close());
  const { port } = blocker.address() as AddressInfo;
  const { ended, output } = start('--no-demo', '--port', '0', '--aws-port', String(port));
  expect(await ended).toBe(1);
  expect(output()).toContain(`E_PORT_TAKEN: port ${port} is taken by another process: choose another with --aws-port or HOLDFAST_AWS_PORT`);
});

test('--help tells of every option and does nothing', async () => {
  const { ended, output } = start('--help');
  expect(await ended).toBe(0);
  expect(output()).toContain('--data DIR');
});

test('it comes up, answers, and Ctrl-C takes everything down', async () => {
  const { child, ended, printed, output } = start('--no-demo', '--port', '0', '--aws-port', '0');
  await Promise.race([printed('output of the functions'), ended]);
  const [aws, api] = [/AWS API +(\S+)/, /HTTP API +(\S+)/].map((pattern) => pattern.exec(output())?.[1] as string);
  expect((await fetch(`${aws}/_holdfast/health`)).status).toBe(200);
  expect((await fetch(`${api}/healthz`)).status).toBe(200);
  expect((await fetch(`${api}/v1/workflows`)).status).toBe(401);
  child.kill('SIGINT');
  expect(await ended).toBe(0);
  await expect(fetch(`${aws}/_holdfast/health`)).rejects.toThrow();
});
