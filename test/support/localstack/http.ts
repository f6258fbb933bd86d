/** Holdfast's HTTP API through API Gateway, as an outside client sees it. */

/** `null`: without a token. */
export type Sent = { json?: unknown; headers?: Readonly<Record<string, string>>; token?: string | null };
export type Answer = { status: number; headers: Headers; body: unknown };
export type Http = (method: string, path: string, sent?: Sent) => Promise<Answer>;

/** The stage's static token. */
const TOKEN = 'local-dev';

export function httpTo(url: string): Http {
  return async (method, path, { json, headers = {}, token = TOKEN } = {}) => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: parsed(text) };
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
