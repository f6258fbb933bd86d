/** A REST proxy event (payload version 1) as a request. Reads whatever is there and never throws: API Gateway is not the only sender. */

export type ApiRequest = {
  readonly id?: string;
  readonly method: string;
  readonly path: string;
  /** What a public URL has before the path: the stage of an API without a domain of its own. */
  readonly base: string;
  readonly query: ReadonlyMap<string, readonly string[]>;
  /** By any case of the name. Of several with one name, the last. */
  header(name: string): string | undefined;
  readonly headerBytes: number;
  readonly body?: Uint8Array;
};

export function readRequest(event: unknown): ApiRequest {
  const from = members(event);
  const context = members(from.requestContext);
  const path = typeof from.path === 'string' && from.path.startsWith('/') ? from.path : '/';
  const headers = new Map<string, string>();
  for (const [name, values] of lists(from.multiValueHeaders)) headers.set(name.toLowerCase(), values.at(-1) as string);
  for (const [name, value] of Object.entries(members(from.headers))) {
    if (typeof value === 'string') headers.set(name.toLowerCase(), value);
  }
  const query = lists(from.multiValueQueryStringParameters);
  for (const [name, value] of Object.entries(members(from.queryStringParameters))) {
    if (typeof value === 'string' && !query.has(name)) query.set(name, [value]);
  }
  const id = context.requestId;
  const body = from.body;
  return {
    ...(typeof id === 'string' && id !== '' ? { id } : {}),
    method: typeof from.httpMethod === 'string' ? from.httpMethod.toUpperCase() : '',
    path,
    base: basePath(context.path, path),
    query,
    header: (name) => headers.get(name.toLowerCase()),
    headerBytes: [...headers].reduce((bytes, [name, value]) => bytes + Buffer.byteLength(name) + Buffer.byteLength(value), 0),
    ...(typeof body === 'string' && body !== '' ? { body: Buffer.from(body, from.isBase64Encoded === true ? 'base64' : 'utf8') } : {}),
  };
}

function basePath(full: unknown, path: string): string {
  return typeof full === 'string' && full.startsWith('/') && full.endsWith(path) ? full.slice(0, full.length - path.length) : '';
}

function members(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function lists(value: unknown): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const [name, list] of Object.entries(members(value))) {
    const texts = Array.isArray(list) ? list.filter((item): item is string => typeof item === 'string') : [];
    if (texts.length > 0) found.set(name, texts);
  }
  return found;
}
