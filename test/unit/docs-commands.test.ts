/** Every `npx holdfast …` that a document shows is a command that is there, with options that it has. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { realOutside } from '../../cli/outside.ts';
import { createProgram } from '../../cli/program.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const pages = ['README.md', 'CHANGELOG.md', 'SECURITY.md', ...readdirSync(join(ROOT, 'docs')).map((name) => `docs/${name}`)].filter(
  (name) => name.endsWith('.md'),
);

/** Up to where the command ends: a pipe, a comment, the end of code. */
const shown = (text: string): string[] =>
  [...text.matchAll(/npx holdfast ((?:'[^'\n]*'|"[^"\n]*"|\\\n|[^\n`|#;)])+)/g)].map(([, words = '']) =>
    words.replaceAll('\\\n', ' ').trim(),
  );

/** What is wrong with it, or ''. */
function fault(command: string): string {
  const words = command
    .replace(/'[^']*'|"[^"]*"/g, 'X')
    .split(/\s+/)
    .filter((word) => word !== '' && !word.startsWith('<'));
  let at: Command = createProgram(realOutside());
  const known = new Set(at.options.map(({ long }) => long));
  const takesValue = (word: string | undefined) => at.options.some(({ long, required }) => long === word && required);
  for (const [place, word] of words.entries()) {
    // Options of all commands may come first.
    if (at.parent === null && (word.startsWith('--') || takesValue(words[place - 1]))) continue;
    const next = at.commands.find((sub) => sub.name() === word);
    if (!next) break;
    at = next;
    for (const { long } of at.options) known.add(long);
  }
  if (at.parent === null) return `there is no command ${words[0]}`;
  const strange = words.filter((word) => word.startsWith('--') && !known.has(word.split('=')[0]));
  return strange.length === 0 ? '' : `has no ${strange.join(', ')}`;
}

describe.each(pages)('%s', (page) => {
  test('shows commands that are there', () => {
    const faults = shown(readFileSync(join(ROOT, page), 'utf8')).map((command) => [command, fault(command)]);
    expect(faults.filter(([, what]) => what !== '')).toEqual([]);
  });
});

test('a command or an option that is not there is told', () => {
  expect(fault('--stage localstack runs --json')).toBe('');
  expect(fault('inspekt run_1')).toBe('there is no command inspekt');
  expect(fault('runs --state failed --stage dev --json')).toBe('has no --state');
  expect(shown('`npx holdfast token list` and\n```sh\nnpx holdfast settle run 7 happened --value \'{"a":1}\' | cat\n```')).toEqual([
    'token list',
    'settle run 7 happened --value \'{"a":1}\'',
  ]);
});
