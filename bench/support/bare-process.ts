/** Entry of the baseline's process: the same GETs in a bare undici loop that persists nothing. Ends with its parent. */
import { Pool } from 'undici';

export type ToBare = { url: string; jobs: number; inFlight: number; width: number };
export type FromBare = { ms: number; cpuMs: number };

const pools = new Map<string, Pool>();

async function run({ url, jobs, inFlight, width }: ToBare): Promise<FromBare> {
  const { origin, pathname } = new URL(url);
  const pool = pools.get(origin) ?? new Pool(origin);
  pools.set(origin, pool);
  const before = process.cpuUsage();
  const began = performance.now();
  let next = 0;
  const get = async (path: string) => {
    const { statusCode, body } = await pool.request({ method: 'GET', path });
    await body.json();
    return statusCode;
  };
  const worker = async () => {
    while (next < jobs) {
      const job = next++;
      const statuses = await Promise.all(Array.from({ length: width }, (_, n) => get(`${pathname}b${job}-${n}`)));
      if (statuses.some((status) => status !== 200)) throw new Error(`a GET answered ${statuses.join(', ')}`);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  const { user, system } = process.cpuUsage(before);
  return { ms: performance.now() - began, cpuMs: (user + system) / 1_000 };
}

process.on('disconnect', () => process.exit(0));
process.on('message', async (message: ToBare) => void process.send?.(await run(message)));
