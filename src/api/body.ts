/** The body of a request as JSON or lines of it, with every limit checked before anything walks it. */
import type { Json } from '../engine/json.ts';
import { MAX_MESSAGE_BYTES } from '../engine/start.ts';
import { Problem } from './problem.ts';
import type { ApiRequest } from './request.ts';

/** Deeper than data gets; what walks a value by recursion is safe below it. */
export const MAX_DEPTH = 200;

/** What is more is uploaded: it must fit into the 6 MB that Lambda takes, where every quote of it is escaped. */
export const MAX_LINES_BYTES = 4 * 1024 * 1024;

const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i;
const NDJSON_TYPE = /^application\/(?:x-ndjson|ndjson|jsonl|x-jsonlines)\s*(?:;|$)/i;

export const isNdjson = (request: ApiRequest): boolean => NDJSON_TYPE.test(request.header('content-type')?.trim() ?? '');

/** Throws `E_BODY_TOO_LARGE`. */
export function readLines({ body }: ApiRequest): Uint8Array {
  if (body && body.length > MAX_LINES_BYTES) {
    throw new Problem(
      'E_BODY_TOO_LARGE',
      `the body has ${body.length} bytes, more than ${MAX_LINES_BYTES}: upload it, by POST to this path and /uploads`,
    );
  }
  return body ?? new Uint8Array();
}

/** `undefined` without a body. `types`: those that the path takes. Throws `E_MEDIA_TYPE`, `E_BODY_TOO_LARGE` or `E_BODY_MALFORMED`. */
export function readJson(request: ApiRequest, types: readonly string[] = ['application/json']): Json | undefined {
  const { body } = request;
  if (!body) return undefined;
  const type = request.header('content-type');
  // Without a type it is JSON, where nothing else is taken.
  if (type === undefined ? types.length > 1 : !JSON_TYPE.test(type.trim())) {
    const wanted = types.join(' or ');
    throw new Problem('E_MEDIA_TYPE', `the body is read by its type: send it with Content-Type: ${wanted}`, {
      errors: [{ header: 'Content-Type', message: `must be ${wanted}` }],
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
    // The parser's own words show a part of it, and it may be a credential.
    const [where = 'read it with a JSON parser to see where'] = /at position \d+|end of JSON input/.exec((error as Error).message) ?? [];
    throw malformed(`the body is not JSON: ${where}`);
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
