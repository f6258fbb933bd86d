/** What documents name is there: files, headings, npm scripts. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';
import { codeBlocks, fileOf, localLinks } from '../readme/blocks.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'SECURITY.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name.replaceAll('\\', '/')}`),
];

/** As GitHub makes them. */
const anchors = (markdown: string) =>
  [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    (heading as string)
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );

describe.each(pages)('%s', (page) => {
  test('links to files and headings that are there', () => {
    const broken = localLinks(read(page)).filter((link) => {
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? page : normalize(join(dirname(page), file));
      if (!existsSync(join(ROOT, target))) return true;
      return anchor !== undefined && !anchors(read(target)).includes(anchor);
    });
    expect(broken).toEqual([]);
  });

  test('names npm scripts that are there', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = [...read(page).matchAll(/\bnpm run ([\w:-]+)/g)].map(([, name]) => name as string);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  test('closes its code blocks and says what language they are', () => {
    const languages = codeBlocks(read(page)).map(({ language }) => language);
    expect(languages.filter((language) => !['ts', 'sh', 'json', 'http', 'diff', 'text', ''].includes(language))).toEqual([]);
  });
});

test('every decision is on the list of decisions', () => {
  const list = localLinks(read('docs/decisions/README.md'));
  const files = readdirSync(join(ROOT, 'docs/decisions')).filter((name) => /^\d{4}-.+\.md$/.test(name));
  expect([...list].sort()).toEqual(files.sort());
});

describe('code blocks', () => {
  test('are found with their language, flags and line', () => {
    const text = 'a\n\n```sh background\nnpm start\n```\n~~~ts\n```\n~~~\n';
    expect(codeBlocks(text)).toEqual([
      { language: 'sh', flags: ['background'], code: 'npm start\n', line: 3 },
      { language: 'ts', flags: [], code: '```\n', line: 6 },
    ]);
  });

  test('that are not closed are an error with their line', () => {
    expect(() => codeBlocks('x\n```ts\nlet a;\n')).toThrow('line 2 is not closed');
  });

  test('say on their first line which file they are', () => {
    const [named, unnamed] = codeBlocks('```ts\n// connections/crm.ts\nlet a;\n```\n```ts\nlet b; // connections/crm.ts\n```\n');
    expect(named && fileOf(named)).toBe('connections/crm.ts');
    expect(unnamed && fileOf(unnamed)).toBeUndefined();
  });

  test('hold no links', () => {
    expect(localLinks('[a](b.md) `[c](d.md)` [web](https://example.com)\n```ts\n[e](f.md)\n```\n[g](#h)\n')).toEqual(['b.md', '#h']);
  });
});
