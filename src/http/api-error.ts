/** The provider's own words about a failure, as far as somebody said how its error bodies are read. Bounded; never throws. */
import type { Json } from '../engine/json.ts';
import type { Call } from './call.ts';
import type { Answer } from './exchange.ts';
import { replyOf } from './facts.ts';
import type { ApiError } from './profile.ts';

/** Characters of a message, and of each of the others. */
const MESSAGE_MAX = 300;
const WORD_MAX = 100;
const NOTHING = Buffer.alloc(0);
const FIELDS = ['code', 'type', 'param', 'requestId'] as const;

export function apiErrorOf(answer: Answer, call: Call): ApiError | undefined {
  const read = call.judge.readError;
  if (read === undefined) return undefined;
  let said: ApiError | undefined;
  try {
    // Of a body of which parts are encrypted nothing is told: words of an error would be kept in clear.
    said = read(replyOf(call.settings.encrypt === undefined ? answer : { ...answer, body: NOTHING }, call));
  } catch {
    return undefined;
  }
  if (typeof said !== 'object' || said === null) return undefined;
  const error: { -readonly [Field in keyof ApiError]: ApiError[Field] } = {};
  const message = clipped(said.message, MESSAGE_MAX);
  if (message !== undefined) error.message = message;
  for (const field of FIELDS) {
    const word = clipped(said[field], WORD_MAX);
    if (word !== undefined) error[field] = word;
  }
  return Object.keys(error).length === 0 ? undefined : error;
}

/** `: Your card was declined. (card_declined, card_error)`, to stand behind `answered 402`. */
export function inWords(error: ApiError | undefined): string {
  if (error === undefined) return '';
  const words = [error.code, error.type === error.code ? undefined : error.type].filter((word) => word !== undefined).join(', ');
  const request = error.requestId === undefined ? '' : `; request ${error.requestId}`;
  const message = error.message ?? words;
  return `${message === '' ? '' : `: ${message}`}${error.message !== undefined && words !== '' ? ` (${words})` : ''}${request}`;
}

export const asDetail = (error: ApiError): Json => ({ ...error }) as Json;

function clipped(text: unknown, most: number): string | undefined {
  if (typeof text !== 'string' && typeof text !== 'number') return undefined;
  const line = String(text).replace(/\s+/g, ' ').trim();
  if (line === '') return undefined;
  return line.length <= most ? line : `${line.slice(0, most - 1)}…`;
}
