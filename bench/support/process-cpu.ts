/** CPU time of other processes, from /proc: on Linux alone, elsewhere it is not known. */
import { readdir, readFile } from 'node:fs/promises';

/** Linux counts in hundredths of a second. */
const TICK_MS = 10;

type Stat = { parent: number; ms: number };

async function statOf(pid: number | string): Promise<Stat | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    // The name may hold spaces; everything else comes after its closing bracket.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { parent: Number(fields[1]), ms: (Number(fields[11]) + Number(fields[12])) * TICK_MS };
  } catch {
    return undefined;
  }
}

/** Milliseconds; undefined where there is no /proc, or no such process. */
export async function cpuOf(pid: number): Promise<number | undefined> {
  return (await statOf(pid))?.ms;
}

/** The same of all living children of `parent` whose command line has `part`. */
export async function cpuOfChildren(parent: number, part: string): Promise<number | undefined> {
  let sum: number | undefined;
  for (const pid of await readdir('/proc').catch(() => [])) {
    if (!/^\d+$/.test(pid)) continue;
    const stat = await statOf(pid);
    if (stat?.parent !== parent) continue;
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (command.includes(part)) sum = (sum ?? 0) + stat.ms;
  }
  return sum;
}
