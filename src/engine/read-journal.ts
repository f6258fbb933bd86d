/** A run's journal as it is stored, in order: the part in the item, then the segments. */
import { decodeEntries, type Entry } from './journal.ts';
import type { RunRecord, RunStore } from './ports.ts';

export async function readJournal(run: RunRecord, store: Pick<RunStore, 'segments'>): Promise<Entry[]> {
  const inline = run.journal ? decodeEntries(run.journal) : [];
  if (!run.spilled) return inline;
  const segments = await store.segments(run);
  return [...inline, ...segments.flatMap((segment) => decodeEntries(segment.data))];
}
