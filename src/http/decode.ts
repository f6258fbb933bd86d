/** Undoes a reply's content coding, with a cap on what comes out and a guard against bodies that explode. */
import { constants, createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib';

export type Decoded = { body: Buffer; truncated: boolean } | { bomb: true } | { broken: string };

/** Honest texts rarely pass 100:1; a small body may, without harm. */
const MAX_RATIO = 200;
const HARMLESS_BYTES = 1_000_000;

/** `cut`: the body was cut already, and ends in the middle. `undefined`: a coding that is not ours to undo; the body stays as it is. */
export function decoderFor(coding: string | undefined): ((body: Buffer, cap: number, cut: boolean) => Promise<Decoded>) | undefined {
  switch (coding?.trim().toLowerCase()) {
    case 'gzip':
    case 'x-gzip':
      return (body, cap, cut) => inflate(createGunzip(), body, cap, cut);
    case 'br':
      return (body, cap, cut) =>
        inflate(createBrotliDecompress({ params: { [constants.BROTLI_DECODER_PARAM_LARGE_WINDOW]: 0 } }), body, cap, cut);
    case 'deflate':
      // Servers disagree on what deflate is: with the zlib header (whose first nibble is 8) or without.
      return (body, cap, cut) => inflate(((body[0] ?? 0) & 0x0f) === 8 ? createInflate() : createInflateRaw(), body, cap, cut);
    default:
      return undefined;
  }
}

function inflate(
  stream: ReturnType<typeof createGunzip> | ReturnType<typeof createBrotliDecompress>,
  body: Buffer,
  cap: number,
  cut: boolean,
): Promise<Decoded> {
  return new Promise((resolve) => {
    const most = Math.max(HARMLESS_BYTES, body.length * MAX_RATIO);
    const chunks: Buffer[] = [];
    let size = 0;
    const end = (decoded: Decoded) => {
      stream
        .removeAllListeners()
        .on('error', () => {})
        .destroy();
      resolve(decoded);
    };
    stream.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > most) return end({ bomb: true });
      chunks.push(size > cap ? chunk.subarray(0, chunk.length - (size - cap)) : chunk);
      if (size > cap) end({ body: Buffer.concat(chunks), truncated: true });
    });
    stream.on('end', () => end({ body: Buffer.concat(chunks), truncated: false }));
    stream.on('error', (error) => end(cut ? { body: Buffer.concat(chunks), truncated: true } : { broken: error.message }));
    stream.end(body);
  });
}
