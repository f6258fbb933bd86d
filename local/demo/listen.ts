/** A server on this machine, for nobody else unless told so, and how to end it. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { portError } from '../errors.ts';

/** `port` 0: any free one. Rejects with `E_PORT_TAKEN` naming the flag. */
export async function listen(
  server: Server,
  port: number,
  host = '127.0.0.1',
): Promise<{ url: string; port: number; stop(): Promise<void> }> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(portError(error, port, '--demo-port', 'HOLDFAST_DEMO_PORT')));
    server.listen(port, host, resolve);
  });
  const taken = (server.address() as AddressInfo).port;
  return {
    url: `http://127.0.0.1:${taken}`,
    port: taken,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
