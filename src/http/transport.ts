/** Sockets: one pool per connection and origin, kept between invocations. Sends a request, tells the event; knows no retries. */
import { Client, type Dispatcher, Pool } from 'undici';
import { outsideRun } from '../engine/context.ts';
import type { Clock } from '../engine/ports.ts';
import { memorySink, type OpenSink } from './bodies/sink.ts';
import { Exchange, type SocketState, type WireEvent } from './exchange.ts';
import type { Connect, Dial, Resolve } from './guard/connector.ts';
import type { Forbidden } from './guard/forbidden.ts';
import { type Allowed, compileAllow } from './guard/guard.ts';
import type { Limits } from './settings.ts';

export type WireRequest = {
  /** One object per connection: connections do not share sockets, since each opened them under its own guard. */
  readonly allowed: Allowed;
  readonly connectTimeout: number;
  readonly origin: string;
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | AsyncIterable<Uint8Array> | null;
  readonly limits: Limits;
  /** Where the reply's body goes. Default: all of it stays in memory. */
  readonly sink?: OpenSink;
  /** A socket of its own, so that a stale one can never make it ambiguous. */
  readonly fresh: boolean;
  readonly signal?: AbortSignal;
};

export type Transport = {
  /** Never rejects. Ends within the limits' total. */
  send(request: WireRequest): Promise<WireEvent>;
  /** Closes all sockets. */
  close(): Promise<void>;
};

export type TransportOptions = {
  readonly clock: Clock;
  /** Open for every connection, besides its own `allow`. */
  readonly allow?: readonly string[];
  /** Loopback addresses are open, also over plain http: for the embedded cloud and tests. */
  readonly allowLoopback?: boolean;
  readonly resolve?: Resolve;
  /** How sockets are opened; for tests. */
  readonly dial?: Dial;
  /** For tests. Default: what the process's environment says. */
  readonly forbidden?: Forbidden;
  /** Certificates to trust in place of the system's. */
  readonly ca?: string;
};

/** What an abort ends: one listener for all that is sent under a signal, which is a run's, or user code's own. */
const watchers = new WeakMap<AbortSignal, Set<Exchange>>();

function watchersOf(signal: AbortSignal): Set<Exchange> {
  const known = watchers.get(signal);
  if (known) return known;
  const made = new Set<Exchange>();
  watchers.set(signal, made);
  signal.addEventListener(
    'abort',
    () => {
      for (const exchange of [...made]) exchange.abort('given up');
    },
    { once: true },
  );
  return made;
}

type Place = { dispatcher: Dispatcher; done(): void };

const inMemory: OpenSink = () => memorySink();

const KEEP_ALIVE_MS = 4_000;
/** After such a silence the process may have been frozen, and its idle sockets closed by the other side. */
const FREEZE_GAP_MS = 3_000;

export function transport(options: TransportOptions): Transport {
  const { clock } = options;
  const everywhere = compileAllow(options.allow ?? [], 'http runtime', options.allowLoopback ?? false);
  const pools = new Map<Allowed, Map<string, { pool: Pool; lastUsed: number }>>();
  const connectors = new WeakMap<Allowed, Connect>();
  const singles = new Set<Client>();

  return {
    // Outside any run's async context: sockets live on and must not keep a run that has been put down in memory.
    send: (request) => new Promise((resolve) => outsideRun(() => send(request, resolve))),
    async close() {
      const open = [...[...pools.values()].flatMap((origins) => [...origins.values()].map(({ pool }) => pool)), ...singles];
      pools.clear();
      await Promise.all(open.map((dispatcher) => dispatcher.destroy()));
    },
  };

  function send(request: WireRequest, resolve: (event: WireEvent) => void): void {
    const { signal } = request;
    if (signal?.aborted) {
      resolve({ phase: 'deferred', message: 'given up', timings: { total: 0 }, reused: false, bytes: 0 });
      return;
    }
    const place = request.fresh ? single(request) : pooled(request);
    let watching: Set<Exchange> | undefined;
    const exchange: Exchange = new Exchange(
      {
        limits: request.limits,
        clock,
        sink: request.sink ?? inMemory,
        uploads: typeof request.body === 'object' && request.body !== null && Symbol.asyncIterator in request.body,
      },
      (event) => {
        watching?.delete(exchange);
        place.done();
        resolve(event);
      },
    );
    if (signal) {
      watching = watchersOf(signal);
      watching.add(exchange);
    }
    place.dispatcher.dispatch(
      {
        path: request.path,
        method: request.method as Dispatcher.HttpMethod,
        headers: request.headers as Record<string, string>,
        // Iterables are among what it takes, though its types do not say so.
        body: request.body as string | Uint8Array | null,
        // The exchange keeps the time itself, to the millisecond.
        headersTimeout: 0,
        bodyTimeout: 0,
        ...(request.fresh ? { reset: true } : {}),
      },
      exchange,
    );
  }

  function pooled(request: WireRequest): Place {
    const now = clock.now();
    let origins = pools.get(request.allowed);
    if (!origins) {
      origins = new Map();
      pools.set(request.allowed, origins);
    }
    let entry = origins.get(request.origin);
    if (!entry || now - entry.lastUsed > FREEZE_GAP_MS) {
      // Others that were not used since are closed with it: accounts have URLs of their own, and there may be thousands.
      for (const [origin, { pool, lastUsed }] of origins) {
        if (now - lastUsed <= FREEZE_GAP_MS) continue;
        origins.delete(origin);
        // Closes the idle sockets at once, and those in use when they are done.
        pool.close().catch(() => {});
      }
      entry = {
        pool: new Pool(request.origin, { ...CLIENT, factory: (origin) => countingClient(origin, connectorOf(request)) }),
        lastUsed: now,
      };
      origins.set(request.origin, entry);
    }
    const used = entry;
    used.lastUsed = now;
    return {
      dispatcher: used.pool,
      done() {
        used.lastUsed = clock.now();
      },
    };
  }

  function single(request: WireRequest): Place {
    const client = countingClient(request.origin, connectorOf(request));
    singles.add(client);
    return {
      dispatcher: client,
      done() {
        client.close().then(
          () => singles.delete(client),
          () => singles.delete(client),
        );
      },
    };
  }

  /** One for all sockets of a connection, so that they share TLS sessions. Loaded by the first call: nothing else needs it. */
  function connectorOf({ allowed, connectTimeout }: WireRequest): Connect {
    let found = connectors.get(allowed);
    if (!found) {
      const { resolve, dial, forbidden, ca } = options;
      const made = import('./guard/connector.ts').then(({ connector }) =>
        connector({ clock, resolve, allowed: [everywhere, allowed], forbidden, timeout: connectTimeout, dial, ca }),
      );
      found = (target, callback, opening) =>
        void made.then(
          (connect) => connect(target, callback, opening),
          (error: Error) => callback(error, null),
        );
      connectors.set(allowed, found);
    }
    return found;
  }
}

const CLIENT = { allowH2: false, pipelining: 1, keepAliveTimeout: KEEP_ALIVE_MS, keepAliveMaxTimeout: KEEP_ALIVE_MS } as const;

/** A client that tells each exchange whether its socket was used before, and how long it took to open. */
function countingClient(origin: string | URL, connect: Connect): Client {
  const socket: SocketState = { used: false };
  const client = new Client(origin, {
    ...CLIENT,
    connect(options, callback) {
      socket.used = false;
      socket.opening = {};
      connect(options, callback, socket.opening);
    },
  });
  const dispatch = client.dispatch.bind(client);
  client.dispatch = (request, handler) => {
    (handler as Exchange).socket = socket;
    return dispatch(request, handler);
  };
  return client;
}
