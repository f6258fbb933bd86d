/** REST API (v1) proxy events from requests, and responses from what the function returned. Pure. */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { ACCOUNT } from './aws/client.ts';
import type { ApiDescription, RouteDescription } from './template/description.ts';

export type Matched = { route: RouteDescription; parameters: Record<string, string> };

/** The most specific route: fixed segments before parameters before `{proxy+}`, a named method before `ANY`. */
export function matchRoute(routes: readonly RouteDescription[], method: string, path: string): Matched | undefined {
  let best: (Matched & { rank: string }) | undefined;
  for (const route of routes) {
    if (route.method !== 'ANY' && route.method !== method) continue;
    const found = matchPath(route.path, path);
    if (!found) continue;
    const rank = `${found.rank}${route.method === 'ANY' ? '0' : '1'}`;
    if (!best || rank > best.rank) best = { route, parameters: found.parameters, rank };
  }
  return best && { route: best.route, parameters: best.parameters };
}

const segmentsOf = (path: string) => path.split('/').filter((segment) => segment !== '');

function matchPath(pattern: string, path: string): { parameters: Record<string, string>; rank: string } | undefined {
  const wanted = segmentsOf(pattern);
  const given = segmentsOf(path);
  const parameters: Record<string, string> = {};
  let rank = '';
  for (const [index, segment] of wanted.entries()) {
    const greedy = /^\{(.+)\+\}$/.exec(segment)?.[1];
    if (greedy !== undefined) {
      if (given.length <= index) return undefined;
      parameters[greedy] = given.slice(index).map(decode).join('/');
      return { parameters, rank: `${rank}1` };
    }
    const value = given[index];
    if (value === undefined) return undefined;
    const name = /^\{(.+)\}$/.exec(segment)?.[1];
    if (name !== undefined) parameters[name] = decode(value);
    else if (segment !== value) return undefined;
    rank += name === undefined ? '3' : '2';
  }
  return given.length === wanted.length ? { parameters, rank: `${rank}4` } : undefined;
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

export type ProxyRequest = {
  api: ApiDescription;
  matched: Matched;
  request: Pick<IncomingMessage, 'method' | 'rawHeaders' | 'headers' | 'httpVersion'>;
  url: URL;
  body: Buffer;
  sourceIp: string;
  requestId: string;
  now: number;
};

export function proxyEvent({ api, matched, request, url, body, sourceIp, requestId, now }: ProxyRequest): object {
  const headers = headerLists(request.rawHeaders);
  const query = new Map<string, string[]>();
  for (const [name, value] of url.searchParams) query.set(name, [...(query.get(name) ?? []), value]);
  const binary = isBinary(api.binaryMediaTypes, request.headers['content-type']);
  const method = request.method ?? 'GET';
  return {
    resource: matched.route.path,
    path: url.pathname,
    httpMethod: method,
    headers: orNull(lastOf(headers)),
    multiValueHeaders: orNull(Object.fromEntries(headers)),
    queryStringParameters: orNull(lastOf(query)),
    multiValueQueryStringParameters: orNull(Object.fromEntries(query)),
    pathParameters: orNull(matched.parameters),
    stageVariables: null,
    requestContext: {
      accountId: ACCOUNT,
      apiId: api.id,
      authorizer: null,
      domainName: request.headers.host ?? '127.0.0.1',
      extendedRequestId: requestId,
      httpMethod: method,
      identity: { sourceIp, userAgent: request.headers['user-agent'] ?? null },
      // As behind a domain of its own: the stage is no part of the URL, and of no link.
      path: url.pathname,
      protocol: `HTTP/${request.httpVersion}`,
      requestId,
      requestTime: new Date(now).toUTCString(),
      requestTimeEpoch: now,
      resourceId: matched.route.path,
      resourcePath: matched.route.path,
      stage: api.stage,
    },
    body: body.length === 0 ? null : body.toString(binary ? 'base64' : 'utf8'),
    isBase64Encoded: binary && body.length > 0,
  };
}

function headerLists(raw: readonly string[]): Map<string, string[]> {
  const lists = new Map<string, string[]>();
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] as string;
    lists.set(name, [...(lists.get(name) ?? []), raw[index + 1] as string]);
  }
  return lists;
}

const lastOf = (lists: Map<string, string[]>) => Object.fromEntries([...lists].map(([name, values]) => [name, values.at(-1)]));
const orNull = <T extends object>(value: T): T | null => (Object.keys(value).length === 0 ? null : value);

function isBinary(types: readonly string[], contentType: IncomingHttpHeaders['content-type']): boolean {
  const type = contentType?.split(';')[0]?.trim().toLowerCase() ?? '';
  const [major] = type.split('/');
  return types.some((candidate) => candidate === '*/*' || (type !== '' && (candidate === type || candidate === `${major}/*`)));
}

export type ProxyResponse = { status: number; headers: Array<[string, string]>; body: Buffer };

/** Undefined for what API Gateway calls a malformed Lambda proxy response. */
export function proxyResponse(result: string): ProxyResponse | undefined {
  const answer = JSON.parse(result) as {
    statusCode?: unknown;
    headers?: Record<string, unknown>;
    multiValueHeaders?: Record<string, unknown[]>;
    body?: unknown;
    isBase64Encoded?: boolean;
  } | null;
  const status = Number(answer?.statusCode);
  if (!Number.isInteger(status) || status < 100 || status > 599) return undefined;
  const body = answer?.body ?? '';
  if (typeof body !== 'string') return undefined;
  const many = Object.entries(answer?.multiValueHeaders ?? {}).flatMap(([name, values]) =>
    values.map((value): [string, string] => [name, String(value)]),
  );
  const covered = new Set(many.map(([name]) => name.toLowerCase()));
  const single = Object.entries(answer?.headers ?? {})
    .filter(([name]) => !covered.has(name.toLowerCase()))
    .map(([name, value]): [string, string] => [name, String(value)]);
  return { status, headers: [...single, ...many], body: Buffer.from(body, answer?.isBase64Encoded ? 'base64' : 'utf8') };
}
