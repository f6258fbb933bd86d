/** Starts the AWS server as a child process and speaks for it. The child ends with this process, however this one ends. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { onEnd } from '../children.ts';
import { LocalError, portError } from '../errors.ts';
import { ACCOUNT, REGION } from './client.ts';
import type { FromServer, ServerOptions, ToServer } from './protocol.ts';

export type AwsProcess = {
  readonly url: string;
  readonly pid: number;
  /** Calls `fn` whenever a message became visible in one of these queues. */
  onVisible(fn: (queues: string[]) => void): void;
  /** Calls `fn` if the process ends without having been told to. */
  onLost(fn: (error: Error) => void): void;
  stop(): Promise<void>;
};

export function startAws(options: ServerOptions): Promise<AwsProcess> {
  const child = fork(fileURLToPath(new URL('./server.ts', import.meta.url)), [JSON.stringify(options)], {
    execArgv: [],
    env: { PATH: process.env.PATH, AWS_REGION: REGION, AWS_ACCOUNT_ID: ACCOUNT, NODE_NO_WARNINGS: '1' },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const visible: Array<(queues: string[]) => void> = [];
  const lost: Array<(error: Error) => void> = [];
  let stopping = false;
  let failure: Extract<FromServer, { type: 'failed' }> | undefined;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));

  return new Promise((resolve, reject) => {
    child.on('message', (message: FromServer) => {
      if (message.type === 'visible') for (const fn of visible) fn(message.queues);
      else if (message.type === 'failed') failure = message;
      else {
        resolve({
          url: `http://127.0.0.1:${message.port}`,
          pid: child.pid as number,
          onVisible: (fn) => void visible.push(fn),
          onLost: (fn) => void lost.push(fn),
          async stop() {
            stopping = true;
            if (child.connected) child.send({ type: 'stop' } satisfies ToServer, () => undefined);
            await gone;
          },
        });
      }
    });
    child.on('error', reject);
    onEnd(child, 'exit', (code, signal) => {
      const error = startError(options, failure, code, signal);
      reject(error);
      if (!stopping) for (const fn of lost) fn(error);
    });
  });
}

function startError(
  options: ServerOptions,
  failure: { code: string; message: string } | undefined,
  code: number | null,
  signal: string | null,
): Error {
  if (failure?.code === 'E_DATA_IN_USE')
    return new LocalError('E_DATA_IN_USE', failure.message.split('\n')[0]?.replace(/^\w+: /, '') ?? '');
  const taken =
    failure &&
    portError(Object.assign(new Error(failure.message), { code: failure.code }), options.port, '--aws-port', 'HOLDFAST_AWS_PORT');
  if (taken instanceof LocalError) return taken;
  return new LocalError('E_AWS_SERVER', `the AWS server ended (${signal ?? `exit code ${code}`})${failure ? `: ${failure.message}` : ''}`);
}
