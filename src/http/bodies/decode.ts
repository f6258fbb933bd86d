/** Undoes a reply's content coding as it streams in, with a guard against bodies that explode. */
import { constants, createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib';

/** The body is not what its coding says, or grows beyond all measure: nobody should read it. */
export class BadCoding extends Error {
  override readonly name = 'BadCoding';
}

export type Decoder = {
  /** Resolves when all that the chunk holds has been taken. Rejects with `BadCoding`, and with what taking it rejects with. */
  write(chunk: Buffer): Promise<void>;
  /** Resolves when the last has been taken. */
  end(): Promise<void>;
  /** What is under way resolves; nothing more is taken. */
  stop(): void;
};

type Take = (chunk: Buffer) => Promise<void> | undefined;
type Inflater = ReturnType<typeof createGunzip> | ReturnType<typeof createBrotliDecompress>;

/** Honest texts rarely pass 100:1; a small body may, without harm. */
const MAX_RATIO = 200;
const HARMLESS_BYTES = 1_000_000;

/** What is undone at once, and what may stand ready of it: of each of a hundred bodies. */
const OUT = { chunkSize: 16 * 1024, highWaterMark: 16 * 1024 };

/** Made with the first chunk of the body. `undefined`: a coding that is not ours to undo; the body stays as it is. */
export function decoderFor(coding: string | undefined): ((first: Buffer, take: Take) => Decoder) | undefined {
  switch (coding?.trim().toLowerCase()) {
    case 'gzip':
    case 'x-gzip':
      return (_first, take) => inflating(createGunzip(OUT), take);
    case 'br':
      return (_first, take) =>
        inflating(createBrotliDecompress({ ...OUT, params: { [constants.BROTLI_DECODER_PARAM_LARGE_WINDOW]: 0 } }), take);
    case 'deflate':
      // Servers disagree on what deflate is: with the zlib header (whose first nibble is 8) or without.
      return (first, take) => inflating(((first[0] ?? 0) & 0x0f) === 8 ? createInflate(OUT) : createInflateRaw(OUT), take);
    default:
      return undefined;
  }
}

function inflating(stream: Inflater, take: Take): Decoder {
  let came = 0;
  let made = 0;
  /** What was made last is being taken. */
  let taking: Promise<void> | undefined;
  let over = false;
  let failure: unknown;
  /** Ends the wait for what is under way. */
  let halted = () => {};

  function stop(error?: unknown): void {
    failure ??= error;
    if (over) return;
    over = true;
    stream
      .removeAllListeners()
      .on('error', () => {})
      .destroy();
    halted();
  }

  stream.on('error', (error) => stop(new BadCoding(`the compressed body is broken: ${error.message}`)));
  stream.on('data', (chunk: Buffer) => {
    made += chunk.length;
    if (made > Math.max(HARMLESS_BYTES, came * MAX_RATIO)) return stop(new BadCoding('the compressed body grows beyond all measure'));
    const busy = take(chunk);
    if (busy === undefined) return;
    stream.pause();
    taking = busy.then(() => {
      taking = undefined;
      if (!over) stream.resume();
    }, stop);
  });

  async function untilTaken(work: (done: () => void) => void): Promise<void> {
    await new Promise<void>((done) => {
      halted = done;
      if (over) done();
      else work(done);
    });
    if (taking !== undefined) await taking;
    if (failure !== undefined) throw failure;
  }

  return {
    write(chunk) {
      came += chunk.length;
      return untilTaken((done) => stream.write(chunk, () => done()));
    },
    end: () =>
      untilTaken((done) => {
        stream.on('end', done);
        stream.end();
      }),
    stop: () => stop(),
  };
}
