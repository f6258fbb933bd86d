/** Holdfast's HTTP API through API Gateway, as an outside client sees it. */

import { semaphore } from '../../../src/engine/semaphore.ts';

/** `text`: a body as it is; `token: null`: without one. */
export type Sent = { json?: unknown; text?: string; headers?: Readonly<Record<string, string>>; token?: string | null };
export type Answer = { status: number; headers: Headers; body: unknown };
export type Http = (method: string, path: string, sent?: Sent) => Promise<Answer>;

/** The stage's static token. */
const TOKEN = 'local-dev';

/** Each request in flight is a process of its own where functions are processes: a crowd of them keeps a small machine from its work. */
const AT_ONCE = 4;
/** A gateway that gave up on a function on a loaded machine. */
const GATEWAY = new Set([502, 503, 504]);
const TRIES = 4;

/** What only reads is asked for again when the gateway gave up. */
export function httpTo(url: string): Http {
  const slot = semaphore(AT_ONCE);
  const once = async (method: string, path: string, { json, text, headers = {}, token = TOKEN }: Sent): Promise<Answer> => {
    const body = text ?? (json === undefined ? undefined : JSON.stringify(json));
    const leave = await slot();
    try {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: {
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...(json === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body }),
      });
      return { status: response.status, headers: response.headers, body: parsed(await response.text()) };
    } finally {
      leave();
    }
  };
  return async (method, path, sent = {}) => {
    for (let tried = 1; ; tried++) {
      const answer = await once(method, path, sent);
      if (method !== 'GET' || !GATEWAY.has(answer.status) || tried === TRIES) return answer;
    }
  };
}

/** What a gateway says of itself need not be JSON. */
function parsed(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return text;
  }
}
