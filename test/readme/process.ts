/** A command line in a shell of its own, with everything that it starts: begun, watched, ended. */
import { type ChildProcess, spawn } from 'node:child_process';

export type Running = {
  readonly child: ChildProcess;
  /** What it has printed of late. */
  output(): string;
  /** Its exit code; the signal or the error that ended it. */
  readonly ended: Promise<number | string>;
  readonly hasEnded: boolean;
};

export type Place = {
  cwd: string;
  env: Readonly<Record<string, string | undefined>>;
  /** Gets what it prints, as it comes. */
  print?: (text: string) => void;
};

const KEPT = 6_000;
/** Groups that are not ended yet: they do not outlive this process, however it ends. */
const groups = new Set<number>();
process.on('exit', () => {
  for (const pid of groups) kill(pid, 'SIGKILL');
});
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.on(signal, () => process.exit(code));
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // The group has ended.
  }
}

const GRACE_MS = 10_000;

/** Stops at the first command that fails. */
export function startShell(command: string, { cwd, env, print = () => {} }: Place): Running {
  // A group of its own, so that all of it can be ended together.
  const child = spawn('bash', ['-euo', 'pipefail', '-c', command], { cwd, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  let hasEnded = false;
  const take = (text: string) => {
    output = `${output}${text}`.slice(-KEPT);
    print(text);
  };
  child.stdout.setEncoding('utf8').on('data', take);
  child.stderr.setEncoding('utf8').on('data', take);
  const ended = new Promise<number | string>((done) => {
    child.once('error', (error) => done(error.message));
    child.once('close', (code, signal) => done(code ?? signal ?? 'nothing'));
  });
  if (child.pid !== undefined) groups.add(child.pid);
  void ended.then(() => {
    hasEnded = true;
    if (child.pid !== undefined) groups.delete(child.pid);
  });
  return {
    child,
    output: () => output,
    ended,
    get hasEnded() {
      return hasEnded;
    },
  };
}

/** Asks the whole group to end, and makes it. */
export async function stop(running: Running): Promise<void> {
  const { pid } = running.child;
  if (running.hasEnded || pid === undefined) return;
  kill(pid, 'SIGTERM');
  const hard = setTimeout(kill, GRACE_MS, pid, 'SIGKILL');
  await running.ended;
  clearTimeout(hard);
}

export const READY_MS = 120_000;
const READY_EVERY_MS = 200;

/** Resolves when `ready` does to true. Throws when the command ends before, or after READY_MS. */
export async function untilReady(running: Running, ready: () => Promise<boolean>): Promise<void> {
  for (const until = performance.now() + READY_MS; ; ) {
    if (running.hasEnded) throw new Error(`ended with ${await running.ended} before it answered`);
    if (await ready()) return;
    if (performance.now() > until) throw new Error(`did not answer within ${READY_MS / 1_000} s`);
    await new Promise((done) => setTimeout(done, READY_EVERY_MS));
  }
}

export async function answers(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await answer.body?.cancel();
    return answer.ok;
  } catch {
    return false;
  }
}
