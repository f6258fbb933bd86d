/**
 * One execution environment: a process that runs the real bundle, one invocation at a time, until it is stopped, crashes or overruns
 * its time. A process and not a thread: a thread that meets its heap limit takes the whole process with it more often than not
 * (18 of 28 tries over seven ways to use up memory), and the neighbours' runs would count a crash that was not theirs.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { onEnd } from '../children.ts';
import type { FunctionDescription } from '../template/description.ts';
import type { BootstrapOptions, FromEnvironment, FunctionFault, ToEnvironment } from './protocol.ts';
import { entryOf, variablesOf } from './runtime.ts';

/** What Lambda reports of an invocation that did not return; the names of the types are Lambda's. */
export class FunctionError extends Error {
  readonly errorType: string;
  readonly remoteStack: readonly string[];
  constructor({ errorType, errorMessage, stack }: FunctionFault) {
    super(errorMessage);
    this.name = 'FunctionError';
    this.errorType = errorType;
    this.remoteStack = stack;
  }
}

export const fault = (errorType: string, errorMessage: string): FunctionFault => ({ errorType, errorMessage, stack: [] });

export type Environment = {
  /** One at a time. Rejects with a `FunctionError`; the environment may be gone afterwards. */
  invoke(event: string, requestId: string): Promise<string>;
  /** Whether it can take another invocation. */
  readonly alive: boolean;
  /** Resolves when the process has ended, for whatever reason, and all it printed was read. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
};

export type EnvironmentOptions = {
  id: string;
  function: FunctionDescription;
  /** What every function gets beside its own variables. */
  variables: Record<string, string>;
  log: (text: string) => void;
  /** Port of an inspector. Then nothing is killed for taking too long: somebody may be looking at it. */
  inspect?: number | undefined;
};

/** A heap must leave room for the rest of the process, as on Lambda. */
const HEAP_SHARE = 0.9;
/** Lambda gives up after 10 s; a laptop that does other things at the same time needs more. */
const INIT_TIMEOUT_MS = 30_000;

/** Resolves when the bundle has loaded. Rejects with a `FunctionError` when it cannot. */
export async function startEnvironment(options: EnvironmentOptions): Promise<Environment> {
  const { function: fn } = options;
  const bootstrap: BootstrapOptions = { ...entryOf(fn), functionName: fn.name, functionArn: fn.arn, memoryMb: fn.memoryMb };
  const child = fork(fileURLToPath(new URL('./bootstrap.mjs', import.meta.url)), [JSON.stringify(bootstrap)], {
    execArgv: [
      `--max-old-space-size=${Math.floor(fn.memoryMb * HEAP_SHARE)}`,
      ...(options.inspect === undefined ? [] : ['--enable-source-maps', `--inspect=127.0.0.1:${options.inspect}`]),
    ],
    env: variablesOf(options),
    cwd: fn.assetPath,
    serialization: 'advanced',
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });

  let alive = true;
  let outOfMemory = false;
  let crash: FunctionFault | undefined;
  let running:
    | { requestId: string; overrun: NodeJS.Timeout; resolve: (result: string) => void; reject: (error: Error) => void }
    | undefined;
  const ready = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();

  const kill = (why: FunctionFault) => {
    alive = false;
    crash ??= why;
    child.kill('SIGKILL');
  };
  const settle = (requestId: string | undefined, use: (invocation: NonNullable<typeof running>) => void) => {
    const invocation = running;
    if (invocation === undefined || (requestId !== undefined && invocation.requestId !== requestId)) return;
    running = undefined;
    clearTimeout(invocation.overrun);
    use(invocation);
  };

  child.stdout?.setEncoding('utf8').on('data', options.log);
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    outOfMemory ||= text.includes('heap out of memory');
    options.log(text);
  });
  child.on('message', (message: FromEnvironment) => {
    if (message.type === 'ready') ready.resolve();
    else if (message.type === 'crash') {
      alive = false;
      crash ??= message.error;
    } else if (message.type === 'result') settle(message.requestId, ({ resolve }) => resolve(message.result));
    else settle(message.requestId, ({ reject }) => reject(new FunctionError(message.error)));
  });
  child.on('error', (error) => kill(fault('Runtime.Unavailable', error.message)));
  child.on('exit', () => {
    alive = false;
  });
  onEnd(child, 'close', (code, signal) => {
    crash ??= outOfMemory
      ? fault('Runtime.OutOfMemory', `the heap reached the limit of ${fn.memoryMb} MB`)
      : fault('Runtime.ExitError', `the runtime exited with ${signal === null ? `code ${code}` : `signal ${signal}`}`);
    const error = new FunctionError(crash);
    ready.reject(error);
    settle(undefined, ({ reject }) => reject(error));
    ended.resolve();
  });

  const late = setTimeout(
    () => kill(fault('Sandbox.Timedout', `the function did not start within ${INIT_TIMEOUT_MS} ms`)),
    INIT_TIMEOUT_MS,
  );
  await ready.promise.finally(() => clearTimeout(late));

  return {
    ended: ended.promise,
    get alive() {
      return alive;
    },
    invoke(event, requestId) {
      return new Promise<string>((resolve, reject) => {
        if (!alive || running) {
          reject(new FunctionError(fault('Runtime.Unavailable', alive ? 'the environment is busy' : 'the environment has ended')));
          return;
        }
        const overrun = setTimeout(() => {
          if (options.inspect === undefined)
            kill(fault('Sandbox.Timedout', `Task timed out after ${(fn.timeoutMs / 1000).toFixed(2)} seconds`));
        }, fn.timeoutMs);
        running = { requestId, overrun, resolve, reject };
        child.send({ requestId, event, deadline: Date.now() + fn.timeoutMs } satisfies ToEnvironment, (error) => {
          if (error) kill(fault('Runtime.Unavailable', error.message));
        });
      });
    },
    stop() {
      kill(fault('Runtime.Unavailable', 'the embedded cloud is stopping'));
      return ended.promise;
    },
  };
}
