/** The REST API on this machine: requests become proxy events for the functions of the template, with API Gateway's limits. */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { portError } from './errors.ts';
import { matchRoute, type ProxyResponse, proxyEvent, proxyResponse } from './http-event.ts';
import type { Pool } from './lambda/pool.ts';
import type { ApiDescription } from './template/description.ts';

export type HttpApi = { readonly url: string; stop(): Promise<void> };

/** API Gateway's limits: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html */
const HEADER_BYTES = 10_240;
const BODY_BYTES = 10 * 1024 * 1024;
const EVENT_BYTES = 6 * 1024 * 1024;
const INTEGRATION_TIMEOUT_MS = 29_000;

export type HttpApiOptions = { port: number; api: ApiDescription; pools: ReadonlyMap<string, Pick<Pool, 'invoke'>> };

export function startHttpApi({ port, api, pools }: HttpApiOptions): Promise<HttpApi> {
  const server = createServer({ maxHeaderSize: HEADER_BYTES, keepAliveTimeout: 60_000 }, (request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (!response.headersSent) send(response, problem(500, 'Internal Server Error', (error as Error).message));
      else response.destroy();
    });
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    const matched = matchRoute(api.routes, request.method ?? 'GET', url.pathname);
    if (!matched) return send(response, problem(404, 'Not Found', `no route of ${api.name} matches ${request.method} ${url.pathname}`));
    const body = await bodyOf(request);
    if (!body) return send(response, problem(413, 'Content Too Large', `the body has more than ${BODY_BYTES} bytes`));
    const requestId = randomUUID();
    const sourceIp = request.socket.remoteAddress ?? '127.0.0.1';
    const event = JSON.stringify(proxyEvent({ api, matched, request, url, body, sourceIp, requestId, now: Date.now() }));
    if (Buffer.byteLength(event) > EVENT_BYTES) {
      return send(response, problem(413, 'Content Too Large', `the event for the function has more than ${EVENT_BYTES} bytes`));
    }
    const pool = pools.get(matched.route.functionName) as Pick<Pool, 'invoke'>;
    response.setHeader('x-amzn-requestid', requestId);
    send(response, await invoke(pool, event));
  }

  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(portError(error, port, '--port', 'HOLDFAST_PORT')));
    server.listen(port, '127.0.0.1', () => {
      resolve({
        url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
        stop: () =>
          new Promise((done) => {
            server.close(() => done());
            server.closeAllConnections();
          }),
      });
    });
  });
}

async function invoke(pool: Pick<Pool, 'invoke'>, event: string): Promise<ProxyResponse> {
  const late = Symbol('late');
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<typeof late>((resolve) => {
    timer = setTimeout(resolve, INTEGRATION_TIMEOUT_MS, late);
  });
  try {
    const result = await Promise.race([pool.invoke(event), limit]);
    if (result === late) return problem(504, 'Gateway Timeout', `the function did not answer within ${INTEGRATION_TIMEOUT_MS} ms`);
    return proxyResponse(result) ?? problem(502, 'Bad Gateway', 'the function returned no proxy response (statusCode, headers, body)');
  } catch (error) {
    const { errorType = 'Error', message } = error as Error & { errorType?: string };
    return problem(502, 'Bad Gateway', `the function failed: ${errorType}: ${message}`);
  } finally {
    clearTimeout(timer);
  }
}

/** Undefined when it is too large; the rest is then read and thrown away, so that the client gets to see the answer. */
async function bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= BODY_BYTES) chunks.push(chunk);
  }
  return size > BODY_BYTES ? undefined : Buffer.concat(chunks);
}

function problem(status: number, title: string, detail: string): ProxyResponse {
  const body = Buffer.from(JSON.stringify({ type: 'about:blank', title, status, detail }));
  return { status, headers: [['content-type', 'application/problem+json']], body };
}

function send(response: ServerResponse, { status, headers, body }: ProxyResponse): void {
  for (const [name, value] of headers)
    if (!/^(content-length|transfer-encoding|connection)$/i.test(name)) response.appendHeader(name, value);
  response.statusCode = status;
  if (status !== 204 && status !== 304) response.setHeader('content-length', body.length);
  response.end(body);
}
