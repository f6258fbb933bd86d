/** Ends the worker's processes as a machine that fails does. */
import { execFileSync } from 'node:child_process';

/** Those of the embedded cloud in this process. Gives how many there were. */
export function killWorkers(): number {
  const processes = execFileSync('ps', ['-A', '-ww', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' }).split('\n');
  const workers = processes.flatMap((line) => {
    const [, pid, parent, args = ''] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    const mine = Number(parent) === process.pid && args.includes('"functionName":"holdfast-local-worker"');
    return mine ? [Number(pid)] : [];
  });
  for (const pid of workers) process.kill(pid, 'SIGKILL');
  return workers.length;
}
