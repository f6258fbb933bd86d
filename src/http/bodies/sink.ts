/**
 * Where the decoded bytes of a reply's body go, piece by piece as they come. The exchange hands them over and waits when it is told
 * to; it knows nothing of what becomes of them. Whoever wants to see a body live wraps the sink that keeps it.
 */

/** A body in the payload store: `pieces` objects named `<ref>/0`, `<ref>/1`, …, in order. */
export type StoredPieces = {
  readonly ref: string;
  readonly pieces: number;
  /** Of all pieces together. */
  readonly bytes: number;
  /** The whole body is valid UTF-8. */
  readonly utf8: boolean;
};

/** What is left of a body when all of it has come: in place, or, with `body` empty, in pieces. */
export type Kept = { readonly body: Buffer; readonly stored?: StoredPieces };

export type Head = { readonly status: number; readonly headers: Readonly<Record<string, string>> };

export type Sink = {
  /** Events come when they come: no minimum rate is asked of them. */
  readonly patient?: true;
  /** The chunk is the sink's own from here on. A promise: no more until then. It rejects when the body cannot be kept. */
  write(chunk: Buffer): Promise<void> | undefined;
  /** All has been written; `cut`: of a body that goes on. Not called for one that broke off. */
  end(cut: boolean): Kept | Promise<Kept>;
};

export type OpenSink = (head: Head) => Sink;

const EMPTY = Buffer.alloc(0);

/** The first that is more than one chunk; each further one is four times as large, since what it replaces is not freed at once. */
const LEAST_BYTES = 16 * 1024;

/**
 * Keeps up to `most` bytes in memory; what is longer goes to the sink that `overflow` opens with what has come so far. Chunks are copied together: a server that sends single bytes
 * would otherwise cost a hundred times what it sends.
 */
export function memorySink(most = Number.POSITIVE_INFINITY, overflow?: (held: Buffer) => Promise<Sink>): Sink {
  let held: Buffer = EMPTY;
  let room: Buffer = EMPTY;
  let onward: Sink | undefined;

  async function overflown(open: (held: Buffer) => Promise<Sink>, chunk: Buffer): Promise<void> {
    const sink = await open(held);
    held = room = EMPTY;
    onward = sink;
    await sink.write(chunk);
  }

  return {
    write(chunk) {
      if (onward) return onward.write(chunk);
      const size = held.length + chunk.length;
      if (overflow !== undefined && size > most) return overflown(overflow, chunk);
      // Most bodies are one chunk.
      if (held.length === 0) held = chunk;
      else {
        if (room.length < size) {
          room = Buffer.allocUnsafeSlow(Math.min(Math.max(most, size), Math.max(LEAST_BYTES, 4 ** Math.ceil(Math.log2(size) / 2))));
          held.copy(room);
        }
        chunk.copy(room, held.length);
        held = room.subarray(0, size);
      }
      return undefined;
    },
    end: (cut) => (onward ? onward.end(cut) : { body: held }),
  };
}
