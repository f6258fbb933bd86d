/** Several processes of one deployment: runtimes that share a store of credentials and a time that tests move, and nothing else. */
import type { CredentialStore } from '../../src/engine/credential-ports.ts';
import type { Clock } from '../../src/engine/ports.ts';
import { connection } from '../../src/http/connection.ts';
import type { ConnectionOptions } from '../../src/http/options.ts';
import { plainClock } from '../../src/http/plain-ports.ts';
import { type HttpRuntime, httpRuntime, withRuntime } from '../../src/http/runtime.ts';
import { memorySecrets } from '../../src/testing/index.ts';

export type Process = {
  readonly http: HttpRuntime;
  /** `GET /` of the connection, as this process. */
  get(account?: string): Promise<number>;
  kill(): Promise<void>;
};

export function fleet(credentials: CredentialStore) {
  let skipped = 0;
  const clock: Clock = { now: () => Date.now() + skipped, timer: plainClock.timer };
  const secrets = memorySecrets({ 'crm/client': 'the-client-secret', 'crm/refresh': 'refresh-token-1' });
  const processes: Process[] = [];
  return {
    clock,
    secrets,
    skip(ms: number) {
      skipped += ms;
    },
    start(options: ConnectionOptions, own: Partial<{ credentials: CredentialStore; clock: Clock }> = {}): Process {
      const http = httpRuntime({
        clock: own.clock ?? clock,
        secrets,
        deploymentKey: async () => 'the key of all of them',
        allowLoopback: true,
        credentials: async () => own.credentials ?? credentials,
      });
      const crm = connection({ retry: { attempts: 1 }, ...options });
      const made: Process = {
        http,
        get: (account) => withRuntime(http, async () => (await (account === undefined ? crm : crm.for(account)).get('/')).status),
        kill: () => http.transport.close(),
      };
      processes.push(made);
      return made;
    },
    close: () => Promise.all(processes.map(({ kill }) => kill())),
  };
}
