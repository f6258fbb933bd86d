/**
 * The one place where the API takes out of answers what people are not to read: of errors, of journaled values, of messages that were
 * refused. A run's input and result are what callers gave and asked for: they are not touched.
 */
import { REDACTED, redactHeaders, redactJson, redactText } from '../engine/redaction.ts';

/** A journaled value, from its text. What is sealed shows its mark and never its box. */
export function shownValue(text: string): unknown {
  if (text === '') return null;
  const value: unknown = JSON.parse(text);
  return isReply(value) ? shownReply(value) : redactJson(value);
}

type Reply = { status: number; headers: object; text?: unknown; base64?: unknown; sealed?: unknown };

function isReply(value: unknown): value is Reply {
  return (
    typeof value === 'object' &&
    value !== null &&
    'status' in value &&
    'headers' in value &&
    typeof value.status === 'number' &&
    typeof value.headers === 'object' &&
    value.headers !== null
  );
}

function shownReply({ headers, text, base64, sealed: _box, ...rest }: Reply): unknown {
  return {
    ...(redactJson(rest) as object),
    headers: redactHeaders(headers),
    ...(text === undefined ? {} : { text: typeof text === 'string' ? redactText(text) : REDACTED }),
    ...(base64 === undefined ? {} : { base64: shownBytes(base64) }),
  };
}

/** A body that is no UTF-8 may be a text all the same. */
function shownBytes(base64: unknown): unknown {
  if (typeof base64 !== 'string') return REDACTED;
  const text = Buffer.from(base64, 'base64').toString('latin1');
  return redactText(text) === text ? base64 : REDACTED;
}
