/**
 * The environments of one function: reused while warm, started when needed up to a limit, ended when idle for long, and exchanged
 * for those of other code without losing what is being invoked.
 * Knows nothing of what is invoked, nor by whom.
 */
import { randomUUID } from 'node:crypto';
import type { FunctionDescription } from '../template/description.ts';
import { type Environment, FunctionError, fault, startEnvironment } from './environment.ts';
import type { FunctionLog } from './logs.ts';

export type Lease = {
  /** Rejects with a `FunctionError`. Frees the environment; a lease is good for one invocation. */
  invoke(event: string): Promise<string>;
  /** Gives it back unused. */
  release(): void;
};

export type PoolStats = { environments: number; busy: number; invocations: number; errors: number; peak: number };

/** Other code for a function, tried and ready. */
export type Replacement = {
  /** From now on it is what is invoked; what is running in the old may end there. */
  commit(): void;
  /** The old code stays. */
  discard(): void;
};

export type Pool = {
  readonly function: FunctionDescription;
  /** Starts one environment if there is none. Rejects with a `FunctionError` when the bundle cannot be loaded. */
  warm(): Promise<void>;
  /** Waits for an environment, first come, first served. */
  lease(): Promise<Lease>;
  invoke(event: string): Promise<string>;
  /** Starts an environment of other code. Rejects with a `FunctionError` when it cannot be loaded; nothing has changed then. */
  replacement(next: FunctionDescription, variables: Record<string, string>): Promise<Replacement>;
  stats(): PoolStats;
  /** Waits up to `graceMs` for what is running. */
  stop(options?: { graceMs?: number }): Promise<void>;
};

export type PoolOptions = {
  function: FunctionDescription;
  variables: Record<string, string>;
  log: FunctionLog;
  maxEnvironments: number;
  idleMs?: number;
  /** Port of an inspector: then there is one environment at a time. */
  inspect?: number | undefined;
};

const IDLE_MS = 60_000;
/** More at once would only slow each other down. */
const STARTS_AT_ONCE = 2;

const STOPPING = fault('Runtime.Unavailable', 'the embedded cloud is stopping');

type Waiter = { resolve: (lease: Lease) => void; reject: (error: unknown) => void };

export function createPool({ log, idleMs = IDLE_MS, inspect, ...options }: PoolOptions): Pool {
  const maxEnvironments = inspect === undefined ? options.maxEnvironments : 1;
  let code = { function: options.function, variables: options.variables };
  /** Of earlier code: they end what they are at, and are not used again. */
  const outdated = new Set<Environment>();
  const all = new Set<Environment>();
  const idle: Array<{ environment: Environment; reap: NodeJS.Timeout }> = [];
  const waiters: Waiter[] = [];
  const starts = new Set<Promise<void>>();
  const count = { invocations: 0, errors: 0, peak: 0 };
  const drained: Array<() => void> = [];
  let stopped = false;

  const busy = () => all.size - idle.length;

  function leaseOf(environment: Environment): Lease {
    let used = false;
    const free = () => {
      if (!used) offer(environment);
      used = true;
    };
    count.peak = Math.max(count.peak, busy());
    return {
      release: free,
      async invoke(event) {
        const requestId = randomUUID();
        count.invocations += 1;
        try {
          return await environment.invoke(event, requestId);
        } catch (error) {
          count.errors += 1;
          log.fault(error as FunctionError, requestId);
          throw error;
        } finally {
          free();
        }
      },
    };
  }

  /** An environment has become free, or has ended. */
  function offer(environment: Environment): void {
    if (!environment.alive || stopped || outdated.has(environment)) {
      all.delete(environment);
      if (environment.alive) void environment.stop();
    } else {
      const waiter = waiters.shift();
      if (waiter) {
        waiter.resolve(leaseOf(environment));
        return;
      }
      idle.push({ environment, reap: setTimeout(reap, idleMs, environment).unref() });
    }
    if (busy() === 0) for (const done of drained.splice(0)) done();
    grow();
  }

  function forget(environment: Environment): void {
    const index = idle.findIndex((entry) => entry.environment === environment);
    if (index >= 0) clearTimeout(idle.splice(index, 1)[0]?.reap);
    all.delete(environment);
  }

  function reap(environment: Environment): void {
    if (all.size === 1) return;
    forget(environment);
    void environment.stop();
  }

  function grow(): void {
    while (!stopped && starts.size < Math.min(waiters.length, STARTS_AT_ONCE) && all.size + starts.size < maxEnvironments) void start();
  }

  const newId = () => `${new Date().toISOString().slice(0, 10).replaceAll('-', '/')}/[$LATEST]${randomUUID().replaceAll('-', '')}`;

  function add(environment: Environment, id: string): void {
    all.add(environment);
    void environment.ended.then(() => {
      const wasIdle = idle.some((entry) => entry.environment === environment);
      forget(environment);
      outdated.delete(environment);
      if (wasIdle && !stopped) log.write(`${id} ended while idle\n`);
      grow();
    });
    offer(environment);
  }

  function start(): Promise<void> {
    const id = newId();
    const of = code;
    const starting = startEnvironment({ id, ...of, log: log.write, inspect }).then(
      (environment) => {
        starts.delete(starting);
        if (of !== code) outdated.add(environment);
        add(environment, id);
      },
      (error: unknown) => {
        starts.delete(starting);
        log.fault(error as FunctionError, 'init');
        waiters.shift()?.reject(error);
        grow();
        throw error;
      },
    );
    starts.add(starting);
    starting.catch(() => undefined);
    return starting;
  }

  async function lease(): Promise<Lease> {
    if (stopped) throw new FunctionError(STOPPING);
    // The one used last: its caches are warm, and the others may come to be reaped.
    const warm = idle.pop();
    if (warm) {
      clearTimeout(warm.reap);
      return leaseOf(warm.environment);
    }
    const waiting = new Promise<Lease>((resolve, reject) => waiters.push({ resolve, reject }));
    grow();
    return waiting;
  }

  async function replacement(next: FunctionDescription, variables: Record<string, string>): Promise<Replacement> {
    const id = newId();
    // Without the inspector, whose port the old one holds; its next start is then with the new code.
    const environment = await startEnvironment({ id, function: next, variables, log: log.write });
    return {
      commit() {
        code = { function: next, variables };
        for (const old of all) outdated.add(old);
        for (const { environment: old } of [...idle]) {
          forget(old);
          void old.stop();
        }
        if (inspect === undefined) add(environment, id);
        else void environment.stop().then(grow);
      },
      discard: () => void environment.stop(),
    };
  }

  return {
    get function() {
      return code.function;
    },
    replacement,
    warm: () => (all.size > 0 ? Promise.resolve() : ([...starts][0] ?? start())),
    lease,
    invoke: async (event) => (await lease()).invoke(event),
    stats: () => ({ environments: all.size, busy: busy(), ...count }),
    async stop({ graceMs = 0 } = {}) {
      stopped = true;
      for (const waiter of waiters.splice(0)) {
        waiter.reject(new FunctionError(STOPPING));
      }
      await Promise.allSettled(starts);
      if (graceMs > 0 && busy() > 0) {
        await Promise.race([new Promise<void>((resolve) => drained.push(resolve)), new Promise((resolve) => setTimeout(resolve, graceMs))]);
      }
      const rest = [...all];
      for (const environment of rest) forget(environment);
      await Promise.all(rest.map((environment) => environment.stop()));
    },
  };
}
