/** A run's journal as the API shows it: a stable form of its own, whatever the engine's encoding becomes. */
import type { Entry } from '../engine/journal.ts';
import { redactError, redactJson } from '../engine/redaction.ts';
import type { JournalItem } from './schemas.ts';
import { excerpt, time } from './views.ts';

/** Below Lambda's 6 MB for an answer. */
const PAGE_BYTES = 4 * 1024 * 1024;

/** Entries from `from` on, as many as fit. `next`: the last one shown, if there are more. */
export function journalPage(entries: readonly Entry[], from: number, limit: number): { items: JournalItem[]; next?: string } {
  const items: JournalItem[] = [];
  let bytes = 0;
  let seq = from;
  for (; seq < entries.length && items.length < limit; seq++) {
    const item = entryView(entries[seq] as Entry, seq);
    bytes += Buffer.byteLength(JSON.stringify(item));
    if (bytes > PAGE_BYTES && items.length > 0) break;
    items.push(item);
  }
  return { items, ...(seq < entries.length ? { next: String(seq - 1) } : {}) };
}

export function entryView(entry: Entry, seq: number): JournalItem {
  if (entry.k === 'park') {
    return { seq, type: 'park', at: time(entry.at), ...(entry.wakeAt === undefined ? {} : { wakeAt: time(entry.wakeAt) }) };
  }
  if (entry.k === 'end') {
    const { outcome } = entry;
    return {
      seq,
      type: 'end',
      at: time(entry.at),
      status: entry.status,
      ...('error' in outcome ? { error: redactError(outcome.error) } : excerpt(outcome.value)),
    };
  }
  if (entry.k === 'cancel' || entry.k === 'redrive') {
    return {
      seq,
      type: entry.k,
      at: time(entry.at),
      calls: entry.k === 'cancel' ? entry.ops : entry.again,
      ...(entry.k === 'redrive' ? { from: entry.cut, ...(entry.asNew === undefined ? {} : { asNew: entry.asNew }) } : {}),
      ...(entry.by === undefined ? {} : { by: entry.by }),
      ...(entry.why === undefined ? {} : { why: entry.why }),
    };
  }
  const common = { seq, type: entry.k, at: time(entry.at), call: entry.op, label: entry.label };
  if (entry.k === 'start') {
    return { ...common, effect: entry.effect, sending: entry.n, ...(entry.epoch === undefined ? {} : { epoch: entry.epoch }) };
  }
  return {
    ...common,
    ...(entry.k === 'retry'
      ? {
          next: time(entry.next),
          issuedAt: time(entry.issuedAt),
          attempt: entry.attempt,
          throttles: entry.throttles,
          ...(entry.why === undefined ? {} : { waitsFor: entry.why }),
        }
      : {}),
    ...('error' in entry && entry.error ? { error: redactError(entry.error) } : {}),
    ...('value' in entry && entry.value ? excerpt(entry.value) : {}),
    attempts: redactJson(entry.attempts ?? []) as unknown[],
  };
}
