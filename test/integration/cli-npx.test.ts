/** `npx holdfast` as a person types it, in this very repository: npm runs a package's own bin from its cache of links. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { ROOT } from '../../cli/outside.ts';

/** The machine's own tools: not what a script of this project finds before them. */
const PATH = (process.env.PATH ?? '')
  .split(delimiter)
  .filter((dir) => !dir.includes('node_modules'))
  .join(delimiter);

async function npx(cwd: string, ...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const cache = await mkdtemp(join(tmpdir(), 'holdfast-npx-'));
  onTestFinished(() => rm(cache, { recursive: true, force: true }));
  const { npm_config_local_prefix: _prefix, npm_config_cache: _cache, ...env } = process.env;
  return new Promise((resolve) => {
    execFile(
      'npx',
      ['holdfast', ...args],
      { cwd, env: { ...env, PATH, npm_config_cache: cache, npm_config_update_notifier: 'false' } },
      (error, out, err) => resolve({ code: Number(error?.code ?? 0), out, err }),
    );
  });
}

test.each([ROOT, join(ROOT, 'workflows')])('it answers in %s, whatever Node the machine has', async (cwd) => {
  const { code, out } = await npx(cwd, '--help');
  expect(code).toBe(0);
  expect(out).toContain('Usage: holdfast [options] [command]');
});

test('its exit code is that of the command', async () => {
  const { code, err } = await npx(ROOT, 'runs', '--limit', 'many');
  expect(code).toBe(2);
  expect(err).toContain('--limit must be a whole number');
});
