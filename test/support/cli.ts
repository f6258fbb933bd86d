/** The command line in this process: what it prints, its exit code, Ctrl-C when the test says. */
import { Writable } from 'node:stream';
import type { Outside } from '../../cli/outside.ts';
import { ROOT } from '../../cli/outside.ts';
import { runCli } from '../../cli/program.ts';

export type CliRun = { code: number; out: string; err: string };

export type Cli = {
  (...args: string[]): Promise<CliRun>;
  /** As Ctrl-C would. False: nobody listens. */
  interrupt(): boolean;
  /** Everything that was printed to stderr so far. */
  said(): string;
};

export type CliOptions = {
  env?: Record<string, string | undefined>;
  stdin?: string;
  root?: string;
  terminal?: boolean;
  now?: () => number;
};

export function cli({ env = {}, stdin = '', root = ROOT, terminal = false, now = Date.now }: CliOptions = {}): Cli {
  const listeners = new Set<() => void>();
  let said = '';
  const run = async (...args: string[]): Promise<CliRun> => {
    const printed = { out: '', err: '' };
    const stream = (name: 'out' | 'err') =>
      Object.assign(
        new Writable({
          write(chunk, _encoding, done) {
            printed[name] += String(chunk);
            if (name === 'err') said += String(chunk);
            done();
          },
        }),
        terminal ? { isTTY: true, columns: 120 } : {},
      );
    const outside: Outside = {
      env,
      stdout: stream('out'),
      stderr: stream('err'),
      stdin: (async function* () {
        yield stdin;
      })(),
      root,
      now,
      wait: (ms) => new Promise((done) => setTimeout(done, ms)),
      onInterrupt(fn) {
        listeners.add(fn);
        return () => void listeners.delete(fn);
      },
    };
    return { code: await runCli(args, outside), ...printed };
  };
  return Object.assign(run, {
    interrupt() {
      for (const fn of listeners) fn();
      return listeners.size > 0;
    },
    said: () => said,
  });
}
