/** What a GraphQL reply says of its own success. Loaded with the first GraphQL call's attempt. */
import type { ApiError } from '../profile.ts';
import type { Reply } from '../reply.ts';

type Fields = { readonly [field: string]: unknown };

/** As Shopify, GitHub, Linear and others say it, in `extensions.code` or `type`. */
const THROTTLED = new Set(['THROTTLED', 'RATE_LIMITED', 'RATELIMITED', 'RATE_LIMIT_EXCEEDED', 'TOO_MANY_REQUESTS']);
const TOLD = 3;

/** `reads`: the operation is a query. `partial`: data beside errors is a reply. */
export function judge({ data: body }: Reply, { reads, partial }: { reads: boolean; partial: boolean }): true | 'throttle' | 'permanent' {
  const { data, errors } = fieldsOf(body);
  if (!Array.isArray(errors) || errors.length === 0) return data === undefined ? 'permanent' : true;
  const some = Object.values(fieldsOf(data)).some((value) => value !== null);
  if (partial && some) return true;
  // A mutation of which a part has been done is not done again.
  return errors.some((error) => THROTTLED.has(codeOf(error) ?? '')) && (reads || !some) ? 'throttle' : 'permanent';
}

/** `undefined`: it says nothing in GraphQL's way. */
export function readErrors({ status, data: body }: Reply): ApiError | undefined {
  const { data, errors } = fieldsOf(body);
  if (!Array.isArray(errors) || errors.length === 0) {
    return status < 300 && data === undefined ? { message: 'it is no GraphQL reply: it has neither data nor errors' } : undefined;
  }
  const messages = errors.slice(0, TOLD).map((error) => String(fieldsOf(error).message ?? 'an error without a message'));
  const more = errors.length > TOLD ? `; and ${errors.length - TOLD} more` : '';
  return {
    message: messages.map((message) => message.slice(0, 90)).join('; ') + more,
    code: errors.map(codeOf).find((code) => code !== undefined),
  };
}

function codeOf(error: unknown): string | undefined {
  const { extensions, type } = fieldsOf(error);
  const code = fieldsOf(extensions).code ?? type;
  return typeof code === 'string' ? code : undefined;
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}
