/** Entry of the AWS server process. It lives exactly as long as its parent: the end of the IPC channel is its end. */
import { mkdirSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createFront } from './front.ts';
import type { FromServer, ServerOptions, ToServer } from './protocol.ts';

const options = JSON.parse(process.argv[2] ?? '{"port":4566}') as ServerOptions;
const tell = (message: FromServer) => void process.send?.(message, () => undefined);
const fail = (error: NodeJS.ErrnoException) => {
  const end = () => process.exit(1);
  if (process.send) process.send({ type: 'failed', code: error.code ?? 'UNKNOWN', message: error.stack ?? error.message }, end);
  else end();
};

process.on('uncaughtException', fail);
process.on('unhandledRejection', (reason) => fail(reason as Error));
process.on('disconnect', () => process.exit(0));
process.on('message', (message: ToServer) => {
  // Both stores are safe to leave at any moment; nothing needs an orderly end.
  if (message.type === 'stop') process.exit(0);
});
// Ctrl-C goes to the whole process group; the parent says when it is our turn.
process.on('SIGINT', () => undefined);

if (options.data !== undefined) mkdirSync(options.data, { recursive: true });
const server = await createFront({
  ...(options.data === undefined ? {} : { data: options.data }),
  visible: (queues) => tell({ type: 'visible', queues }),
});
server.on('error', fail);
server.listen(options.port, '127.0.0.1', () => tell({ type: 'listening', port: (server.address() as AddressInfo).port }));
