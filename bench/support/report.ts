/** The table of figures, for people. Pure. */
import type { Row } from './benchmark.ts';

export type Line = Row & { better: 'lower' | 'higher' };

const COLUMNS = ['target', 'what', 'measured', 'wanted', ''] as const;

export function table(lines: readonly Line[]): string {
  const cells = lines.map(({ id, name, value, unit, target, better, met }) => [
    String(id),
    name,
    `${value} ${unit}`.trim(),
    `${better === 'lower' ? '≤' : '≥'} ${target} ${unit}`.trim(),
    met ? 'met' : 'missed',
  ]);
  const widths = COLUMNS.map((title, column) => Math.max(title.length, ...cells.map((row) => [...(row[column] as string)].length)));
  const right = new Set([0, 2, 3]);
  const row = (values: readonly string[]) =>
    values
      .map((value, column) => {
        const space = ' '.repeat((widths[column] as number) - [...value].length);
        return right.has(column) ? space + value : value + space;
      })
      .join('  ')
      .trimEnd();
  return [row(COLUMNS), widths.map((width) => '─'.repeat(width)).join('  '), ...cells.map(row)].join('\n');
}
