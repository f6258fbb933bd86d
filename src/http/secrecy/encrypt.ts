/**
 * Seals what `encrypt` names of a reply before anything keeps it, and gives it back to user code as it came. Text in, text out:
 * numbers, order and spelling of the rest are not touched. Loaded by the first call that encrypts.
 */

import type { StoredReply } from '../reply.ts';
import type { JsonPath } from './json-paths.ts';
import { findRanges } from './json-ranges.ts';
import { SEALED_MARK } from './vault.ts';

/** Whatever the paths cannot be told of (no JSON, cut, a bare value) is sealed as a whole. */
export async function sealReply(text: string, paths: readonly JsonPath[], seal: (text: string) => Promise<string>): Promise<string> {
  const stored = JSON.parse(text) as StoredReply;
  const { text: body, base64, ...rest } = stored;
  if (body === undefined && base64 === undefined) return text;
  const whole = body === undefined || stored.truncated || paths.some((path) => path.length === 0);
  const ranges = whole ? undefined : findRanges(body, paths);
  if (ranges === undefined) {
    const box = await seal(JSON.stringify(body === undefined ? { base64 } : { text: body }));
    return JSON.stringify({ ...rest, text: SEALED_MARK, sealed: { box } } satisfies StoredReply);
  }
  if (ranges.length === 0) return text;
  const marked = JSON.stringify(SEALED_MARK);
  const at: number[] = [];
  let shown = '';
  let from = 0;
  for (const [start, end] of ranges) {
    shown += (body as string).slice(from, start);
    at.push(shown.length);
    shown += marked;
    from = end;
  }
  shown += (body as string).slice(from);
  const box = await seal(JSON.stringify(ranges.map(([start, end]) => (body as string).slice(start, end))));
  return JSON.stringify({ ...rest, text: shown, sealed: { at, box } } satisfies StoredReply);
}
