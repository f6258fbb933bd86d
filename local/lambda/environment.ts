/**
 * One execution environment: a worker thread that runs the real bundle, one invocation at a time, until it is stopped, crashes
 * or overruns its time. Memory is limited by the thread's own heap, so a crash takes nothing else with it.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { REGION } from '../aws/client.ts';
import type { FunctionDescription } from '../template/description.ts';
import type { BootstrapOptions, FromEnvironment, FunctionFault, ToEnvironment } from './protocol.ts';

/** What Lambda does to an invocation that did not return: the name is Lambda's. */
export class FunctionError extends Error {
  readonly errorType: string;
  readonly remoteStack: string[];
  constructor({ errorType, errorMessage, stack }: FunctionFault) {
    super(errorMessage);
    this.name = 'FunctionError';
    this.errorType = errorType;
    this.remoteStack = stack;
  }
}

export type Environment = {
  readonly id: string;
  /** One at a time. Rejects with a `FunctionError`; the environment may be gone afterwards. */
  invoke(event: string, requestId: string): Promise<string>;
  /** Whether it can take another invocation. */
  readonly alive: boolean;
  /** Resolves when the thread has ended, for whatever reason. */
  readonly ended: Promise<void>;
  stop(): Promise<void>;
};

export type EnvironmentOptions = {
  id: string;
  function: FunctionDescription;
  /** What every function gets beside its own variables. */
  variables: Record<string, string>;
  log: (text: string) => void;
};

/** A Node heap must leave room for the rest of the process, as on Lambda. */
const HEAP_SHARE = 0.9;
/** Lambda gives up after 10 s; a laptop that does other things at the same time needs more. */
const INIT_TIMEOUT_MS = 30_000;

function entryOf(fn: FunctionDescription): { entry: string; exportName: string } {
  const dot = fn.handler.lastIndexOf('.');
  const base = join(fn.assetPath, fn.handler.slice(0, dot));
  const file = ['.mjs', '.js', '.cjs', '.ts'].map((extension) => base + extension).find(existsSync) ?? `${base}.mjs`;
  return { entry: pathToFileURL(file).href, exportName: fn.handler.slice(dot + 1) };
}

function variablesOf({ function: fn, id, variables }: EnvironmentOptions): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '',
    LANG: 'en_US.UTF-8',
    TZ: ':UTC',
    ...fn.environment,
    ...variables,
    AWS_REGION: REGION,
    AWS_DEFAULT_REGION: REGION,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_LAMBDA_FUNCTION_NAME: fn.name,
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(fn.memoryMb),
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/${fn.name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: id,
    LAMBDA_TASK_ROOT: fn.assetPath,
    _HANDLER: fn.handler,
  };
}

/** Resolves when the bundle has loaded. Rejects with a `FunctionError` when it cannot. */
export async function startEnvironment(options: EnvironmentOptions): Promise<Environment> {
  const { function: fn, log } = options;
  const worker = new Worker(new URL('./bootstrap.ts', import.meta.url), {
    workerData: {
      ...entryOf(fn),
      functionName: fn.name,
      functionArn: fn.arn,
      memoryMb: fn.memoryMb,
      timeoutMs: fn.timeoutMs,
    } satisfies BootstrapOptions,
    env: variablesOf(options),
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: Math.floor(fn.memoryMb * HEAP_SHARE) },
    stdout: true,
    stderr: true,
  });
  for (const stream of [worker.stdout, worker.stderr]) stream.setEncoding('utf8').on('data', log);

  let alive = true;
  let settle: { requestId: string; resolve: (result: string) => void; reject: (error: FunctionError) => void } | undefined;
  let crash: FunctionFault | undefined;

  const finish = (requestId: string, use: (waiting: NonNullable<typeof settle>) => void) => {
    if (settle?.requestId !== requestId) return;
    const waiting = settle;
    settle = undefined;
    use(waiting);
  };

  const ended = new Promise<void>((resolve) => {
    worker.on('error', (error: NodeJS.ErrnoException) => {
      crash ??= crashOf(error);
    });
    worker.on('exit', (code) => {
      alive = false;
      crash ??= { errorType: 'Runtime.ExitError', errorMessage: `Runtime exited with code ${code}`, stack: [] };
      if (settle) finish(settle.requestId, ({ reject }) => reject(new FunctionError(crash as FunctionFault)));
      resolve();
    });
  });

  const ready = Promise.withResolvers<void>();
  const late = setTimeout(() => {
    crash = { errorType: 'Sandbox.Timedout', errorMessage: `the function did not start within ${INIT_TIMEOUT_MS} ms`, stack: [] };
    void worker.terminate();
  }, INIT_TIMEOUT_MS);
  void ended.then(() => ready.reject(new FunctionError(crash as FunctionFault)));
  worker.on('message', (message: FromEnvironment) => {
    if (message.type === 'ready') ready.resolve();
    else if (message.type === 'init-error') {
      crash = message.error;
      void worker.terminate();
    } else if (message.type === 'result') finish(message.requestId, ({ resolve }) => resolve(message.result));
    else finish(message.requestId, ({ reject }) => reject(new FunctionError(message.error)));
  });
  await ready.promise.finally(() => clearTimeout(late));

  return {
    id: options.id,
    ended,
    get alive() {
      return alive;
    },
    invoke(event, requestId) {
      return new Promise<string>((resolve, reject) => {
        if (!alive || settle) {
          const errorMessage = alive ? 'the environment is busy' : 'the environment has ended';
          return void reject(new FunctionError({ errorType: 'Runtime.Unavailable', errorMessage, stack: [] }));
        }
        const overrun = setTimeout(() => {
          alive = false;
          crash = {
            errorType: 'Sandbox.Timedout',
            errorMessage: `Task timed out after ${(fn.timeoutMs / 1000).toFixed(2)} seconds`,
            stack: [],
          };
          void worker.terminate();
        }, fn.timeoutMs);
        settle = {
          requestId,
          resolve: (result) => {
            clearTimeout(overrun);
            resolve(result);
          },
          reject: (error) => {
            clearTimeout(overrun);
            reject(error);
          },
        };
        worker.postMessage({ type: 'invoke', requestId, event, deadline: Date.now() + fn.timeoutMs } satisfies ToEnvironment);
      });
    },
    async stop() {
      alive = false;
      await worker.terminate();
    },
  };
}

function crashOf(error: NodeJS.ErrnoException): FunctionFault {
  if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return { errorType: 'Runtime.OutOfMemory', errorMessage: 'Runtime exited: the heap reached the memory limit', stack: [] };
  }
  return { errorType: error.name, errorMessage: error.message, stack: (error.stack ?? '').split('\n').slice(1, 20) };
}
