/**
 * Entry of the API that the benchmarks call, in a process of its own. `/wait/<ms>/<bytes>/<anything>` answers that much after that long;
 * `/note/<id>` answers at once and remembers when it came. Ends with its parent.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { document } from './text.ts';

export type FromApi =
  | { type: 'listening'; port: number }
  | { type: 'noted'; at: Record<string, string> }
  | { type: 'used'; cpu: NodeJS.CpuUsage };
export type ToApi = { type: 'noted' } | { type: 'used' };

const noted = new Map<string, bigint>();
/** Many bodies of a size, so that equal ones do not make a journal look small. */
const VARIANTS = 64;
const bodies = new Map<string, string>();
const bodyOf = (bytes: number, name: string): string => {
  let seed = 0;
  for (let at = 0; at < name.length; at++) seed = (seed * 31 + name.charCodeAt(at)) % VARIANTS;
  const key = `${bytes} ${seed}`;
  const known = bodies.get(key) ?? JSON.stringify(document(bytes, seed));
  bodies.set(key, known);
  return known;
};
const HEADERS = { 'content-type': 'application/json' };

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  const [, kind, first = '', second = '', name = ''] = (request.url ?? '').split('/');
  request.resume();
  if (kind === 'note') {
    // The clock of CLOCK_MONOTONIC, which all processes of a machine share.
    if (!noted.has(first)) noted.set(first, process.hrtime.bigint());
    response.writeHead(200, HEADERS).end('{}');
    return;
  }
  setTimeout(() => response.writeHead(200, HEADERS).end(bodyOf(Number(second), name)), Number(first));
});
server.listen(0, '127.0.0.1', () => tell({ type: 'listening', port: (server.address() as AddressInfo).port }));

function tell(message: FromApi): void {
  process.send?.(message);
}

process.on('disconnect', () => process.exit(0));
process.on('message', (message: ToApi) => {
  if (message.type === 'used') tell({ type: 'used', cpu: process.cpuUsage() });
  else tell({ type: 'noted', at: Object.fromEntries([...noted].map(([id, at]) => [id, String(at)])) });
});
