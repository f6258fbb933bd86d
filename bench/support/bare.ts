/** Starts the baseline's process and speaks for it. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FromBare, ToBare } from './bare-process.ts';

export type Bare = { run(options: ToBare): Promise<FromBare>; stop(): void };

export function startBare(): Bare {
  const child = fork(fileURLToPath(new URL('./bare-process.ts', import.meta.url)), [], { execArgv: [] });
  return {
    run: (options) =>
      new Promise((resolve, reject) => {
        const gone = () => reject(new Error('the bare loop has ended'));
        child.once('exit', gone);
        child.once('message', (result: FromBare) => {
          child.off('exit', gone);
          resolve(result);
        });
        child.send(options);
      }),
    stop: () => void child.kill(),
  };
}
