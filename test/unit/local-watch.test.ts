/** Watching files, whatever way an editor saves them. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { watchFiles } from '../../local/watch-files.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-watch-'));
  mkdirSync(join(root, 'workflows', 'lib'), { recursive: true });
  writeFileSync(join(root, 'workflows', 'a.ts'), 'a');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test('every save is noticed: in place, by another file in its name, of a new file, and of one that goes', async () => {
  let told: (files: string[]) => void = () => {};
  const watching = watchFiles(root, ['workflows', 'holdfast.config.ts'], (files) => told(files));
  const next = () => new Promise<string[]>((resolve) => (told = resolve));
  const a = join(root, 'workflows', 'a.ts');
  try {
    for (let save = 0; save < 3; save++) {
      const noticed = next();
      writeFileSync(`${a}.tmp`, `save ${save}`);
      renameSync(`${a}.tmp`, a);
      expect(await noticed).toEqual([join('workflows', 'a.ts')]);
    }
    const inPlace = next();
    writeFileSync(a, 'in place');
    expect(await inPlace).toEqual([join('workflows', 'a.ts')]);
    const several = next();
    writeFileSync(join(root, 'workflows', 'lib', 'b.ts'), 'new');
    rmSync(a);
    writeFileSync(join(root, 'workflows', 'notes.txt'), 'no source');
    expect(await several).toEqual([join('workflows', 'a.ts'), join('workflows', 'lib', 'b.ts')]);
  } finally {
    watching.stop();
  }
});
