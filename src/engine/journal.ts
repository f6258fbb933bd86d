/**
 * The journal: its entries and their encoding. Only `done` and `fail` are delivered to user code; the others tell what
 * was about to happen to an operation, so that a later worker knows what may already have been done.
 */
import { deflateRawSync, inflateRawSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { type ErrorData, HoldfastError } from './errors.ts';
import type { Json } from './json.ts';
import type { Effect } from './operation.ts';
import type { Payload } from './ports.ts';

/** How far the run's code had come when this was delivered: replay delivers it at the very same place. */
export type IssueMark = {
  /** Operations issued until then. */
  issued: number;
  /** Rolling hash over their ids, in order. */
  hash: string;
};

export type Entry =
  /** About to be sent, durable before it is. `n` counts sendings; unsafe operations have one for each. */
  | {
      k: 'start';
      op: string;
      at: number;
      label: string;
      effect: Effect;
      n: number;
      body?: string;
      /** Hash of what the idempotency key is made of, its epoch left out. */
      key?: string;
      /** How often a redrive "as new" has given it another key. */
      epoch?: number;
    }
  /** Not now: parked until `next`. `attempts` are the records since the last entry of this operation. */
  | {
      k: 'retry';
      op: string;
      at: number;
      label: string;
      next: number;
      issuedAt: number;
      attempt: number;
      throttles: number;
      /** A sending before that was broken off, and may have happened. */
      interrupted?: true;
      /** It was not its turn: what held it up, and its place there. */
      why?: string;
      place?: Json;
      error?: ErrorData;
      attempts?: Json[];
    }
  /** Sent, and nobody knows. */
  | { k: 'unknown'; op: string; at: number; label: string; kind?: string; error: ErrorData; attempts?: Json[] }
  /** It is settled that the sending did not happen. */
  | { k: 'unsent'; op: string; at: number; label: string; attempt?: number; attempts?: Json[] }
  | ({ k: 'done'; op: string; at: number; label: string; value?: Payload; attempts?: Json[] } & IssueMark)
  | ({ k: 'fail'; op: string; at: number; label: string; error: ErrorData; value?: Payload; attempts?: Json[] } & IssueMark)
  /** A redrive has taken back the delivery of this outcome, and not the effect: it is delivered when it is issued again. */
  | { k: 'settled'; op: string; at: number; label: string; value?: Payload; attempts?: Json[] }
  /** What the run waited for was cancelled: these operations reject. */
  | { k: 'cancel'; at: number; incarnation: number; ops: string[]; by?: string; why?: string }
  /** Goes on from before entry `cut` of the incarnation before. The operations of `again` have failed and are made again. */
  | {
      k: 'redrive';
      at: number;
      incarnation: number;
      cut: number;
      again: string[];
      /** Beyond 0: the epochs of idempotency keys from here on, by the `key` of their START. All of them, not only what is new. */
      epochs?: { [key: string]: number };
      /** Those of `again` that this very redrive has given another key. */
      asNew?: string[];
      by?: string;
      why?: string;
    }
  /** Spilled runs only: the park, or the end, that the update of `RUN` which follows repeats. */
  | { k: 'park'; at: number; wakeAt?: number }
  | { k: 'end'; at: number; status: 'succeeded' | 'failed' | 'cancelled'; outcome: { value: Payload } | { error: ErrorData } };

export type Delivered = Extract<Entry, { k: 'done' | 'fail' }>;

/** Those that a value can be in, in place or elsewhere. */
export type Valued = Extract<Entry, { k: 'done' | 'fail' | 'settled' }>;

export function isValued(entry: Entry): entry is Valued {
  return isDelivered(entry) || entry.k === 'settled';
}

export function isDelivered(entry: Entry): entry is Delivered {
  return entry.k === 'done' || entry.k === 'fail';
}

const SEGMENT_BYTES = 200 * 1024;

const PLAIN = 0;
const ZSTD = 1;
const DEFLATE = 2;
/** What is written is paid for by the KB, at a thousand times what compressing it costs: only what fits anyway stays as it is. */
const COMPRESS_FROM = 512;
/** Fast deflate takes a third of zstd's time for a few KB, and leaves a tenth more; from here on they take the same. */
const ZSTD_FROM = 128 * 1024;
/** A window of 8 KB: a larger one finds little more, and most of what a short compression costs is the memory of its window. */
const SMALL = { level: 1, windowBits: 13, memLevel: 6 } as const;

/** One byte of format, then a JSON array, compressed when that pays. */
export function encodeEntries(entries: readonly Entry[]): Uint8Array {
  return pack(JSON.stringify(entries));
}

export function decodeEntries(data: Uint8Array): Entry[] {
  return JSON.parse(unpack(data)) as Entry[];
}

export function pack(text: string): Uint8Array {
  const raw = Buffer.from(text, 'utf8');
  const [format, body] =
    raw.length < COMPRESS_FROM
      ? ([PLAIN, raw] as const)
      : raw.length < ZSTD_FROM
        ? ([DEFLATE, deflateRawSync(raw, SMALL)] as const)
        : ([ZSTD, zstdCompressSync(raw)] as const);
  const packed = Buffer.allocUnsafe(body.length + 1);
  packed[0] = format;
  body.copy(packed, 1);
  return packed;
}

export function unpack(data: Uint8Array): string {
  const body = Buffer.from(data.buffer, data.byteOffset + 1, data.byteLength - 1);
  switch (data[0]) {
    case PLAIN:
      return body.toString('utf8');
    case ZSTD:
      return zstdDecompressSync(body).toString('utf8');
    case DEFLATE:
      return inflateRawSync(body).toString('utf8');
    default:
      throw new HoldfastError('E_INTERNAL', `data of format ${data[0]}: it was written by a newer version of the library`);
  }
}

/** Parts that fit into one segment each. */
export function splitEntries(entries: readonly Entry[]): Entry[][] {
  const parts: Entry[][] = [];
  let size = 0;
  for (const entry of entries) {
    const more = roughSize(entry);
    const part = parts.at(-1);
    if (part && size + more <= SEGMENT_BYTES) part.push(entry);
    else parts.push([entry]);
    size = part && size + more <= SEGMENT_BYTES ? size + more : more;
  }
  return parts;
}

/** About how many bytes an entry takes, cheaply: for deciding when to flush and where to split. */
export function roughSize(entry: Entry): number {
  let size = 200 + ('label' in entry ? entry.label.length : 0);
  if ('value' in entry && entry.value && 'text' in entry.value) size += entry.value.text.length;
  if ('attempts' in entry && entry.attempts) size += 250 * entry.attempts.length;
  if ('ops' in entry) size += entry.ops.join().length;
  if ('error' in entry && entry.error) size += entry.error.message.length + (entry.error.stack?.length ?? 0);
  return size;
}

/** Rolling hash of operation ids: two 32-bit FNV-1a lanes. It tells apart what honest code does; it resists nobody. */
export function rollingHash(): { add(id: string): void; value(): string } {
  let a = 0x811c9dc5;
  let b = 0xc2b2ae35;
  /** Asked for with every delivery, and changed by none. */
  let text: string | undefined;
  return {
    add(id) {
      text = undefined;
      for (let i = 0; i < id.length; i++) {
        const code = id.charCodeAt(i);
        a = Math.imul(a ^ code, 0x01000193);
        b = Math.imul(b ^ code, 0x85ebca6b) ^ (b >>> 15);
      }
      a = Math.imul(a ^ 0x1f, 0x01000193);
      b = Math.imul(b ^ 0x1f, 0x85ebca6b);
    },
    value() {
      text ??= (a >>> 0).toString(36) + (b >>> 0).toString(36).padStart(7, '0');
      return text;
    },
  };
}
