/**
 * The AWS SDK's HTTP layer on undici: about a third less CPU per request than the SDK's own.
 * Replies are read to their end and handed over as bytes, which spares the SDK its stream collector. Knows no service.
 */
import { Readable } from 'node:stream';
import { type Dispatcher, Pool } from 'undici';

type Bag = Record<string, string>;
type Request = {
  protocol: string;
  hostname: string;
  port?: number;
  method: string;
  path: string;
  query?: Record<string, string | string[] | null>;
  headers: Bag;
  body?: unknown;
};
type Response = { statusCode: number; reason?: string; headers: Bag; body: unknown };
type Options = { abortSignal?: unknown; requestTimeout?: number };

export type UndiciHandler = {
  readonly metadata: { readonly handlerProtocol: string };
  handle(request: Request, options?: Options): Promise<{ response: Response }>;
  updateHttpClientConfig(): void;
  httpHandlerConfigs(): Record<string, never>;
  destroy(): void;
};

export type UndiciHandlerOptions = {
  /** Sockets per origin, default 64: more requests than that wait for one. */
  connections?: number;
  /** Until the TCP and TLS handshake is done. Default 3 s. */
  connectTimeoutMs?: number;
  /** Until the reply begins, and between two of its chunks. Default 10 s. */
  timeoutMs?: number;
  /** Hand bodies over as streams: what the SDK expects where an operation's output is a stream (S3 GetObject). */
  streams?: boolean;
};

/** An idle socket is not used after this: services and Lambda's freeze close them without a word. */
const KEEP_ALIVE_MS = 4_000;
const USER_AGENT = 'holdfast';

export function undiciHandler(options: UndiciHandlerOptions = {}): UndiciHandler {
  const { connections = 64, connectTimeoutMs = 3_000, timeoutMs = 10_000, streams = false } = options;
  const pools = new Map<string, Pool>();

  const poolOf = (request: Request): Pool => {
    const origin = `${request.protocol}//${request.hostname}${request.port === undefined ? '' : `:${request.port}`}`;
    let pool = pools.get(origin);
    if (!pool) {
      pool = new Pool(origin, {
        connections,
        connect: { timeout: connectTimeoutMs },
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
        keepAliveTimeout: KEEP_ALIVE_MS,
        keepAliveMaxTimeout: KEEP_ALIVE_MS,
      });
      pools.set(origin, pool);
    }
    return pool;
  };

  return {
    metadata: { handlerProtocol: 'http/1.1' },
    handle: async (request, { abortSignal } = {}) => {
      const response = await dispatch(poolOf(request), request, abortSignal instanceof AbortSignal ? abortSignal : undefined);
      return { response: streams ? { ...response, body: Readable.from([response.body]) } : response };
    },
    updateHttpClientConfig: () => {},
    httpHandlerConfigs: () => ({}),
    destroy: () => {
      for (const pool of pools.values()) pool.destroy().catch(() => {});
      pools.clear();
    },
  };
}

function dispatch(pool: Pool, request: Request, signal: AbortSignal | undefined): Promise<Response & { body: Buffer }> {
  return new Promise((resolve, reject) => {
    let statusCode = 0;
    let reason: string | undefined;
    let headers: Bag = {};
    const chunks: Buffer[] = [];
    let abortSent: ((reason: Error) => void) | undefined;
    // Also of one that waits for a socket: undici tells of a request only when it has one.
    const abort = () => {
      const reason = named(new Error('the request was aborted'), 'AbortError');
      if (abortSent) abortSent(reason);
      else reject(reason);
    };
    const done = () => signal?.removeEventListener('abort', abort);
    if (signal?.aborted) return abort();
    signal?.addEventListener('abort', abort, { once: true });
    pool.dispatch(
      {
        path: pathOf(request),
        method: request.method as Dispatcher.HttpMethod,
        headers: sendable(request.headers),
        body: (request.body ?? null) as string | Uint8Array | null,
      },
      {
        onRequestStart(controller) {
          abortSent = (reason) => controller.abort(reason);
          if (signal?.aborted) abort();
        },
        onResponseStart(_controller, status, received, statusMessage) {
          statusCode = status;
          reason = statusMessage;
          headers = flat(received);
        },
        onResponseData(_controller, chunk) {
          chunks.push(chunk);
        },
        onResponseEnd() {
          done();
          const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
          resolve({ statusCode, headers, body, ...(reason === undefined ? {} : { reason }) });
        },
        onResponseError(_controller, error) {
          done();
          reject(retryable(error));
        },
      },
    );
  });
}

/** undici refuses `expect`, which S3 adds to large uploads as a hint that nobody needs to follow. Who we are is said where the SDK does not. */
function sendable(headers: Bag): Bag {
  headers['user-agent'] ??= USER_AGENT;
  if (headers.expect === undefined && headers.Expect === undefined) return headers;
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'expect'));
}

function flat(headers: Record<string, string | string[] | undefined>): Bag {
  const bag: Bag = {};
  for (const name in headers) {
    const value = headers[name];
    if (value !== undefined) bag[name] = typeof value === 'string' ? value : value.join(', ');
  }
  return bag;
}

function pathOf({ path, query }: Request): string {
  if (!query) return path;
  const parts: string[] = [];
  for (const name of Object.keys(query).sort()) {
    const value = query[name];
    if (Array.isArray(value)) for (const item of value) parts.push(`${rfc3986(name)}=${rfc3986(item)}`);
    else parts.push(value === null || value === undefined ? rfc3986(name) : `${rfc3986(name)}=${rfc3986(value)}`);
  }
  return parts.length === 0 ? path : `${path}?${parts.join('&')}`;
}

/** RFC 3986, as the signature has it. */
const rfc3986 = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

const named = (error: Error, name: string): Error => Object.defineProperty(error, 'name', { value: name, configurable: true });

/** The SDK decides by names and codes of Node's own HTTP layer what it may send again; undici's failures in those words. */
function retryable(error: Error & { code?: string }): Error {
  switch (error.code) {
    case 'UND_ERR_SOCKET':
      return Object.assign(new Error(error.message, { cause: error }), { code: 'ECONNRESET' });
    case 'UND_ERR_CONNECT_TIMEOUT':
    case 'UND_ERR_HEADERS_TIMEOUT':
    case 'UND_ERR_BODY_TIMEOUT':
      return named(new Error(error.message, { cause: error }), 'TimeoutError');
    default:
      return error;
  }
}
