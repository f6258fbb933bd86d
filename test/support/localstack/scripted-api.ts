/** The external API of the suite: a real server whose every path has a script of its own, so that tests share it and not their fates. */
import { type Fate, type HostileServer, hostileServer, type Received } from '../hostile-server.ts';

export type ScriptedApi = {
  /** As the deployed functions reach it. */
  readonly url: string;
  /** Requests to that path meet these fates, one after the other; the last one repeats. Without a script they are answered 200. */
  on(path: string, ...fates: Fate[]): void;
  /** Requests to that path so far, in order. */
  received(path: string): Received[];
  close(): Promise<void>;
};

/** `host`: this machine's name for the functions. `listen`: the address to listen at. */
export async function scriptedApi({ host, listen }: { host: string; listen: string }): Promise<ScriptedApi> {
  const server: HostileServer = await hostileServer({ host: listen });
  const scripts = new Map<string, Fate[]>();
  server.script(({ url }) => {
    const fates = scripts.get(url) ?? [];
    return (fates.length > 1 ? fates.shift() : fates[0]) ?? {};
  });
  return {
    url: `http://${host}:${server.port}`,
    on: (path, ...fates) => void scripts.set(path, fates),
    received: (path) => server.received.filter(({ url }) => url === path),
    close: () => server.close(),
  };
}
