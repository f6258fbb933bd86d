/** The API that the test workflows call: a real server on a free port, with a count of every request. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export type TestApi = {
  url: string;
  /** Requests by method and path, with the times they came, ms since the epoch. */
  requests: Map<string, number[]>;
  count(request: string): number;
  stop(): Promise<void>;
};

export async function startTestApi(options: { retryAfter?: number; numberMs?: number } = {}): Promise<TestApi> {
  const requests = new Map<string, number[]>();
  const server = createServer((request, response) => {
    const name = `${request.method} ${request.url}`;
    const times = requests.get(name) ?? [];
    times.push(Date.now());
    requests.set(name, times);
    const answer = (status: number, body: string, headers: Record<string, string> = {}) => {
      response.writeHead(status, { 'content-type': 'text/plain', ...headers });
      response.end(body);
    };
    request.resume();
    request.on('end', () => {
      const [, kind = ''] = (request.url ?? '').split('/');
      if (kind === 'quick') setTimeout(() => answer(200, 'ok'), 50);
      else if (kind === 'number') setTimeout(() => answer(200, '1'), options.numberMs ?? 0);
      else if (kind === 'slow') setTimeout(() => answer(200, 'slow'), 1_000);
      else if (kind === 'limited' && times.length === 1) answer(429, 'slow down', { 'retry-after': String(options.retryAfter ?? 30) });
      else if (kind === 'effects') answer(201, JSON.stringify({ id: `e${times.length}` }), { 'content-type': 'application/json' });
      else answer(200, String(times.length));
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    count: (request) => requests.get(request)?.length ?? 0,
    stop: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}
