/** The checks of code blocks: every block of TypeScript compiles, and what does not work is told with its place and its output. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { codeBlocks } from '../readme/blocks.ts';
import { BlockFailed, runBlocks } from '../readme/shell.ts';
import { checkTypes } from '../readme/types.ts';

const ROOT = join(import.meta.dirname, '..', '..');

function documents() {
  const pages = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.md'));
  return ['README.md', ...pages.map((name) => join('docs', name))].map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));
}

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'holdfast-blocks-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const shell = (markdown: string, ready: () => Promise<boolean> = async () => true) => {
  let said = '';
  const cwd = folder();
  const done = runBlocks(codeBlocks(markdown), {
    cwd,
    env: process.env,
    ready,
    say: (text) => {
      said += text;
    },
  });
  return { cwd, done, said: () => said };
};

test('every TypeScript block of the README and the docs type-checks against the library', () => {
  const { blocks, complaint } = checkTypes(ROOT, documents());
  expect(complaint).toBe('');
  expect(blocks).toBeGreaterThan(5);
});

test('a block that does not is told by document and line', () => {
  const text = "words\n\n```ts\nimport { sleep } from 'holdfast';\n\nawait sleep(true);\n```\n";
  const { complaint } = checkTypes(ROOT, [{ path: 'docs/wrong.md', text }]);
  expect(complaint).toMatch(/^docs\/wrong\.md:3 \(line 3 of the block, column \d+\): error TS2345/);
});

test('blocks that name their files can import each other', () => {
  const text = [
    '```ts',
    '// connections/a.ts',
    'export const a = 1;',
    '```',
    '```ts',
    '// workflows/b.ts',
    "import { a } from '../connections/a.ts';",
    'export const b: 1 = a;',
    '```',
    '',
  ].join('\n');
  expect(checkTypes(ROOT, [{ path: 'docs/two.md', text }]).complaint).toBe('');
});

test('shell blocks run in order, in one folder, with their output shown', async () => {
  const { done, cwd, said } = shell('```sh\necho one > file\n```\n```sh\ncat file\ntouch two\n```\n');
  await done;
  expect(existsSync(join(cwd, 'two'))).toBe(true);
  expect(said()).toContain('  | one\n');
});

test('the first failing command ends it, and is told with its line and output', async () => {
  const { done, cwd } = shell('text\n```sh\necho before; false; echo after\n```\n```sh\ntouch later\n```\n');
  const error = await done.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(BlockFailed);
  expect((error as Error).message).toBe('the block in line 2 ended with exit code 1. Its output:\nbefore');
  expect(existsSync(join(cwd, 'later'))).toBe(false);
});

test('a failure anywhere in a pipe counts', async () => {
  await expect(shell('```sh\nfalse | cat\n```\n').done).rejects.toThrow('exit code 1');
});

test('a background block is waited for until it is ready, and ended at the end', async () => {
  const place: { cwd?: string } = {};
  const { done, cwd } = shell(
    '```sh background\necho $$ > pid; touch up; exec cat <(tail -f /dev/null)\n```\n```sh\nkill -0 $(cat pid)\ntest -e up\n```\n',
    async () => place.cwd !== undefined && existsSync(join(place.cwd, 'up')),
  );
  place.cwd = cwd;
  await done;
  const pid = Number(readFileSync(join(cwd, 'pid'), 'utf8'));
  expect(() => process.kill(pid, 0)).toThrow('ESRCH');
});

test('a background block that ends before it is ready is a failure', async () => {
  await expect(shell('```sh background\necho no; exit 3\n```\n', async () => false).done).rejects.toThrow(
    /ended with 3 before it answered\. Its output:\nno$/,
  );
});
