/** The body of a request as JSON, with every limit checked before anything walks it. */
import type { Json } from '../engine/json.ts';
import { MAX_MESSAGE_BYTES } from '../engine/start.ts';
import { Problem } from './problem.ts';
import type { ApiRequest } from './request.ts';

/** Deeper than data gets; what walks a value by recursion is safe below it. */
export const MAX_DEPTH = 200;

const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i;

/** `undefined` without a body. Throws `E_MEDIA_TYPE`, `E_BODY_TOO_LARGE` or `E_BODY_MALFORMED`. */
export function readJson(request: ApiRequest): Json | undefined {
  const { body } = request;
  if (!body) return undefined;
  const type = request.header('content-type');
  if (type !== undefined && !JSON_TYPE.test(type.trim())) {
    throw new Problem('E_MEDIA_TYPE', 'the input is read as JSON: send it with Content-Type: application/json', {
      errors: [{ header: 'Content-Type', message: 'must be application/json' }],
    });
  }
  if (body.length > MAX_MESSAGE_BYTES) {
    throw new Problem(
      'E_BODY_TOO_LARGE',
      `the body has ${body.length} bytes, more than ${MAX_MESSAGE_BYTES}: store the data and send a reference`,
    );
  }
  let value: Json;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) as Json;
  } catch (error) {
    throw malformed(`the body is not JSON: ${(error as Error).message}`);
  }
  if (depth(value) > MAX_DEPTH) throw malformed(`the body is nested more than ${MAX_DEPTH} levels deep: flatten it`);
  return value;
}

function malformed(detail: string): Problem {
  return new Problem('E_BODY_MALFORMED', detail, { errors: [{ pointer: '', message: detail }] });
}

/** Level by level, since recursion is what it protects. Stops as soon as it is too much. */
function depth(value: Json): number {
  let level: Json[] = [value];
  let levels = 0;
  while (level.length > 0 && levels <= MAX_DEPTH) {
    const below: Json[] = [];
    for (const item of level) {
      if (item === null || typeof item !== 'object') continue;
      for (const member of Object.values(item)) if (member !== null && typeof member === 'object') below.push(member);
    }
    levels++;
    level = below;
  }
  return levels;
}
