/** Columns of text. Pure. */

export type Cell = { text: string; paint?: (text: string) => string };

/** Columns as wide as their longest cell; the last is cut where the line would end. */
export function table(head: readonly string[], rows: ReadonlyArray<readonly Cell[]>, width = 140): string {
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]?.text.length ?? 0)));
  const last = head.length - 1;
  const used = widths.slice(0, last).reduce((sum, size) => sum + size + 2, 0);
  const room = Math.max(20, width - used);
  const line = (cells: readonly Cell[]) =>
    cells
      .map(({ text, paint = (same) => same }, column) =>
        column === last ? paint(cut(text, room)) : paint(text) + ' '.repeat((widths[column] ?? 0) - text.length),
      )
      .join('  ')
      .trimEnd();
  return [line(head.map((text) => ({ text: text.toUpperCase() }))), ...rows.map(line)].join('\n');
}

/** One line, at most so long. */
export function cut(text: string, length: number): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length <= length ? line : `${line.slice(0, Math.max(0, length - 1))}…`;
}
