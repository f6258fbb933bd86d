/** A reply's body on its way in: its coding undone, counted, cut at the cap, handed to a sink. Knows no socket and no time. */
import { type Decoder, decoderFor } from './decode.ts';
import type { Kept, Sink } from './sink.ts';

export type Receiver = {
  /** It was over the cap: no more of it is wanted. */
  readonly cut: boolean;
  /** As it came. A promise: no more until then. Rejects with `BadCoding`, and when the body cannot be kept. */
  write(chunk: Buffer): Promise<void> | undefined;
  end(): Kept | Promise<Kept>;
  /** It broke off, or is not waited for any longer. */
  drop(): void;
};

/** What a coding may add to bytes that it cannot make smaller; more of nothing but coding is endless. */
const overhead = (bytes: number): number => 65_536 + bytes / 64;

export function receive(coding: string | undefined, maxBody: number, sink: Sink): Receiver {
  const makeDecoder = decoderFor(coding);
  let decoder: Decoder | undefined;
  let came = 0;
  let size = 0;
  let cut = false;

  function take(chunk: Buffer): Promise<void> | undefined {
    if (cut) return undefined;
    const room = maxBody - size;
    size += chunk.length;
    if (size <= maxBody) return sink.write(chunk);
    enough();
    return room > 0 ? sink.write(chunk.subarray(0, room)) : undefined;
  }

  function enough(): void {
    cut = true;
    decoder?.stop();
  }

  return {
    get cut() {
      return cut;
    },
    write(chunk) {
      if (!makeDecoder) return take(chunk);
      if (came > maxBody + overhead(maxBody)) {
        enough();
        return undefined;
      }
      came += chunk.length;
      decoder ??= makeDecoder(chunk, take);
      return decoder.write(chunk);
    },
    end() {
      return decoder === undefined || cut ? sink.end(cut) : decoder.end().then(() => sink.end(cut));
    },
    drop: () => decoder?.stop(),
  };
}
