/** A run's journal as it is stored, in order: the part in the item, then the segments. */
import { decodeEntries, type Entry } from './journal.ts';
import type { RunRecord, RunStore } from './ports.ts';

export async function readJournal(run: RunRecord, store: Pick<RunStore, 'segments'>): Promise<Entry[]> {
  const inline = run.journal ? decodeEntries(run.journal) : [];
  if (!run.spilled) return inline;
  const entries = [...inline];
  for (const { first, data } of await store.segments(run)) {
    // What does not follow was left by a redrive that lost against this one.
    if (first === entries.length) for (const entry of decodeEntries(data)) entries.push(entry);
  }
  return entries;
}
