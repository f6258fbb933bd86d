/** The world around a command: streams, environment, time, Ctrl-C. Handed in, so that tests can hand in another. */
import { fileURLToPath } from 'node:url';

export type Outside = {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
  readonly stderr: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
  readonly stdin: AsyncIterable<Buffer | string> & { isTTY?: boolean };
  /** The project's folder. */
  readonly root: string;
  /** Milliseconds since the epoch. */
  now(): number;
  wait(ms: number): Promise<void>;
  /** Calls `fn` at Ctrl-C; what is returned takes that back. */
  onInterrupt(fn: () => void): () => void;
};

export const ROOT = fileURLToPath(new URL('..', import.meta.url)).replace(/[\\/]$/, '');

export const realOutside = (): Outside => ({
  env: process.env,
  stdout: process.stdout,
  stderr: process.stderr,
  stdin: process.stdin,
  root: ROOT,
  now: Date.now,
  wait: (ms) => new Promise((done) => setTimeout(done, ms)),
  onInterrupt(fn) {
    process.on('SIGINT', fn);
    return () => process.off('SIGINT', fn);
  },
});
