/** Connections against the hostile server: real sockets, and a clock on which the waits between attempts pass at once. */
import { connection } from '../../src/http/connection.ts';
import type { ConnectionOptions } from '../../src/http/options.ts';
import { plainClock } from '../../src/http/plain-ports.ts';
import { type HttpRuntime, type HttpRuntimeOptions, httpRuntime, usePlainRuntime } from '../../src/http/runtime.ts';
import { DEFAULTS } from '../../src/http/settings.ts';
import { memorySecrets, seededEntropy } from '../../src/testing/index.ts';
import { type HostileServer, hostileServer } from './hostile-server.ts';

export const TOKEN = 'token-that-nobody-may-see';

export type Harness = {
  readonly server: HostileServer;
  readonly runtime: HttpRuntime;
  readonly secrets: ReturnType<typeof memorySecrets>;
  /** Milliseconds waited between attempts, in order. */
  readonly waits: number[];
  connect(options?: Partial<ConnectionOptions>): ReturnType<typeof connection>;
  close(): Promise<void>;
};

export async function harness(options: Partial<HttpRuntimeOptions> = {}): Promise<Harness> {
  const server = await hostileServer();
  const secrets = memorySecrets({ 'crm/token': TOKEN, 'crm/user': 'ada', 'crm/password': 'correct horse battery' });
  const real = httpRuntime({ clock: plainClock, secrets, deploymentKey: async () => 'test-key', allowLoopback: true, ...options });
  const waits: number[] = [];
  let skipped = 0;
  const runtime: HttpRuntime = {
    ...real,
    secrets,
    entropy: seededEntropy(1),
    clock: {
      now: () => Date.now() + skipped,
      timer(ms, fn) {
        // The limit of a reconciler is no wait.
        if (ms === DEFAULTS.limits.total) return plainClock.timer(ms, fn);
        return plainClock.timer(0, () => {
          // Only now: a limit that was kept is no wait.
          waits.push(ms);
          skipped += ms;
          fn();
        });
      },
    },
  };
  usePlainRuntime(runtime);
  return {
    server,
    runtime,
    secrets,
    waits,
    connect: (more = {}) => connection({ name: 'crm', baseUrl: server.url, ...more }),
    async close() {
      usePlainRuntime(undefined);
      await real.transport.close();
      await server.close();
    },
  };
}

/** What a promise rejects with. */
export async function failure<T = Error>(promise: Promise<unknown>): Promise<T> {
  try {
    await promise;
  } catch (error) {
    return error as T;
  }
  throw new Error('it did not fail');
}
