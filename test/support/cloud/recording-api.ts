/**
 * An API that notes when every request came and from which process of the fleet, answers as it is told, and can say afterwards how much
 * it was asked. Judges nobody.
 */
import { Worker } from 'node:worker_threads';
import type { Heard, Saying, Told } from './recording-thread.ts';

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

export type RecordingApi = {
  readonly url: string;
  /** Of requests whose path begins so, as they came. */
  arrivals(path: string): readonly Arrival[];
  inFlight(path: string): readonly Arrival[];
  /** How requests are answered whose path begins so. */
  tell(path: string, say: Saying): void;
  stop(): Promise<unknown>;
};

/** Where it is told nothing else, it answers 200 after 20 ms. */
export async function startRecordingApi(): Promise<RecordingApi> {
  const all: Arrival[] = [];
  const thread = new Worker(new URL('./recording-thread.ts', import.meta.url), { workerData: { ms: 20 } });
  const port = await new Promise<number>((listening, failed) => {
    thread.once('error', failed);
    thread.on('message', (heard: Heard) => {
      if ('port' in heard) listening(heard.port);
      else if ('over' in heard) (all[heard.n] as Arrival).over = heard.over;
      else all[heard.n] = heard;
    });
  });
  const arrivals = (path: string) => all.filter((one) => one.path.startsWith(path));
  return {
    url: `http://127.0.0.1:${port}`,
    arrivals,
    inFlight: (path) => arrivals(path).filter(({ over }) => over === undefined),
    tell: (path, say) => thread.postMessage({ path, say } satisfies Told),
    stop: () => thread.terminate(),
  };
}

/** After `from`, and before `to`. */
export const between = (arrivals: readonly Arrival[], from: number, to: number): readonly Arrival[] =>
  arrivals.filter(({ at }) => at > from && at < to);

/** How many came in the worst stretch of `ms` of all, wherever it begins. */
export function mostWithin(arrivals: readonly Arrival[], ms: number): number {
  let first = 0;
  let most = 0;
  for (const [last, { at }] of arrivals.entries()) {
    while (at - (arrivals[first] as Arrival).at >= ms) first += 1;
    most = Math.max(most, last - first + 1);
  }
  return most;
}

/** The longest time in which none came, ms. */
export const longestGap = (arrivals: readonly Arrival[]): number =>
  Math.max(0, ...arrivals.slice(1).map(({ at }, before) => at - (arrivals[before] as Arrival).at));

/** How many were in flight at once. */
export function mostAtOnce(arrivals: readonly Arrival[]): number {
  return Math.max(
    0,
    ...arrivals.map(({ at }) => arrivals.filter((one) => one.at <= at && (one.over ?? Number.POSITIVE_INFINITY) > at).length),
  );
}

export const processes = (arrivals: readonly Arrival[]): ReadonlySet<number> => new Set(arrivals.map((arrival) => arrival.process));
