/**
 * Entry of what serves large bodies and takes what is kept of them, in a process of its own: an API under `/…`, and the least of S3
 * that a payload store needs under `/s3/…`, which forgets what it is given. Ends with its parent.
 */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createGzip, gzipSync } from 'node:zlib';
import { document } from './text.ts';

export type FromLargeBodies = { type: 'listening'; port: number } | { type: 'kept'; bytes: number; objects: number };
export type ToLargeBodies = { type: 'kept' };

const PIECE = Buffer.from(`${JSON.stringify(document(60_000, 1))}\n`);
const SIZED_BYTES = 64 * 1024 * 1024;
let bytes = 0;
let objects = 0;

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  const path = request.url ?? '/';
  if (path.startsWith('/s3/')) {
    objects += 1;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    request.on('end', () => response.writeHead(200, { etag: '"0"' }).end());
    return;
  }
  request.resume();
  response.on('error', () => {});
  switch (path.split('/')[1]) {
    // As fast as it is read, for ever.
    case 'endless':
      response.writeHead(200, { 'content-type': 'application/json' });
      return pour(response, Number.POSITIVE_INFINITY);
    case '64mb':
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': String(SIZED_BYTES) });
      return pour(response, SIZED_BYTES);
    case 'gzip': {
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' });
      const packed = createGzip({ level: 1 });
      packed.pipe(response);
      response.on('close', () => packed.destroy());
      return pour(packed, Number.POSITIVE_INFINITY);
    }
    // A byte every 50 ms, for ever; `packed`: of a body that is compressed.
    case 'drip':
    case 'packed-drip': {
      const packed = path.startsWith('/packed');
      response.writeHead(200, { 'content-type': 'text/plain', ...(packed ? { 'content-encoding': 'gzip' } : {}) });
      const content = packed ? gzipSync(PIECE) : PIECE;
      let at = 0;
      response.flushHeaders();
      return every(50, response, () => void response.write(content.subarray(at % content.length, (at++ % content.length) + 1)));
    }
    // So much, and then nothing.
    case 'stall':
      response.writeHead(200, { 'content-type': 'text/plain', 'content-length': '1000000' }).write(PIECE);
      return;
    // A head that never ends.
    case 'half-head':
      request.socket.write('HTTP/1.1 200 OK\r\nx-first: 1\r\n');
      return;
    case 'head-drip': {
      request.socket.write('HTTP/1.1 200 OK\r\n');
      let line = 0;
      return every(50, response, () => void request.socket.write(`x-${line++}: 1\r\n`));
    }
    // Nothing at all.
    case 'silent':
      return;
    default:
      response.writeHead(404).end();
  }
});

function pour(to: ServerResponse | ReturnType<typeof createGzip>, size: number): void {
  let left = size;
  const on = () => {
    while (left > 0 && !to.destroyed) {
      const chunk = left >= PIECE.length ? PIECE : PIECE.subarray(0, left);
      left -= chunk.length;
      if (!to.write(chunk)) return void to.once('drain', on);
    }
    if (!to.destroyed) to.end();
  };
  on();
}

function every(ms: number, response: ServerResponse, act: () => void): void {
  const timer = setInterval(() => {
    if (response.destroyed || response.socket?.destroyed) clearInterval(timer);
    else act();
  }, ms);
}

server.listen(0, '127.0.0.1', () => tell({ type: 'listening', port: (server.address() as AddressInfo).port }));

function tell(message: FromLargeBodies): void {
  process.send?.(message);
}

process.on('disconnect', () => process.exit(0));
process.on('message', (_message: ToLargeBodies) => tell({ type: 'kept', bytes, objects }));
