/** What is deployed, in one word: the package's version and a hash over the bundles, the same for the same code on any machine. */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { ROOT } from './bundle.ts';

const HASH_DIGITS = 12;

/** `folders`: of the bundles, by function. */
export async function deployedVersion(folders: Readonly<Record<string, string>>): Promise<string> {
  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const hash = createHash('sha256');
  for (const [name, dir] of Object.entries(folders).sort(([a], [b]) => (a < b ? -1 : 1))) {
    for (const file of await filesOf(dir)) {
      const content = await readFile(join(dir, file));
      // Each with its length, so that no two lists of files read alike.
      hash.update(`${name}/${file}\n${content.byteLength}\n`).update(content);
    }
  }
  return `${version}-${hash.digest('hex').slice(0, HASH_DIGITS)}`;
}

async function filesOf(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(dir.length + 1)
        .split(sep)
        .join('/'),
    )
    .sort();
}
