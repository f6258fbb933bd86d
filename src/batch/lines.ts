/** NDJSON as bytes: where its lines are. Pure. */

const LF = 0x0a;
const CR = 0x0d;

/** Without its end; `next` is the place after it. */
export type RawLine = { bytes: Uint8Array; next: number };

/** What ends with LF or CR LF; with `isWhole`, what comes after the last one is a line too. */
export function* splitLines(data: Uint8Array, { isWhole }: { isWhole: boolean }): Generator<RawLine> {
  let from = 0;
  for (let end = data.indexOf(LF); end !== -1; end = data.indexOf(LF, from)) {
    yield { bytes: data.subarray(from, end > from && data[end - 1] === CR ? end - 1 : end), next: end + 1 };
    from = end + 1;
  }
  if (isWhole && from < data.length) yield { bytes: data.subarray(from), next: data.length };
}

/** Spaces, tabs and returns alone: JSON's own white space. */
export function isBlank(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === CR);
}
