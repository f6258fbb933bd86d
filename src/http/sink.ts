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
  /** All has been written. Not called for a body that broke off. */
  end(): Kept | Promise<Kept>;
};

export type OpenSink = (head: Head) => Sink;

const EMPTY = Buffer.alloc(0);

/** Keeps up to `most` bytes in memory; what is longer goes to the sink that `overflow` opens, from its first byte on. */
export function memorySink(most = Number.POSITIVE_INFINITY, overflow?: () => Promise<Sink>): Sink {
  let chunks: Buffer[] = [];
  let size = 0;
  let onward: Sink | undefined;

  async function overflown(open: () => Promise<Sink>): Promise<void> {
    const sink = await open();
    const before = chunks;
    chunks = [];
    for (const chunk of before) await sink.write(chunk);
    onward = sink;
  }

  return {
    write(chunk) {
      if (onward) return onward.write(chunk);
      chunks.push(chunk);
      size += chunk.length;
      return overflow !== undefined && size > most ? overflown(overflow) : undefined;
    },
    end() {
      if (onward) return onward.end();
      return { body: chunks.length === 1 ? (chunks[0] as Buffer) : chunks.length === 0 ? EMPTY : Buffer.concat(chunks, size) };
    },
  };
}
