/** `npm run dev`: when the project's files change, the stack is synthesised anew and the cloud goes on with its functions. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cloud } from './cloud.ts';
import { watchFiles } from './watch-files.ts';

/** What the functions are made of. Infrastructure is not among them: another template takes a new start. */
const WATCHED = ['workflows', 'connections', 'functions', 'src', 'holdfast.config.ts'] as const;

export type ReloadOptions = {
  root: string;
  cloud: Pick<Cloud, 'reload'>;
  /** Gets a folder of its own for each assembly. */
  folder: string;
  synthesise: (dir: string) => Promise<unknown>;
  say: (text: string) => void;
};

/** Ends with `stop`, which waits for a reload that is going on. */
export function reloadOnChange({ root, cloud, folder, synthesise, say }: ReloadOptions): { stop(): Promise<void> } {
  let count = 0;
  let pending: Set<string> | undefined;
  let working: Promise<void> | undefined;
  let stopped = false;

  async function reload(files: readonly string[]): Promise<void> {
    const began = performance.now();
    const dir = join(folder, `reload-${++count}`);
    say(`${files.slice(0, 3).join(', ')}${files.length > 3 ? ` and ${files.length - 3} more` : ''} changed: building`);
    try {
      await synthesise(dir);
      if (stopped) return;
      await cloud.reload(dir);
      say(`reloaded after ${((performance.now() - began) / 1000).toFixed(1)} s; runs in flight go on with it`);
    } catch (error) {
      await rm(dir, { recursive: true, force: true });
      if (!stopped) say(`not reloaded, what ran before goes on:\n${(error as Error).message}`);
    }
  }

  /** One at a time; what changes meanwhile is one more. */
  async function work(): Promise<void> {
    while (pending && !stopped) {
      const files = [...pending];
      pending = undefined;
      await reload(files);
    }
  }

  const watching = watchFiles(root, WATCHED, (files) => {
    pending = new Set([...(pending ?? []), ...files]);
    working ??= work().finally(() => {
      working = undefined;
    });
  });
  return {
    async stop() {
      stopped = true;
      watching.stop();
      await working;
    },
  };
}
