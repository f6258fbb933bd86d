/**
 * What an operation's attempts came to, on its way into the journal: the first, ten more and the last in full, and what lies between
 * as counts, so that a hundred throttles are no longer than a dozen. Over all entries of an operation, and over its workers. Pure.
 */
import type { Json } from './json.ts';

/** Attempts that are counted and not told. `rows`: how many of each row (of a call) or outcome (of a step). Times in ms since the epoch. */
export type RolledUp = { rolledUp: number; rows: { [row: string]: number }; from: number; to: number };

/** The first, and ten more. */
const TOLD_IN_FULL = 11;

export type AttemptLog = {
  add(record: Json, at: number): void;
  /** All since it was taken last. `goesOn`: the last of them is not the operation's last. */
  take(goesOn?: boolean): Json[];
};

/** `told`: attempts that the journal has already. */
export function attemptLog(told = 0): AttemptLog {
  let full: Json[] = [];
  let rolled: RolledUp | undefined;
  let last: { record: Json; at: number } | undefined;

  function rollUp(): void {
    if (!last) return;
    const row = rowOf(last.record);
    rolled ??= { rolledUp: 0, rows: {}, from: last.at, to: last.at };
    rolled.rolledUp += 1;
    rolled.rows[row] = (rolled.rows[row] ?? 0) + 1;
    rolled.to = last.at;
    last = undefined;
  }

  return {
    add(record, at) {
      told += 1;
      if (told <= TOLD_IN_FULL) {
        full.push(record);
        return;
      }
      rollUp();
      last = { record, at };
    },
    take(goesOn = false) {
      if (goesOn) rollUp();
      const taken = [...full, ...(rolled ? [rolled] : []), ...(last ? [last.record] : [])];
      full = [];
      rolled = undefined;
      last = undefined;
      return taken;
    },
  };
}

/** How many attempts these records speak of. */
export function attemptsIn(records: readonly Json[] = []): number {
  return records.reduce<number>((sum, record) => sum + (isRolledUp(record) ? record.rolledUp : 1), 0);
}

function isRolledUp(record: Json): record is RolledUp {
  return typeof record === 'object' && record !== null && !Array.isArray(record) && typeof record.rolledUp === 'number';
}

function rowOf(record: Json): string {
  const { row, outcome } = typeof record === 'object' && record !== null && !Array.isArray(record) ? record : {};
  return typeof row === 'string' ? row : typeof outcome === 'string' ? outcome : 'attempt';
}
