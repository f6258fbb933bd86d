/** Starts what serves large bodies, and processes like a worker's that read them; speaks for both. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FromLargeBodies, ToLargeBodies } from './large-bodies-process.ts';
import type { FromWorker, ToWorker } from './large-bodies-worker-process.ts';

export type LargeBodies = {
  readonly url: string;
  /** What its payload store was given so far. */
  kept(): Promise<{ bytes: number; objects: number }>;
  /** All calls at once, in a worker of their own. */
  read(paths: readonly string[], options: ToWorker['options']): Promise<FromWorker>;
  stop(): void;
};

export async function startLargeBodies(): Promise<LargeBodies> {
  const server = start('large-bodies-process.ts');
  const { port } = await next<Extract<FromLargeBodies, { type: 'listening' }>>(server);
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    kept() {
      server.send({ type: 'kept' } satisfies ToLargeBodies);
      return next<Extract<FromLargeBodies, { type: 'kept' }>>(server);
    },
    async read(paths, options) {
      const worker = start('large-bodies-worker-process.ts');
      try {
        worker.send({ url, paths: [...paths], options } satisfies ToWorker);
        return await next<FromWorker>(worker);
      } finally {
        worker.kill();
      }
    },
    stop: () => void server.kill(),
  };
}

// As a Lambda runs: without the parent's flags.
const start = (file: string): ChildProcess => fork(fileURLToPath(new URL(`./${file}`, import.meta.url)), [], { execArgv: [] });

function next<Message>(child: ChildProcess): Promise<Message> {
  return new Promise((resolve, reject) => {
    const gone = (code: number | null, signal: string | null) =>
      reject(new Error(`a process of large bodies ended with ${signal ?? code}`));
    child.once('exit', gone);
    child.once('message', (message: Message) => {
      child.off('exit', gone);
      resolve(message);
    });
  });
}
