/** Runs one benchmark in a process of its own, so that none inherits another's heap, caches or sockets, and a fault breaks only itself. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Measured } from './benchmark.ts';

export type FromBenchmark = { type: 'say'; line: string } | { type: 'measured'; measured: Measured } | { type: 'broken'; error: string };

/** `file`: a module of this folder's parent that exports `benchmark`. Rejects with what broke it. */
export function runApart(file: string, options: { quick: boolean; say: (line: string) => void }): Promise<Measured> {
  const child = fork(fileURLToPath(new URL('./run-one.ts', import.meta.url)), [file, String(options.quick)], {
    execArgv: ['--expose-gc', '--disable-warning=ExperimentalWarning'],
  });
  return new Promise((resolve, reject) => {
    let outcome: FromBenchmark | undefined;
    child.on('message', (message: FromBenchmark) => {
      if (message.type === 'say') options.say(message.line);
      else outcome = message;
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      if (outcome?.type === 'measured') resolve(outcome.measured);
      else reject(new Error(outcome?.type === 'broken' ? outcome.error : `the process ended with ${signal ?? `exit code ${code}`}`));
    });
  });
}
