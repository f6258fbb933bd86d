/** How large a run's item may be, and what leaves it. */
import type { RunRecord } from './ports.ts';

/** An item that is updated again stays below this, since every update costs the whole item. */
export const INLINE_ITEM_BYTES = 4 * 1024;
/** A run's last write may be this large. */
export const FINAL_ITEM_BYTES = 200 * 1024;
/** Inputs above this leave the item when it is written to be updated again. */
export const INLINE_INPUT_BYTES = 2 * 1024;
/** Names, times and numbers of an item, roughly. */
const OVERHEAD_BYTES = 500;

/** Whether the item with this journal stays below `limit`. */
export const fits = (next: RunRecord, journal: Uint8Array, limit: number): boolean =>
  journal.length + ('text' in next.input ? Buffer.byteLength(next.input.text) : 100) + OVERHEAD_BYTES <= limit;
