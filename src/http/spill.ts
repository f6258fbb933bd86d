/** Keeps a body that is too large for memory: in pieces in a payload store, each written before the next is taken. */
import { isUtf8 } from 'node:buffer';
import type { AttemptEnv } from '../engine/operation.ts';
import type { PayloadStore } from '../engine/ports.ts';
import type { Place } from '../engine/semaphore.ts';
import type { Sink } from './sink.ts';

/** So many bodies at once must fit into a worker: parts of an S3 multipart upload would be 5 MB each, these are objects of their own. */
export const PIECE_BYTES = 256 * 1024;

/** Where a new body goes: below its run's prefix, so that deleting the run removes it; nobody can guess the name. */
export function newRef({ run, entropy }: Pick<AttemptEnv, 'run' | 'entropy'>): string {
  return `${run === undefined ? '' : `runs/${run.id}/`}body-${entropy.id()}`;
}

/** Takes out of bytes what must not be kept. What it looks for is at most `overlap` bytes long. `cut`: they may end within it. */
export type Filter = { readonly overlap: number; readonly clean: (bytes: Buffer, cut: boolean) => Promise<Buffer> };

export type SpillOptions = {
  readonly filter?: Filter | undefined;
  /** What has come already. */
  readonly held?: Buffer;
  /** The buffer that it is the beginning of, to be taken over if a piece fits into it. */
  readonly room?: Buffer;
  /** A place among those who store at once; returns how to give it back. */
  readonly turn?: () => Place;
};

export function spill(store: Pick<PayloadStore, 'put'>, ref: string, { filter, held, room, turn }: SpillOptions = {}): Sink {
  const overlap = Math.min(filter?.overlap ?? 0, PIECE_BYTES / 2);
  /** One for the whole body: the store is done with it when a put resolves. */
  const piece = room?.length === PIECE_BYTES ? room : Buffer.allocUnsafeSlow(PIECE_BYTES);
  const utf8 = utf8Check();
  let filled = held === undefined ? 0 : piece === room ? held.length : held.copy(piece);
  let pieces = 0;
  let bytes = 0;

  /** Keeps back so much of the end as may be the beginning of what the filter looks for. */
  async function flush(back: number, cut = false): Promise<void> {
    let data: Buffer = piece.subarray(0, filled);
    if (filter) data = await filter.clean(data, cut);
    const kept = Math.max(0, data.length - back);
    for (let at = 0; at < kept; at += PIECE_BYTES) {
      const part = data.subarray(at, Math.min(kept, at + PIECE_BYTES));
      utf8.add(part);
      const done = await turn?.();
      try {
        await store.put(`${ref}/${pieces}`, part);
      } finally {
        done?.();
      }
      pieces += 1;
      bytes += part.length;
    }
    filled = data.copy(piece, 0, kept);
  }

  async function takeAll(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length; ) {
      const taken = chunk.copy(piece, filled, at);
      at += taken;
      filled += taken;
      if (filled === PIECE_BYTES) await flush(overlap);
    }
  }

  return {
    write(chunk) {
      if (filled + chunk.length >= PIECE_BYTES) return takeAll(chunk);
      filled += chunk.copy(piece, filled);
      return undefined;
    },
    async end(cut) {
      if (filled > 0) await flush(0, cut);
      return { body: Buffer.alloc(0), stored: { ref, pieces, bytes, utf8: utf8.valid() } };
    },
  };
}

/** Whether pieces are valid UTF-8 together, whose characters may lie across their borders. */
function utf8Check(): { add(piece: Buffer): void; valid(): boolean } {
  let open = Buffer.alloc(0);
  let valid = true;
  return {
    add(piece) {
      if (!valid) return;
      const whole = open.length === 0 ? piece : Buffer.concat([open, piece]);
      const end = whole.length - unfinished(whole);
      valid = isUtf8(whole.subarray(0, end));
      open = Buffer.from(whole.subarray(end));
    },
    valid: () => valid && open.length === 0,
  };
}

/** How many bytes at the end are the beginning of a character. */
function unfinished(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] as number;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) > back ? back : 0;
  }
  return 0;
}
