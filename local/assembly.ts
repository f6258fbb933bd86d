/** Where the synthesised stack of this process lies, and the removal of what killed processes left. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const PREFIX = 'assembly-';

/** `folder`: for the stack of this process; others that still run keep theirs. */
export function assemblyFolder(base: string): { folder: string; remove(): void } {
  for (const name of list(base)) {
    if (name.startsWith(PREFIX) && !isAlive(Number(name.slice(PREFIX.length)))) rmSync(join(base, name), { recursive: true, force: true });
  }
  const folder = join(base, `${PREFIX}${process.pid}`);
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

function list(base: string): string[] {
  try {
    return readdirSync(base);
  } catch {
    return [];
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
