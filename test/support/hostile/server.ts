/**
 * A raw-socket server that does to each request what its fate says, and keeps account: what came when, and what happened of it.
 * Calls share its first port, or have a door of their own, where a fate may be met before the request: in the name, on accept, in
 * the handshake. Time is its owner's clock, so that waits can be skipped; chooses no fates.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { Clock } from '../../../src/engine/ports.ts';
import type { Address } from '../../../src/http/guard/guard.ts';
import { certificates } from './certificates.ts';
import type { Context, Fate, Safety, Step } from './fate.ts';
import { type Head, requestReader } from './requests.ts';

export type Arrival = {
  n: number;
  fate: Fate;
  /** Of the server's clock, ms. */
  at: number;
  /** Which of the client's lives it came from. */
  life: number;
  /** Not the first request of its socket. */
  reused: boolean;
  /** The socket was closed under it, whatever its fate would have been. */
  stale?: true;
  key?: string;
  body?: string;
  /** What was asked for happened, and had not before. */
  effect?: true;
  /** When the answer was complete, as far as it ever was. */
  answeredAt?: number;
};

export type CallAccount = { arrivals: Arrival[]; effects: number };
export type Moment = 'head' | 'effect' | 'answered';

export type HostileOptions = {
  clock: Clock;
  fate(call: string, n: number): Fate;
  safety(call: string): Safety;
  /** By how much its clock is wrong, ms. */
  skew: number;
  life(): number;
  /** The credential that calls have from now on. */
  rotate(): void;
  /** May end the client's life. */
  moment(call: string, n: number, what: Moment): void;
};

/** A socket, and how far its requests have come. */
type Line = {
  socket: Socket /** The socket itself, or TLS over it. */;
  out: Socket;
  requests: number;
  life: number;
  door?: 'fin' | 'reset';
  quiet: boolean;
};
type Door = { server: Server; port: number; met?: { fate: Fate; arrival: Arrival } };

export async function hostile(options: HostileOptions) {
  const { clock } = options;
  const accounts = new Map<string, CallAccount>();
  const keys = new Set<string>();
  const lines = new Set<Line>();
  const doors = new Map<string, Door>();
  let moved = 0;
  const main = await listen((socket) => serve(lineOf(socket)));

  function account(call: string): CallAccount {
    let found = accounts.get(call);
    if (!found) {
      found = { arrivals: [], effects: 0 };
      accounts.set(call, found);
    }
    return found;
  }

  function arrive(call: string, reused: boolean): Arrival {
    const { arrivals } = account(call);
    const n = arrivals.filter(({ stale }) => !stale).length + 1;
    const arrival: Arrival = { n, fate: options.fate(call, n), at: clock.now(), life: options.life(), reused };
    arrivals.push(arrival);
    return arrival;
  }

  function lineOf(socket: Socket): Line {
    const line: Line = { socket, out: socket, requests: 0, life: options.life(), quiet: false };
    lines.add(line);
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('close', () => {
      lines.delete(line);
      moved += 1;
    });
    return line;
  }

  /** `door`: the call whose own it is. */
  function serve(line: Line, door?: Door): void {
    const { out } = line;
    let arrival: Arrival | undefined;
    const read = requestReader({
      head(head) {
        line.quiet = false;
        const reused = line.requests > 0;
        line.requests += 1;
        if (head.target.startsWith('/truth/')) return;
        const call = callOf(head);
        if (line.door !== undefined) {
          account(call).arrivals.push({ n: 0, fate: options.fate(call, 1), at: clock.now(), life: options.life(), reused, stale: true });
          return close(line, line.door);
        }
        arrival = door?.met?.arrival ?? arrive(call, reused);
        if (door) delete door.met;
        const key = head.headers.get('idempotency-key');
        if (key !== undefined) arrival.key = key;
        options.moment(call, arrival.n, 'head');
        if (arrival.fate.at === 'http' && arrival.fate.on === 'head') perform(line, arrival.fate.answer(context(head, '')), arrival);
      },
      end(head, bytes) {
        if (head.target.startsWith('/truth/')) return truth(out, head);
        const now = arrival;
        arrival = undefined;
        if (now === undefined || now.fate.at !== 'http' || now.fate.on === 'head') return;
        now.body = bytes.toString();
        const call = callOf(head);
        if (now.fate.effect) happen(call, now);
        if (now.fate.rotates) options.rotate();
        options.moment(call, now.n, 'effect');
        perform(line, now.fate.answer(context(head, JSON.stringify({ call, n: now.n }))), now, door !== undefined, () =>
          options.moment(call, now.n, 'answered'),
        );
      },
    });
    out.on('data', (chunk: Buffer) => {
      moved += 1;
      try {
        read(chunk);
      } catch {
        line.socket.destroy();
      }
    });
  }

  function context(head: Head, body: string): Context {
    return { now: clock.now(), skew: options.skew, method: head.method, body };
  }

  /** A key that is known repeats nothing: that is what it is for. */
  function happen(call: string, arrival: Arrival): void {
    const { key } = arrival;
    if (options.safety(call) === 'keyed') {
      if (key !== undefined && keys.has(key)) return;
      if (key !== undefined) keys.add(key);
    }
    account(call).effects += 1;
    arrival.effect = true;
  }

  function perform(line: Line, steps: readonly Step[], arrival: Arrival, alone = false, over?: () => void): void {
    const { out } = line;
    const later = (ms: number, then: () => void) => {
      line.quiet = true;
      clock.timer(ms, () => {
        line.quiet = false;
        moved += 1;
        if (!out.destroyed) then();
      });
    };
    const next = (at: number): void => {
      moved += 1;
      const step = steps[at];
      if (step === undefined) {
        arrival.answeredAt = clock.now();
        // A door of one's own is for one request.
        if (alone) out.end();
        over?.();
      } else if ('send' in step) {
        out.write(alone && at === 0 ? lastOfItsSocket(step.send) : step.send);
        arrival.answeredAt = clock.now();
        next(at + 1);
      } else if ('wait' in step) later(step.wait, () => next(at + 1));
      else if ('pour' in step) pour(line, step.pour, step.times, () => next(at + 1));
      else if ('drip' in step) {
        const drop = (left: number) => {
          if (left === 0) return next(at + 1);
          out.write(step.drip);
          later(step.every, () => drop(left - 1));
        };
        drop(step.times);
      } else if ('close' in step) {
        arrival.answeredAt ??= clock.now();
        close(line, step.close);
        over?.();
      } else if ('door' in step) {
        line.door = step.door;
        next(at + 1);
      } else line.quiet = true;
    };
    next(0);
  }

  function pour({ out }: Line, what: Buffer, times: number, then: () => void): void {
    let left = times;
    const go = () => {
      for (;;) {
        if (out.destroyed) return;
        if (left === 0) return then();
        left -= 1;
        moved += 1;
        if (!out.write(what)) {
          out.once('drain', go);
          return;
        }
      }
    };
    go();
  }

  function truth(socket: Socket, head: Head): void {
    const body = JSON.stringify({ happened: (accounts.get(head.target.slice('/truth/'.length))?.effects ?? 0) > 0 });
    socket.write(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
  }

  /** A port for one call alone. `secure`: with TLS. */
  async function openDoor(call: string, secure: boolean): Promise<number> {
    const door: Door = {
      ...(await listen((socket) => {
        const line = lineOf(socket);
        // Whoever comes again within one attempt comes to the same.
        const fate = door.met?.fate;
        if (fate?.at === 'accept') return close(line, fate.how);
        if (!secure) return serve(line, door);
        if (fate?.at === 'tls' && fate.how === 'reset') return void socket.once('data', () => close(line, 'reset'));
        if (fate?.at === 'tls' && fate.how === 'garbage')
          return void socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
        if (fate?.at === 'tls' && fate.how === 'silence') {
          line.quiet = true;
          return;
        }
        const { contexts } = certificates();
        const tls = new TLSSocket(socket, {
          isServer: true,
          secureContext: contexts[fate?.at === 'tls' ? (fate.how as keyof typeof contexts) : 'good'],
        });
        tls.on('error', () => socket.destroy());
        line.out = tls;
        serve(line, door);
      })),
    };
    doors.set(call, door);
    return door.port;
  }

  /** Where names lead, for doors of their own: one question is one attempt. */
  async function resolve(hostname: string): Promise<readonly Address[]> {
    const call = hostname.split('.')[0] as string;
    const door = doors.get(call);
    const local: Address = { address: '127.0.0.1', family: 4 };
    if (!door) return [local];
    const arrival = arrive(call, false);
    const { fate } = arrival;
    door.met = { fate, arrival };
    if (fate.at !== 'dns') {
      if (fate.at !== 'http') options.moment(call, arrival.n, 'head');
      return [local];
    }
    arrival.answeredAt = clock.now();
    options.moment(call, arrival.n, 'head');
    switch (fate.how) {
      case 'refused':
        return [{ address: '::1', family: 6 }];
      case 'private':
        return [{ address: '10.255.255.1', family: 4 }];
      case 'rebinding':
        return [local, { address: '169.254.169.254', family: 4 }];
      default:
        throw Object.assign(new Error(fate.how), { code: fate.how });
    }
  }

  return {
    port: main.port,
    accounts,
    openDoor,
    resolve,
    /** As the kernel does when a process dies. */
    dropAll() {
      for (const { socket } of lines) socket.destroy();
    },
    /** Changes with everything that happens on a socket. */
    moved: () => moved,
    /** Requests of this life for which nothing will be done before the clock moves. */
    quiet: (life: number) => [...lines].filter((line) => line.quiet && line.life === life).length,
    async close() {
      for (const { socket } of lines) socket.destroy();
      await Promise.all([main, ...doors.values()].map(({ server }) => new Promise((closed) => server.close(closed))));
    },
  };
}

function close({ socket, out }: Line, how: 'fin' | 'reset'): void {
  if (how === 'fin') out.end();
  else socket.resetAndDestroy();
}

/** Says in a head that no other request will be answered here. */
function lastOfItsSocket(send: string | Buffer): Buffer {
  const text = Buffer.from(send).toString('latin1');
  return Buffer.from(text.replace(/^(HTTP\/1\.1 [2-5]\d\d [^\r]*\r\n)/, '$1Connection: close\r\n'), 'latin1');
}

const callOf = ({ target }: Head): string => target.split('/').at(-1)?.split('?')[0] ?? '';

async function listen(accept: (socket: Socket) => void): Promise<{ server: Server; port: number }> {
  const server = createServer({ allowHalfOpen: false }, accept);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as { port: number };
  return { server, port };
}
