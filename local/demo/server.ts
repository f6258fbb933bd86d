/**
 * The demo API: APIs behind bearer tokens, with real state, that misbehave as real ones do, and a web site.
 * Owns the order of things: token, route, fault before the effect, effect, fault after it. Also a program of its own.
 */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { parseArgs, parseEnv } from 'node:util';
import { countEffects } from './effects.ts';
import { faultPlan, isThrottle } from './faults.ts';
import { type Pace, plain, send, spoilBefore } from './inject.ts';
import { listen } from './listen.ts';
import { APIS, type Api, findRoute } from './routes.ts';
import { demoSite } from './site.ts';
import { openState } from './state.ts';
import { demoStats } from './stats.ts';
import { startStore } from './store.ts';

export type DemoOptions = {
  /** 0: any free one. */
  port: number;
  /** Where it listens, default 127.0.0.1: for this machine alone. */
  host?: string;
  /** Folder of its log; without it the state ends with the process. */
  data?: string;
  /** What the faults are derived from. Default `holdfast`. */
  seed?: string;
  /** Default `on`. */
  faults?: 'on' | 'off';
  /** Milliseconds. Default: a slow answer takes 800, a drip 100 a byte. */
  pace?: Pace;
};

export type DemoApi = { url: string; port: number; stop(): Promise<void> };

const MOST_BODY = 64 * 1024;

export async function startDemoApi(options: DemoOptions): Promise<DemoApi> {
  const tokens = demoTokens();
  const state = openState(options.data);
  const store = await startStore(state);
  const site = demoSite();
  const plan = faultPlan(options.seed ?? 'holdfast');
  const stats = demoStats();
  const stopping = new AbortController();
  const pace = options.pace ?? { slow: 800, drip: 100 };

  /** Until when an API answers nobody anything but 429, by `performance.now()`. */
  const closed = new Map<string, number>();
  const isClosed = (api: string) => performance.now() < (closed.get(api) ?? 0);
  /** For how many seconds from now; it begins with the first who is told. */
  function close(api: string, { pathname }: URL): number {
    if (!isClosed(api)) closed.set(api, performance.now() + 1_000 * (1 + (pathname.length % 2)));
    return Math.ceil(((closed.get(api) as number) - performance.now()) / 1_000);
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://demo');
    const [, first = '', rest = ''] = /^\/([^/]*)(.*)$/.exec(url.pathname) ?? [];
    if (first === '_demo' && rest === '/effects') return plain(response, { status: 200, body: { items: countEffects(state.rows) } });
    if (first === '_demo' && rest === '/stats') return plain(response, { status: 200, body: stats.read() });
    if (first === '_demo' && rest === '/site') return plain(response, { status: 200, body: site.record() });
    if (site.has(url.pathname)) return await site.answer(request, response, url.pathname);
    const api = APIS.find((name) => name === first);
    if (!api)
      return plain(response, {
        status: 404,
        body: { error: `there are /${APIS.join(', /')}, /site/, /_demo/effects, /_demo/stats and /_demo/site` },
      });
    const text = await readBody(request);
    if (request.headers.authorization !== `Bearer ${tokens[api]}`) {
      response.setHeader('www-authenticate', 'Bearer');
      return plain(response, { status: 401, body: { error: `${api} needs its bearer token` } });
    }
    const found = findRoute(api, request.method ?? '', rest, url.searchParams);
    if ('problem' in found) {
      if (found.allow !== undefined) response.setHeader('allow', found.allow);
      return plain(response, found.problem);
    }
    const { route, upstream } = found;
    const identity = `${request.method} ${url.pathname}${url.search}\n${text ?? ''}`;
    const planned = options.faults === 'off' ? undefined : plan.next(api, identity);
    const fault = isClosed(api) ? 'throttle-seconds' : planned;
    stats.request(route, identity, fault);
    const seconds = isThrottle(fault) ? close(api, url) : 0;
    if (seconds > 0) stats.throttled(identity, seconds * 1_000);
    if (spoilBefore(fault, request, response, seconds)) return;
    if (text === undefined) return plain(response, { status: 413, body: { error: `a body may have ${MOST_BODY} bytes` } });
    const body = route.method === 'POST' ? parse(text) : undefined;
    const key = request.headers['idempotency-key'];
    const answer = route.computes
      ? route.computes(body)
      : route.method === 'GET'
        ? await store.read(route, upstream)
        : await store.create(route, upstream, body, typeof key === 'string' ? key : undefined);
    if ('replayed' in answer) {
      stats.replayed();
      response.setHeader('idempotent-replayed', 'true');
    }
    await send(fault, request, response, answer, pace, stopping.signal);
  }

  const server = await listen(
    createServer((request, response) => {
      handle(request, response).catch((error: unknown) => {
        if (request.socket.destroyed || stopping.signal.aborted) return;
        process.stderr.write(`demo API: ${request.method} ${request.url}: ${String(error)}\n`);
        if (response.headersSent) request.socket.destroy();
        else plain(response, { status: 500, body: { error: 'a fault that is not one of the demo' } });
      });
    }),
    options.port,
    options.host,
  ).catch(async (error: unknown) => {
    await store.stop();
    state.close();
    throw error;
  });
  return {
    url: server.url,
    port: server.port,
    async stop() {
      stopping.abort();
      await server.stop();
      await store.stop();
      state.close();
    },
  };
}

/** The tokens that the demo asks for; `npm start` gives the same file to the workers as secrets. */
export function demoTokens(): Record<Api, string> {
  const env = parseEnv(readFileSync(join(import.meta.dirname, 'demo.env'), 'utf8'));
  const token = (api: Api) => env[`${api.toUpperCase()}_TOKEN`] ?? '';
  return Object.fromEntries(APIS.map((api) => [api, token(api)])) as Record<Api, string>;
}

/** `undefined`: too large. Always read to the end, so that the connection stays usable. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= MOST_BODY) chunks.push(chunk);
  }
  return bytes <= MOST_BODY ? Buffer.concat(chunks).toString() : undefined;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '3001' },
      data: { type: 'string' },
      seed: { type: 'string' },
      faults: { type: 'string', default: 'on' },
    },
  });
  const api = await startDemoApi({
    port: Number(values.port),
    ...(values.data === undefined ? {} : { data: values.data }),
    ...(values.seed === undefined ? {} : { seed: values.seed }),
    faults: values.faults === 'off' ? 'off' : 'on',
  });
  const end = () => void api.stop().then(() => process.exit(0));
  process.once('SIGINT', end).once('SIGTERM', end);
  // As a child: say where it is, and do not outlive the parent.
  process.once('disconnect', end);
  process.send?.({ url: api.url, port: api.port });
  process.stdout.write(`demo API on ${api.url}\n`);
}
