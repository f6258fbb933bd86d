/**
 * Opens a socket to an address that the guard has seen: resolve all, check all, connect to exactly those, look again at the
 * open socket. So a name cannot point elsewhere between the check and the connection.
 */
import { lookup } from 'node:dns';
import { isIP, type LookupFunction, connect as netConnect, type Socket } from 'node:net';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import type { buildConnector } from 'undici';
import type { Clock } from '../engine/ports.ts';
import { type Address, type Allowed, refusal, type Target } from './guard.ts';

/** All addresses of a name. Rejects with a system error (`ENOTFOUND`, `EAI_AGAIN`). */
export type Resolve = (hostname: string) => Promise<readonly Address[]>;

export const systemResolve: Resolve = (hostname) =>
  new Promise((resolve, reject) => {
    lookup(hostname, { all: true, verbatim: true }, (error, addresses) => {
      if (error) reject(error);
      else resolve(addresses.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 })));
    });
  });

/** A refusal of the guard; `code` tells it from what sockets throw. */
export class GuardRefusal extends Error {
  override readonly name = 'GuardRefusal';
  readonly code = 'HOLDFAST_GUARD';
}

export type ConnectorOptions = {
  readonly clock: Clock;
  readonly resolve: Resolve;
  readonly allowed: readonly Allowed[];
  readonly timeout: number;
  /** Certificates to trust in place of the system's. */
  readonly ca?: string;
};

/** Sessions are resumed: a fresh connection for each unsafe call would otherwise pay a whole handshake. */
const MAX_SESSIONS = 100;

export function connector(options: ConnectorOptions): buildConnector.connector {
  const { clock, resolve, allowed } = options;
  const sessions = new Map<string, Buffer>();

  return ({ hostname, protocol, port, servername }, callback) => {
    const target: Target = { protocol, hostname, port: Number(port) || (protocol === 'https:' ? 443 : 80) };
    let socket: Socket | undefined;
    let over = false;
    const finish = (error: Error | null) => {
      if (over) return;
      over = true;
      timer.cancel();
      if (error) {
        socket?.on('error', () => {}).destroy();
        callback(error, null);
      } else callback(null, socket as Socket);
    };
    const timer = clock.timer(options.timeout, () =>
      finish(Object.assign(new Error(`no connection within ${options.timeout} ms`), { code: 'ETIMEDOUT' })),
    );
    const literal = isIP(hostname);
    const known: Promise<readonly Address[]> =
      literal === 0 ? resolve(hostname) : Promise.resolve([{ address: hostname, family: literal === 6 ? 6 : 4 }]);
    known
      .then((addresses) => {
        const refused = refusal(target, addresses, allowed);
        if (refused !== undefined) throw new GuardRefusal(refused);
        if (over) return;
        socket = open(target, addresses, servername);
        socket.once(protocol === 'https:' ? 'secureConnect' : 'connect', () => {
          const address = socket?.remoteAddress;
          const seen =
            address === undefined
              ? 'the socket closed at once'
              : refusal(target, [{ address, family: isIP(address) === 6 ? 6 : 4 }], allowed);
          finish(seen === undefined ? null : new GuardRefusal(seen));
        });
        socket.on('error', finish);
      })
      .catch(finish);
  };

  function open(target: Target, addresses: readonly Address[], servername: string | undefined | null): Socket {
    const { hostname, port, protocol } = target;
    const checked: LookupFunction = (_name, { all }, done) => {
      const first = addresses[0] as Address;
      if (all) done(null, addresses as Address[]);
      else done(null, first.address, first.family);
    };
    const where = { host: hostname, port, lookup: checked, noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 };
    if (protocol !== 'https:') return netConnect(where);
    const name = servername ?? (isIP(hostname) === 0 ? hostname : '');
    const key = `${name}:${port}`;
    const session = sessions.get(key);
    const socket: TLSSocket = tlsConnect({
      ...where,
      servername: name,
      ALPNProtocols: ['http/1.1'],
      ...(session === undefined ? {} : { session }),
      ...(options.ca === undefined ? {} : { ca: options.ca }),
    });
    return socket.on('session', (fresh) => {
      if (sessions.size >= MAX_SESSIONS) sessions.clear();
      sessions.set(key, fresh);
    });
  }
}
