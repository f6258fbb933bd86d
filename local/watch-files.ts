/**
 * Tells when files of the project have changed, once they are quiet for a moment. Knows nothing of what is done about it.
 * It looks, several times a second: the events of a recursive watch stop for a file that an editor has replaced by another
 * (seen with Node 24 on Linux), and most editors save so.
 */
import { readdirSync, statSync } from 'node:fs';
import { basename, join, sep } from 'node:path';

const LOOK_MS = 300;
/** What editors leave beside what they edit, and what nobody edits. */
const IGNORED = /(^|[\\/])(\.|node_modules[\\/])|~$|\.sw.$|^4913$/;

/** What editors write first and rename then has none of them. */
const SOURCE = /\.(m?[jt]s|json)$/;

export type Watching = { stop(): void };

/** `paths`: files and folders below `root`; those that are not there are left out. `changed` gets what changed, relative to `root`. */
export function watchFiles(root: string, paths: readonly string[], changed: (files: string[]) => void): Watching {
  let known = look(root, paths);
  /** Changed at an earlier look: told when a look finds nothing more, since editors write several files. */
  const pending = new Set<string>();
  const timer = setInterval(() => {
    const found = look(root, paths);
    const names = new Set([...known.keys(), ...found.keys()]);
    const differ = [...names].filter((name) => known.get(name) !== found.get(name));
    known = found;
    for (const name of differ) pending.add(name);
    if (differ.length > 0 || pending.size === 0) return;
    const files = [...pending].sort();
    pending.clear();
    changed(files);
  }, LOOK_MS);
  return { stop: () => clearInterval(timer) };
}

/** Size, time and inode of each source file: a file that was replaced is another one. */
function look(root: string, paths: readonly string[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const path of paths) {
    for (const file of filesAt(root, path)) {
      if (IGNORED.test(basename(file)) || !SOURCE.test(file)) continue;
      const stat = statSync(join(root, file), { throwIfNoEntry: false });
      if (stat?.isFile()) found.set(file, `${stat.size} ${stat.mtimeMs} ${stat.ino}`);
    }
  }
  return found;
}

function filesAt(root: string, path: string): string[] {
  if (!statSync(join(root, path), { throwIfNoEntry: false })?.isDirectory()) return [path];
  try {
    return readdirSync(join(root, path), { recursive: true, encoding: 'utf8' })
      .filter((name) => !name.split(sep).includes('node_modules'))
      .map((name) => join(path, name));
  } catch {
    // Somebody is moving folders: the next look finds them.
    return [];
  }
}
