/** Starts what serves large bodies, and processes like a worker's that read them; speaks for both. */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle, ENTRY } from '../../infra/bundle.ts';
import type { FromLargeBodies, ToLargeBodies } from './large-bodies-process.ts';
import type { FromWorker, ToWorker } from './large-bodies-worker-process.ts';

export type LargeBodies = {
  readonly url: string;
  /** What its payload store was given so far. */
  kept(): Promise<{ bytes: number; objects: number }>;
  /** All calls at once, in a worker of their own. */
  read(paths: readonly string[], options: ToWorker['options']): Promise<FromWorker>;
  stop(): Promise<void>;
};

export async function startLargeBodies(): Promise<LargeBodies> {
  const dir = await mkdtemp(join(tmpdir(), 'holdfast-bench-'));
  // As it is deployed: a process that reads TypeScript needs 40 MB for that alone.
  await bundle('large-bodies-worker', dir, { entry: join('bench', 'support', 'large-bodies-worker-process.ts') });
  const server = start(fileURLToPath(new URL('./large-bodies-process.ts', import.meta.url)));
  const { port } = await next<Extract<FromLargeBodies, { type: 'listening' }>>(server);
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    kept() {
      server.send({ type: 'kept' } satisfies ToLargeBodies);
      return next<Extract<FromLargeBodies, { type: 'kept' }>>(server);
    },
    async read(paths, options) {
      const worker = start(join(dir, ENTRY));
      try {
        worker.send({ url, paths: [...paths], options } satisfies ToWorker);
        return await next<FromWorker>(worker);
      } finally {
        worker.kill();
      }
    },
    async stop() {
      server.kill();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

// As a Lambda runs: without the parent's flags.
const start = (file: string): ChildProcess => fork(file, [], { execArgv: [] });

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
