/** Keeps a body that is too large for memory: in pieces in a payload store, each written before the next is taken. */
import { isUtf8 } from 'node:buffer';
import type { AttemptEnv } from '../../engine/operation.ts';
import type { PayloadStore } from '../../engine/ports.ts';
import { PIECE_BYTES, type Room, type Rooms } from './rooms.ts';
import type { Sink } from './sink.ts';

/** Where a new body goes: below its run's prefix, so that deleting the run removes it; nobody can guess the name. */
export function newRef({ run, entropy }: Pick<AttemptEnv, 'run' | 'entropy'>): string {
  return `${run === undefined ? '' : `runs/${run.id}/`}body-${entropy.id()}`;
}

/** Takes out of bytes what must not be kept. What it looks for is at most `overlap` bytes long. `cut`: they may end within it. */
export type Filter = { readonly overlap: number; readonly clean: (bytes: Buffer, cut: boolean) => Promise<Buffer> };

export type SpillOptions = {
  readonly rooms: Rooms;
  readonly filter?: Filter | undefined;
  /** What has come already, less than a piece. */
  readonly held?: Buffer;
  /** A body that is no longer than a piece is not stored: it is what `end` gives. Default false. */
  readonly inline?: boolean;
  /** Memory of chunks is freed as soon as they have been copied, which garbage collection would do 100 MB later. Default false: it is others' too. */
  readonly frees?: boolean;
};

const NOTHING = Buffer.alloc(0);

export function spill(
  store: Pick<PayloadStore, 'put'>,
  ref: string,
  { rooms, filter, held = NOTHING, inline = false, frees = false }: SpillOptions,
): Sink {
  const overlap = Math.min(filter?.overlap ?? 0, PIECE_BYTES / 2);
  const utf8 = utf8Check();
  /** Of the piece that is being filled; between two there is none, only what the next begins with. */
  let room: Room | undefined;
  let filled = 0;
  let begun = held;
  let pieces = 0;
  let bytes = 0;
  let last: Buffer | undefined;

  /** With the next one: by then nobody reads the last any longer, if it was the end of a buffer that is no pool of small ones. */
  function free(chunk: Buffer): void {
    if (last && last.buffer !== chunk.buffer && last.buffer.byteLength > Buffer.poolSize) {
      if (last.byteOffset + last.length === last.buffer.byteLength) (last.buffer as ArrayBuffer).transfer(0);
    }
    last = chunk;
  }

  async function enter(): Promise<Room> {
    room = await rooms();
    filled = begun.copy(room.buffer);
    begun = NOTHING;
    return room;
  }

  /** Keeps back so much of the end as may be the beginning of what the filter looks for. */
  async function flush({ buffer, full, leave }: Room, back: number, cut = false): Promise<void> {
    let clean = false;
    await full();
    try {
      let data: Buffer = buffer.subarray(0, filled);
      if (filter) data = await filter.clean(data, cut);
      const kept = Math.max(0, data.length - back);
      for (let at = 0; at < kept; at += PIECE_BYTES) await put(data.subarray(at, Math.min(kept, at + PIECE_BYTES)));
      if (kept < data.length) begun = Buffer.from(data.subarray(kept));
      clean = true;
    } finally {
      room = undefined;
      leave(clean);
    }
  }

  async function put(part: Buffer): Promise<void> {
    utf8.add(part);
    await store.put(`${ref}/${pieces}`, part);
    pieces += 1;
    bytes += part.length;
  }

  async function takeAll(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length; ) {
      const { buffer } = room ?? (await enter());
      const taken = chunk.copy(buffer, filled, at);
      at += taken;
      filled += taken;
      const fits = inline && pieces === 0 && at === chunk.length;
      if (filled === PIECE_BYTES && !fits) await flush(room as Room, overlap);
    }
  }

  return {
    write(chunk) {
      if (frees) free(chunk);
      if (room === undefined || filled + chunk.length >= PIECE_BYTES) return takeAll(chunk);
      filled += chunk.copy(room.buffer, filled);
      return undefined;
    },
    async end(cut) {
      const rest = room ?? (begun.length > 0 ? await enter() : undefined);
      if (rest && inline && pieces === 0) {
        const body = Buffer.from(rest.buffer.subarray(0, filled));
        rest.leave(true);
        return { body };
      }
      if (rest) await flush(rest, 0, cut);
      return { body: NOTHING, stored: { ref, pieces, bytes, utf8: utf8.valid() } };
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
