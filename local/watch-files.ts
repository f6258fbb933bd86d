/** Tells when files of the project have changed, once they are quiet for a moment. Knows nothing of what is done about it. */
import { existsSync, type FSWatcher, watch } from 'node:fs';
import { basename, join } from 'node:path';

/** Editors write several files, and each more than once. */
const QUIET_MS = 150;
/** What editors leave beside what they edit, and what nobody edits. */
const IGNORED = /(^|[\\/])(\.|node_modules[\\/])|~$|\.sw.$|^4913$/;

/** What editors write first and rename then has none of them. */
const SOURCE = /\.(m?[jt]s|json)$/;

export type Watching = { stop(): void };

/** `paths`: files and folders below `root`; those that are not there are left out. `changed` gets what changed, relative to `root`. */
export function watchFiles(root: string, paths: readonly string[], changed: (files: string[]) => void): Watching {
  const seen = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  const note = (file: string) => {
    seen.add(file);
    clearTimeout(timer);
    timer = setTimeout(() => {
      const files = [...seen].sort();
      seen.clear();
      changed(files);
    }, QUIET_MS);
  };
  const watchers = paths
    .filter((path) => existsSync(join(root, path)))
    .map((path): FSWatcher => {
      const isFile = /\.\w+$/.test(path);
      // A file that an editor replaces is another one: its folder is what stays.
      return watch(isFile ? root : join(root, path), { recursive: !isFile }, (_event, name) => {
        if (name === null || IGNORED.test(name) || !SOURCE.test(name)) return;
        if (!isFile) note(join(path, name));
        else if (name === basename(path)) note(path);
      });
    });
  return {
    stop() {
      clearTimeout(timer);
      for (const watcher of watchers) watcher.close();
    },
  };
}
