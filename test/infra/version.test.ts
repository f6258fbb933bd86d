/** The version names the code that runs: the same for the same files, another for any other. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { deployedVersion } from '../../infra/version.ts';
import manifest from '../../package.json' with { type: 'json' };

async function version(files: Readonly<Record<string, string>>): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-version-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
  return deployedVersion({ worker: join(root, 'worker'), api: join(root, 'api') });
}

const FILES = { 'worker/index.mjs': 'a', 'worker/chunks/b.mjs': 'b', 'api/index.mjs': 'c' };

it('is the package’s version and twelve digits', async () => {
  expect(await version(FILES)).toMatch(new RegExp(`^${manifest.version}-[0-9a-f]{12}$`));
});

it('is the same wherever the same bundles lie', async () => {
  expect(await version(FILES)).toBe(await version({ ...FILES }));
});

it.each([
  ['a changed file', { ...FILES, 'api/index.mjs': 'd' }],
  ['a file more', { ...FILES, 'api/e.mjs': '' }],
  ['a moved file', { 'worker/index.mjs': 'a', 'worker/b.mjs': 'b', 'api/index.mjs': 'c' }],
  ['code that moved from one function to the other', { 'worker/index.mjs': 'c', 'worker/chunks/b.mjs': 'b', 'api/index.mjs': 'a' }],
])('is another for %s', async (_, files) => {
  expect(await version(files)).not.toBe(await version(FILES));
});
