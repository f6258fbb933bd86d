/** Bodies of calls that belong to no run: files in a private folder, which goes when the process ends. */
import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { HoldfastError } from '../../engine/errors.ts';
import type { PayloadStore } from '../../engine/ports.ts';
import type { StoredPieces } from './sink.ts';

export type TempPayloads = PayloadStore & {
  /** Removes all pieces of a body. Never rejects: what stays goes with the folder. */
  drop(ref: string): Promise<void>;
};

/** What holds on to a body of this process, by the body's name. */
const readers = new FinalizationRegistry<string>((ref) => void tempPayloads().then(({ drop }) => drop(ref)));

/** Keeps a body as long as somebody can still read it. */
export function dropUnread(body: StoredPieces): void {
  readers.register(body, body.ref);
}

let made: Promise<TempPayloads> | undefined;

/** The process's own; made when it is first used. */
export function tempPayloads(): Promise<TempPayloads> {
  made ??= make();
  made.catch(() => {
    made = undefined;
  });
  return made;
}

async function make(): Promise<TempPayloads> {
  // Readable by this user alone.
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return {
    async put(key, data) {
      const file = join(folder, key);
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, data);
    },
    async get(key) {
      try {
        return await readFile(join(folder, key));
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
        throw new HoldfastError('E_PAYLOAD_MISSING', 'the stored body is gone: its file was removed', { cause, detail: { key } });
      }
    },
    async drop(ref) {
      await rm(join(folder, ref), { recursive: true, force: true }).catch(() => {});
    },
  };
}
