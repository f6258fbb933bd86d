/** CPU time of this process: steadier than elapsed time on a machine that others use too. */

/** Milliseconds, all threads, since `before`. */
export function cpuMs(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}
