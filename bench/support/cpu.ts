/** CPU time of this process and of the machine. Steadier than elapsed time where other programs run too. */
import { cpus } from 'node:os';

/** Milliseconds, all threads, since `before`. */
export function cpuMs(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

export type MachineTime = { busy: number; all: number };

/** Milliseconds that all cores together have been busy, and have been there, since the machine was started. */
export function machineMs(): MachineTime {
  const times = cpus().map((core) => core.times);
  const all = times.reduce((sum, time) => sum + time.user + time.nice + time.sys + time.irq + time.idle, 0);
  return { busy: all - times.reduce((sum, { idle }) => sum + idle, 0), all };
}

export function since(before: MachineTime): MachineTime {
  const now = machineMs();
  return { busy: now.busy - before.busy, all: now.all - before.all };
}
