/** `npx holdfast dev` as a process: it comes up with its inspector, and Ctrl-C takes everything down. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ROOT } from '../../cli/outside.ts';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** In a process group of its own, as a shell would: Ctrl-C reaches all of it. */
function dev(...args: string[]): {
  child: ChildProcess;
  output: () => string;
  printed: (text: string) => Promise<void>;
  ended: Promise<number | null>;
} {
  const child = spawn(process.execPath, [join(ROOT, 'cli', 'main.mjs'), 'dev', ...args], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => {
    if (child.exitCode === null) process.kill(-(child.pid as number), 'SIGKILL');
  });
  let output = '';
  let look = () => {};
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      look();
    });
  }
  const ended = once(child, 'close').then(([code]) => code as number | null);
  return {
    child,
    output: () => output,
    ended,
    printed: (text) =>
      new Promise((resolve, reject) => {
        look = () => {
          if (output.includes(text)) resolve();
        };
        look();
        void ended.then(() => reject(new Error(`it ended: ${output}`)));
      }),
  };
}

test('dev comes up, its worker can be inspected, and Ctrl-C is its ordinary end', async () => {
  const inspector = await freePort();
  const { child, ended, output, printed } = dev('--port', '0', '--aws-port', '0', '--inspect', '--inspect-port', String(inspector));
  await printed('output of the functions');
  expect(output()).toContain('reloads when workflows/');
  expect(output()).toContain(`127.0.0.1:${inspector}`);
  const targets = (await (await fetch(`http://127.0.0.1:${inspector}/json`)).json()) as Array<{ title: string }>;
  expect(targets[0]?.title).toContain('bootstrap.mjs');
  const api = /HTTP API +(\S+)/.exec(output())?.[1] as string;
  expect((await fetch(`${api}/healthz`)).status).toBe(200);
  process.kill(-(child.pid as number), 'SIGINT');
  expect(await ended).toBe(0);
  await expect(fetch(`${api}/healthz`)).rejects.toThrow();
});

test('a taken port ends it with the exit code and the words of npm start', async () => {
  const blocker = createServer().listen(0, '127.0.0.1');
  await once(blocker, 'listening');
  onTestFinished(() => void blocker.close());
  const { port } = blocker.address() as AddressInfo;
  const { ended, output } = dev('--port', '0', '--aws-port', String(port));
  expect(await ended).toBe(1);
  expect(output()).toContain(`E_PORT_TAKEN: port ${port} is taken`);
});
