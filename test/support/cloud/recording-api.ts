/**
 * An API that notes when every request came and from which process of the fleet, answers as it is told, and can say afterwards how much
 * it was asked. Judges nobody.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Arrival = {
  /** Ms since the epoch. */
  readonly at: number;
  readonly path: string;
  /** The process id that the connections of limited.ts send. */
  readonly process: number;
  readonly status: number;
  /** When it was answered, or its client went away; absent while it is in flight. */
  over?: number;
};

export type Saying = { status?: number; headers?: Record<string, string>; ms?: number };

export type RecordingApi = {
  readonly url: string;
  /** Of requests whose path begins so, as they came. */
  arrivals(path: string): readonly Arrival[];
  inFlight(path: string): readonly Arrival[];
  /** From now on requests whose path begins so are answered by it. `nth`: 1 for the first since it was told. */
  tell(path: string, say: (nth: number) => Saying): void;
  stop(): Promise<void>;
};

/** Until it is told something else, it answers 200 after `ms`. */
export async function startRecordingApi({ ms = 20 }: { ms?: number } = {}): Promise<RecordingApi> {
  const all: Arrival[] = [];
  const told = new Map<string, { say: (nth: number) => Saying; asked: number }>();
  const server = createServer((request, response) => {
    const at = Date.now();
    const path = request.url ?? '';
    const rule = [...told].find(([start]) => path.startsWith(start))?.[1];
    if (rule) rule.asked += 1;
    const { status = 200, headers = {}, ms: after = ms } = rule?.say(rule.asked) ?? {};
    const arrival: Arrival = { at, path, process: Number(request.headers['x-process']), status };
    all.push(arrival);
    response.once('close', () => {
      arrival.over = Date.now();
    });
    request.resume();
    setTimeout(() => response.writeHead(status, { 'content-type': 'text/plain', ...headers }).end('ok'), after);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const arrivals = (path: string) => all.filter((one) => one.path.startsWith(path));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    arrivals,
    inFlight: (path) => arrivals(path).filter(({ over }) => over === undefined),
    tell: (path, say) => void told.set(path, { say, asked: 0 }),
    stop: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

/** After `from`, and before `to`. */
export const between = (arrivals: readonly Arrival[], from: number, to: number): readonly Arrival[] =>
  arrivals.filter(({ at }) => at > from && at < to);

/** How many came in the worst second of all, wherever it begins. */
export function mostInASecond(arrivals: readonly Arrival[]): number {
  let first = 0;
  let most = 0;
  for (const [last, { at }] of arrivals.entries()) {
    while (at - (arrivals[first] as Arrival).at >= 1_000) first += 1;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

/** How many were in flight at once. */
export function mostAtOnce(arrivals: readonly Arrival[]): number {
  return Math.max(
    0,
    ...arrivals.map(({ at }) => arrivals.filter((one) => one.at <= at && (one.over ?? Number.POSITIVE_INFINITY) > at).length),
  );
}

export const processes = (arrivals: readonly Arrival[]): ReadonlySet<number> => new Set(arrivals.map((arrival) => arrival.process));
