/** The server of recording-api.ts, in a thread of its own: what else the process does, such as starting environments, delays no arrival. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';

/** `times`: for so many requests; absent: from now on. */
export type Saying = { status?: number; headers?: Record<string, string>; ms?: number; times?: number };
export type Told = { path: string; say: Saying };
export type Heard =
  | { port: number }
  | { n: number; at: number; path: string; process: number; status: number }
  /** That one was answered, or its client went away. */
  | { n: number; over: number };

const { ms } = workerData as { ms: number };
const hear = (heard: Heard) => parentPort?.postMessage(heard);
const sayings = new Map<string, Saying>();
let n = 0;

parentPort?.on('message', ({ path, say }: Told) => void sayings.set(path, say));

const server = createServer((request, response) => {
  const arrival = { n: n++, at: Date.now(), path: request.url ?? '', process: Number(request.headers['x-process']) };
  const say = sayingFor(arrival.path);
  const { status = 200, headers = {} } = say;
  hear({ ...arrival, status });
  response.once('close', () => hear({ n: arrival.n, over: Date.now() }));
  request.resume();
  setTimeout(() => response.writeHead(status, { 'content-type': 'text/plain', ...headers }).end('ok'), say.ms ?? ms);
});
server.listen(0, '127.0.0.1', () => hear({ port: (server.address() as AddressInfo).port }));

function sayingFor(path: string): Saying {
  const [start, say] = [...sayings].find(([start]) => path.startsWith(start)) ?? [];
  if (start === undefined || say === undefined) return {};
  if (say.times !== undefined) {
    if (say.times > 1) sayings.set(start, { ...say, times: say.times - 1 });
    else sayings.delete(start);
  }
  return say;
}
