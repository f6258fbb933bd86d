/**
 * Asks the guard about a URL in the way user code would: a connection with that base URL, or an API that redirects there. Real transport,
 * real redirects; the one thing that is replaced is the opening of sockets, which says where one would have led.
 */
import { connection } from '../../src/http/connection.ts';
import { forbiddenBy } from '../../src/http/guard/forbidden.ts';
import type { Address } from '../../src/http/guard/guard.ts';
import { plainClock } from '../../src/http/plain-ports.ts';
import { httpRuntime, usePlainRuntime } from '../../src/http/runtime.ts';
import { memorySecrets } from '../../src/testing/index.ts';
import { type HostileServer, hostileServer } from './hostile-server.ts';

export type Question = {
  readonly url: string;
  /** What the host resolves to. */
  readonly answers?: readonly string[];
  readonly allow?: readonly string[];
  readonly allowLoopback?: boolean;
  readonly env?: Readonly<Record<string, string>>;
};

/** `code` and `message`: of the refusal, or of the socket that was not opened. */
export type Verdict = {
  readonly letThrough: boolean;
  readonly dialled: readonly string[];
  readonly code: string;
  readonly message: string;
};

export type Probe = {
  /** As the base URL of a connection. */
  directly(question: Question): Promise<Verdict>;
  /** As where the API's answer to a GET redirects to. */
  redirected(question: Question): Promise<Verdict>;
  close(): Promise<void>;
};

const PUBLIC = '93.184.216.34';
const FIRST = 'first.example';

export async function guardProbe(): Promise<Probe> {
  const server: HostileServer = await hostileServer();
  let serial = 0;

  async function ask(question: Question, call: (serial: number) => Promise<unknown>): Promise<Verdict> {
    const dialled: string[] = [];
    const family = (address: string): Address => ({ address, family: address.includes(':') ? 6 : 4 });
    const runtime = httpRuntime({
      clock: plainClock,
      secrets: memorySecrets(),
      deploymentKey: async () => 'probe',
      allowLoopback: question.allowLoopback ?? false,
      forbidden: forbiddenBy(question.env ?? {}),
      resolve: async (host) => (host === FIRST ? [family('127.0.0.1')] : (question.answers ?? [PUBLIC]).map(family)),
      dial({ hostname }, addresses, open) {
        if (hostname === FIRST) return open();
        dialled.push(...addresses.map(({ address }) => address));
        throw Object.assign(new Error('dialled'), { code: 'EDIALLED' });
      },
    });
    usePlainRuntime(runtime);
    try {
      await call(serial++);
      throw new Error('a call without a socket was answered');
    } catch (thrown) {
      const { code = '', message } = thrown as Error & { code?: string };
      return { letThrough: dialled.length > 0, dialled, code, message };
    } finally {
      usePlainRuntime(undefined);
      await runtime.transport.close();
    }
  }

  const once = { retry: { attempts: 1 } } as const;
  return {
    directly: (question) =>
      ask(question, async (n) => connection({ name: `probe-${n}`, baseUrl: question.url, allow: question.allow ?? [], ...once }).get('/')),
    redirected: (question) =>
      ask(question, async (n) => {
        server.script({ status: 302, headers: { location: Buffer.from(question.url).toString('latin1') } });
        const allow = [...(question.allow ?? []), `${FIRST}:${server.port}`];
        const api = connection({ name: `probe-${n}`, baseUrl: `http://${FIRST}:${server.port}`, allow, redirects: 'follow', ...once });
        return api.get('/');
      }),
    close: () => server.close(),
  };
}
