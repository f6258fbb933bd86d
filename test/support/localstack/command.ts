/** Other programs, run to their end: what they print is kept, and told when they fail. */
import { spawn } from 'node:child_process';

export type CommandOptions = { env?: Readonly<Record<string, string | undefined>>; cwd?: string; ms?: number };

/** The end of what was printed is where programs say what is wrong. */
const SHOWN = 4_000;

/** Resolves with what it printed. Rejects when it cannot be started, ends with another code than 0, or takes longer than `ms`. */
export async function command(file: string, args: readonly string[], { env, cwd, ms }: CommandOptions = {}): Promise<string> {
  const child = spawn(file, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(env ? { env: { ...process.env, ...env } } : {}),
    ...(cwd === undefined ? {} : { cwd }),
    ...(ms === undefined ? {} : { timeout: ms, killSignal: 'SIGKILL' as const }),
  });
  let printed = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
  const line = [file, ...args].join(' ');
  const code = await new Promise<number | string | null>((done, failed) => {
    child.once('error', (error) => failed(new Error(`${line}: ${error.message}`)));
    child.once('close', (exit, signal) => done(exit ?? signal));
  });
  if (code !== 0) throw new Error(`${line}: ended with ${code}\n${printed.slice(-SHOWN)}`);
  return printed;
}
