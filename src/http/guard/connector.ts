/**
 * Opens a socket to an address that the guard has seen: resolve all, check all, connect to exactly those, look again at the
 * open socket. So a name cannot point elsewhere between the check and the connection.
 */
import { lookup } from 'node:dns';
import { isIP, type LookupFunction, connect as netConnect, type Socket } from 'node:net';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import type { buildConnector } from 'undici';
import type { Clock } from '../../engine/ports.ts';
import type { Opening } from '../exchange.ts';
import { plainAddress } from './addresses.ts';
import { type Forbidden, forbiddenBy } from './forbidden.ts';
import type { Address, Allowed, Target } from './guard.ts';
import { refusal } from './refusal.ts';

/** All addresses of a name. Rejects with a system error (`ENOTFOUND`, `EAI_AGAIN`). */
export type Resolve = (hostname: string) => Promise<readonly Address[]>;

const systemResolve: Resolve = (hostname) =>
  new Promise((resolve, reject) => {
    lookup(hostname, { all: true, verbatim: true }, (error, addresses) => {
      if (error) reject(error);
      else resolve(addresses.map(({ address, family }) => ({ address, family: family === 6 ? 6 : 4 })));
    });
  });

/** Opens a socket to the first of these addresses that answers. */
export type Dial = (target: Target, addresses: readonly Address[], open: () => Socket) => Socket;

/** A refusal of the guard; `code` tells it from what sockets throw. */
export class GuardRefusal extends Error {
  override readonly name = 'GuardRefusal';
  readonly code = 'HOLDFAST_GUARD';
}

export type ConnectorOptions = {
  readonly clock: Clock;
  /** Default: the system's. */
  readonly resolve?: Resolve | undefined;
  readonly allowed: readonly Allowed[];
  /** What is closed whatever is allowed. Default: what the process's environment says of Lambda and of credentials. */
  readonly forbidden?: Forbidden | undefined;
  readonly timeout: number;
  /** For tests. Default: `open()`. */
  readonly dial?: Dial | undefined;
  /** Certificates to trust in place of the system's. */
  readonly ca?: string | undefined;
};

/** Sessions are resumed: a fresh connection for each unsafe call would otherwise pay a whole handshake. */
const MAX_SESSIONS = 100;

/** What is read of a socket at once, and what it may hold before it stops reading. TLS does it so; plain sockets read 64 KB otherwise. */
const READ_BYTES = 16 * 1024;

/** One buffer for all sockets, from which what came is copied: a buffer of 64 KB for each reading is freed by garbage collection alone. */
const READ = {
  buffer: Buffer.allocUnsafeSlow(READ_BYTES),
  callback(this: Socket, length: number, buffer: Uint8Array): boolean {
    return this.push(Buffer.from(buffer.subarray(0, length)));
  },
};

/** `opening`: how long each part of it took, as far as it came. */
export type Connect = (options: buildConnector.Options, callback: buildConnector.Callback, opening?: Opening) => void;

export function connector(options: ConnectorOptions): Connect {
  const { clock, allowed, resolve = systemResolve, forbidden = forbiddenBy(process.env) } = options;
  const sessions = new Map<string, Buffer>();

  return ({ hostname, protocol, port, servername }, callback, opening = {}) => {
    const target: Target = { protocol, hostname, port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port) };
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
    let since = clock.now();
    const took = (part: keyof Opening) => {
      const now = clock.now();
      opening[part] = now - since;
      since = now;
    };
    const literal = isIP(hostname);
    const known: Promise<readonly Address[]> =
      literal === 0 ? resolve(hostname) : Promise.resolve([{ address: hostname, family: literal === 6 ? 6 : 4 }]);
    known
      .then((addresses) => {
        if (over) return;
        if (literal === 0) took('dns');
        const refused = refusal(target, addresses, allowed, forbidden);
        if (refused !== undefined) throw new GuardRefusal(refused);
        const dialled = () => open(target, addresses, servername);
        const opened = options.dial ? options.dial(target, addresses, dialled) : dialled();
        socket = opened;
        opened.once('connect', () => {
          took('connect');
          if (protocol !== 'https:') verify();
        });
        opened.once('secureConnect', () => {
          took('tls');
          verify();
        });
        opened.on('error', finish);
        function verify(): void {
          const { remoteAddress } = opened;
          // Gone already: that is a broken connection, and says nothing of where it led.
          if (remoteAddress === undefined) {
            finish(Object.assign(new Error('closed at once'), { code: 'ECONNRESET' }));
            return;
          }
          const seen = plainAddress(remoteAddress);
          const checked = addresses.some(({ address }) => plainAddress(address) === seen);
          finish(checked ? null : new GuardRefusal('the socket leads elsewhere than to the addresses that were checked'));
        }
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
    const where = {
      host: hostname,
      port,
      lookup: checked,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
      highWaterMark: READ_BYTES,
    };
    if (protocol !== 'https:') return netConnect({ ...where, onread: READ });
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
