/** The table of docs/calls.md says what the classification does. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { classify } from '../../src/http/classify.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const page = readFileSync(join(ROOT, 'docs/calls.md'), 'utf8');
const source = readFileSync(join(ROOT, 'src/http/classify.ts'), 'utf8');

type Line = { row: string; when: string; class: string; repeatable: string; unsafe: string; most: string };

const lines: Line[] = page
  .slice(page.indexOf('| row | when |'), page.indexOf('Redirects are not followed'))
  .split('\n')
  .slice(2)
  .filter((line) => line.startsWith('| `'))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replace(/^`|`$/g, '')),
  )
  .map(([row = '', when = '', of = '', repeatable = '', unsafe = '', most = '']) => ({ row, when, class: of, repeatable, unsafe, most }));

test('the page has every row of the classification, and no other', () => {
  const type = source.slice(source.indexOf('export type Row ='), source.indexOf('export type Class ='));
  const rows = [...type.matchAll(/^ {2}\| '(.+)'/gm)].map(([, name]) => name);
  expect([...new Set(lines.map(({ row }) => row))].sort()).toEqual([...rows].sort());
});

const plain = lines.filter(({ when }) => /^\d{3}(, \d{3})*$/.test(when));

test.each(plain)('what the page says of $when is what follows: $row', ({ row, when, class: of, repeatable, unsafe, most }) => {
  for (const status of when.split(', ').map(Number)) {
    for (const effect of ['safe', 'idempotent', 'keyed', 'unsafe'] as const) {
      const decision = classify({ phase: 'answered', status }, effect);
      expect(decision, `${status} ${effect}`).toMatchObject({ row, class: of, act: effect === 'unsafe' ? unsafe : repeatable });
      expect(decision.retries ?? '', `${status} ${effect}`).toBe(most === '' ? '' : Number.parseInt(most, 10));
    }
  }
});

test('most statuses are spoken of by number', () => {
  expect(plain.length).toBeGreaterThan(10);
});
