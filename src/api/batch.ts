/** The lines of a request as start messages: all that are valid are sent before any is answered. */
import type * as z from 'zod/mini';
import { splitLines } from '../batch/lines.ts';
import { type BatchAbout, type LineError, type LineStart, readLine } from '../batch/starts.ts';
import type { ApiDeps } from './deps.ts';
import { Problem } from './problem.ts';
import type { StartedBatch } from './schemas.ts';

/** So many are sent, and named in an answer, well within the time and size of one request. */
const MAX_LINES = 10_000;
const SHOWN_ERRORS = 100;

/** Throws `E_BATCH_REFUSED` when not one line is valid, `E_BODY_TOO_LARGE`. */
export async function startLines(
  { registry, starts }: Pick<ApiDeps, 'registry' | 'starts'>,
  data: Uint8Array,
  about: BatchAbout,
): Promise<z.output<typeof StartedBatch>> {
  const accepted: LineStart[] = [];
  const errors: LineError[] = [];
  let refused = 0;
  let line = 0;
  for (const { bytes } of splitLines(data, { isWhole: true })) {
    const read = await readLine(bytes, ++line, about, registry);
    if (!read) continue;
    if ('start' in read) accepted.push(read.start);
    else {
      refused++;
      errors.push(...read.errors.slice(0, SHOWN_ERRORS - errors.length));
    }
    if (accepted.length + refused > MAX_LINES) {
      throw new Problem('E_BODY_TOO_LARGE', `the batch has more than ${MAX_LINES} lines: upload it, by POST to this path and /uploads`);
    }
  }
  if (accepted.length === 0) {
    const detail = refused === 0 ? 'the batch has no line: send one input a line' : `none of the ${refused} lines can become a run`;
    throw new Problem('E_BATCH_REFUSED', detail, { errors });
  }
  await starts.start(accepted.map(({ request }) => request));
  const runs = accepted.map(({ line: at, id }) => ({ line: at, id }));
  return { batch: about.batch, accepted: accepted.length, refused, runs, errors };
}
