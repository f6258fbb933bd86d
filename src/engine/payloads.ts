/** Which texts stay in the item and which go to the payload store, and getting them back. */
import { createHash } from 'node:crypto';
import { type Entry, isValued, pack, unpack, type Valued } from './journal.ts';
import type { Payload, PayloadStore } from './ports.ts';

/** Compressed bytes above which a text is stored apart. */
export const INLINE_MAX = 32 * 1024;
/** Bytes above which a run's result is stored apart. */
const RESULT_MAX = 100 * 1024;

/** `text` in place, or put into the payload store under a name made of its content, so that a repeat is harmless. */
export async function externalise(run: string, text: string, store: PayloadStore, inlineMax: number = INLINE_MAX): Promise<Payload> {
  if (text.length <= inlineMax) {
    if (Buffer.byteLength(text) <= inlineMax) return { text };
  }
  const packed = pack(text);
  if (packed.length <= inlineMax && inlineMax === INLINE_MAX) return { text };
  const ref = `runs/${run}/${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
  await store.put(ref, packed);
  return { ref, bytes: Buffer.byteLength(text) };
}

/** A result lies in its item as it is, uncompressed: what is too long for that goes to the store, however well it compresses. */
export async function externaliseResult(run: string, text: string, store: PayloadStore): Promise<Payload> {
  return externalise(run, text, store, Buffer.byteLength(text) > RESULT_MAX ? 0 : INLINE_MAX);
}

export async function resolve(payload: Payload, store: PayloadStore): Promise<string> {
  return 'text' in payload ? payload.text : unpack(await store.get(payload.ref));
}

/** Entries whose large values are in the payload store by the time this resolves. */
export async function externaliseEntries(run: string, entries: readonly Entry[], store: PayloadStore): Promise<Entry[]> {
  if (!entries.some((entry) => isLarge(entry))) return [...entries];
  return Promise.all(
    entries.map(async (entry) => {
      if (!isLarge(entry)) return entry;
      const value = await externalise(run, entry.value.text, store);
      return value === entry.value ? entry : { ...entry, value };
    }),
  );
}

/** It may be over the limit: a character has at most three bytes for each unit of its length. */
function isLarge(entry: Entry): entry is Valued & { value: { text: string } } {
  return isValued(entry) && entry.value !== undefined && 'text' in entry.value && entry.value.text.length > INLINE_MAX / 3;
}

/** Entries with every value in place, for replay. */
export async function resolveEntries(entries: readonly Entry[], store: PayloadStore): Promise<Entry[]> {
  // Most journals have nothing elsewhere, and ten thousand promises are what replay would then cost most.
  if (!entries.some((entry) => isElsewhere(entry))) return [...entries];
  return Promise.all(
    entries.map(async (entry) => (isElsewhere(entry) ? { ...entry, value: { text: await resolve(entry.value, store) } } : entry)),
  );
}

function isElsewhere(entry: Entry): entry is Valued & { value: { ref: string; bytes: number } } {
  return isValued(entry) && entry.value !== undefined && 'ref' in entry.value;
}
