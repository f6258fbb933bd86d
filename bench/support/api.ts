/** Starts the benchmarks' API and speaks for it. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FromApi, ToApi } from './api-process.ts';

export type Api = {
  readonly url: string;
  /** When each `/note/<id>` came first: nanoseconds of `process.hrtime.bigint()`, which processes share. */
  noted(): Promise<Map<string, bigint>>;
  /** CPU time it has used so far, ms. */
  cpuMs(): Promise<number>;
  stop(): void;
};

export async function startApi(): Promise<Api> {
  const child = fork(fileURLToPath(new URL('./api-process.ts', import.meta.url)), [], { execArgv: [] });
  const { port } = await next(child, 'listening');
  const ask = <Type extends ToApi['type']>(type: Type) => {
    const answer = next(child, type);
    child.send({ type } satisfies ToApi);
    return answer;
  };
  return {
    url: `http://127.0.0.1:${port}`,
    async noted() {
      return new Map(Object.entries((await ask('noted')).at).map(([id, at]) => [id, BigInt(at)]));
    },
    async cpuMs() {
      const { cpu } = await ask('used');
      return (cpu.user + cpu.system) / 1_000;
    },
    stop: () => void child.kill(),
  };
}

function next<Type extends FromApi['type']>(child: ChildProcess, type: Type): Promise<Extract<FromApi, { type: Type }>> {
  return new Promise((resolve, reject) => {
    const gone = () => reject(new Error('the API of the benchmarks has ended'));
    const look = (message: FromApi) => {
      if (message.type !== type) return;
      child.off('message', look);
      child.off('exit', gone);
      resolve(message as Extract<FromApi, { type: Type }>);
    };
    child.on('message', look);
    child.once('exit', gone);
  });
}
