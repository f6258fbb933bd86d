/** What the demo API has seen and done, in this process: for the table of results and for people. Owns the check that nobody came back early. */
import type { Fault } from './faults.ts';
import type { Api, Route } from './routes.ts';

export type Stats = {
  requests: Partial<Record<Api, number>>;
  writes: { keyed: number; unkeyed: number };
  faults: Partial<Record<Fault, number>>;
  /** POSTs whose idempotency key was known: nothing happened again. */
  replayed: number;
  /** Requests that came again before the `Retry-After` they were given. */
  early: number;
};

/** Timers may fire this much early. */
const SLACK_MS = 5;

export function demoStats(): {
  request(route: Route, identity: string, fault: Fault | undefined): void;
  throttled(identity: string, ms: number): void;
  replayed(): void;
  read(): Stats;
} {
  const stats: Stats = { requests: {}, writes: { keyed: 0, unkeyed: 0 }, faults: {}, replayed: 0, early: 0 };
  const notBefore = new Map<string, number>();
  return {
    request(route, identity, fault) {
      stats.requests[route.api] = (stats.requests[route.api] ?? 0) + 1;
      if (route.creates) stats.writes[route.creates.keyed ? 'keyed' : 'unkeyed']++;
      if (fault) stats.faults[fault] = (stats.faults[fault] ?? 0) + 1;
      if (performance.now() < (notBefore.get(identity) ?? 0) - SLACK_MS) stats.early++;
      notBefore.delete(identity);
    },
    throttled: (identity, ms) => void notBefore.set(identity, performance.now() + ms),
    replayed: () => void stats.replayed++,
    read: () => stats,
  };
}
