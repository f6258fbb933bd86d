/**
 * Runs with real HTTP in a process that can be killed at any port call and any sending, and at whatever else a test names.
 * A killed process is one whose promises never resolve and whose timers never fire; its sockets are closed, as the system would.
 */
import { outsideRun } from '../../../src/engine/context.ts';
import { decodeEntries, type Entry } from '../../../src/engine/journal.ts';
import { redriveRun } from '../../../src/engine/operate.ts';
import type { Clock, EngineEvent, RunRecord } from '../../../src/engine/ports.ts';
import { runId } from '../../../src/engine/start.ts';
import { createWorker } from '../../../src/engine/worker.ts';
import { registry, type Workflow } from '../../../src/engine/workflow.ts';
import { plainClock } from '../../../src/http/plain-ports.ts';
import { type HttpRuntime, httpRuntime } from '../../../src/http/runtime.ts';
import { memoryPayloadStore, memoryRunStore, memorySecrets, memoryWakeQueue, seededEntropy } from '../../../src/testing/index.ts';

const NEVER = new Promise<never>(() => {});

export type MortalOptions = {
  workflow: Workflow;
  input?: unknown;
  secrets?: Record<string, string>;
  /** Kills the process at its point with this number, counted from 0. */
  killAt?: number;
  /** Puts the run down after so many live deliveries, so that all before is replayed again and again. */
  maxDeliveries?: number;
};

export type Mortal = ReturnType<typeof mortal>;

export function mortal(options: MortalOptions) {
  const { workflow } = options;
  /** How far time was moved on. */
  let shift = 0;
  let points = 0;
  let kills = 0;
  const clock: Clock = { now: () => Date.now() + shift, timer: plainClock.timer };
  const store = memoryRunStore();
  const payloads = memoryPayloadStore();
  const wake = memoryWakeQueue({ clock });
  const events: EngineEvent[] = [];
  const id = runId('default', workflow.name, 'k');
  const body = JSON.stringify({ workflow: workflow.name, input: options.input ?? {}, idempotencyKey: 'k' });

  type Life = { dead: boolean; ends: () => void; http: HttpRuntime };
  let current: Life | undefined;

  /** A place to die. True: this process is dead now. */
  function dies(life: Life): boolean {
    if (life.dead) return true;
    if (points++ !== options.killAt) return false;
    kill(life);
    return true;
  }

  function kill(life: Life): void {
    kills += 1;
    life.dead = true;
    life.ends();
    void life.http.transport.close();
  }

  async function through<T>(life: Life, work: () => Promise<T>): Promise<T> {
    if (dies(life)) return NEVER;
    const result = await work();
    return dies(life) ? NEVER : result;
  }

  function wrapped<P extends object>(life: Life, port: P): P {
    return new Proxy(port, {
      get(target, name, receiver) {
        const member = Reflect.get(target, name, receiver) as unknown;
        if (typeof member !== 'function') return member;
        return (...args: unknown[]) => through(life, () => member.apply(target, args) as Promise<unknown>);
      },
    });
  }

  /** One invocation in a process of its own, until it is over or dead. */
  async function deliver(receiveCount: number): Promise<void> {
    const real = httpRuntime({
      clock,
      secrets: memorySecrets(options.secrets ?? {}),
      deploymentKey: async () => 'test-key',
      allowLoopback: true,
    });
    const life: Life = { dead: false, ends: () => {}, http: real };
    current = life;
    const died = new Promise<void>((ends) => {
      life.ends = ends;
    });
    const mine: Clock = { now: clock.now, timer: (ms, fn) => clock.timer(ms, () => void (life.dead || fn())) };
    const http: HttpRuntime = {
      ...real,
      clock: mine,
      transport: { ...real.transport, send: (request) => through(life, () => real.transport.send(request)) },
    };
    const worker = createWorker({
      store: wrapped(life, store),
      payloads: wrapped(life, payloads),
      wake: wrapped(life, wake),
      clock: mine,
      entropy: seededEntropy(points + 1),
      observe: (event) => void (life.dead || events.push(event)),
      registry: registry([workflow]),
      services: { http },
      ...(options.maxDeliveries === undefined ? {} : { maxDeliveries: options.maxDeliveries }),
    });
    const message = { id: `m${points}`, queue: 'start' as const, body, receiveCount };
    const owner = `owner-${points}`;
    const handled = outsideRun(() => worker.handle([message], { deadline: clock.now() + 100_000, owner, done: () => {} }));
    await Promise.race([handled, died]);
    await real.transport.close();
  }

  function found(): RunRecord | undefined {
    const run = store.peek(id);
    return run === undefined || 'stub' in run ? undefined : run;
  }

  function record(): RunRecord {
    const run = found();
    if (!run) throw new Error('no run');
    return run;
  }

  return {
    id,
    events,
    clock,
    record,
    deliver,
    /** Places to die that were passed. */
    points: () => points,
    kills: () => kills,
    /** A place to die that the test has found; kills at once if it is the one. */
    point: () => void (current && dies(current)),
    /** Deliveries, each after the one before has fallen due, until the run has ended or waits for a person. */
    async toTheEnd(rounds = 60): Promise<RunRecord> {
      for (let round = 0; round < rounds; round++) {
        await deliver(round + 1);
        const run = found();
        if (run && (run.endedAt !== undefined || run.status === 'paused')) return run;
        // A lease of a dead process runs out; a parked run is due.
        const next = run?.lease?.until ?? run?.wakeAt ?? clock.now();
        shift += Math.max(0, next - clock.now()) + 1;
      }
      throw new Error(`the run does not end: ${JSON.stringify({ ...found(), journal: undefined })}`);
    },
    /** As an operator does; the next delivery goes on with it. */
    redrive: () => redriveRun({ store, payloads, wake, clock, entropy: seededEntropy(99) }, record(), {}, { by: 'ops', why: 'a test' }),
    journal(): Entry[] {
      const run = record();
      return [
        ...(run.journal ? decodeEntries(run.journal) : []),
        ...[...store.peekSegments(id)].sort((a, b) => a.first - b.first).flatMap(({ data }) => decodeEntries(data)),
      ];
    },
    value(): unknown {
      const { outcome, status, reason } = record();
      if (outcome && 'value' in outcome && 'text' in outcome.value) return JSON.parse(outcome.value.text);
      throw new Error(JSON.stringify({ status, outcome, reason }));
    },
  };
}

/** The same scenario again and again, killed one place later each time, until it was over before its turn came. */
export async function killedEverywhere(scenario: (killAt: number) => Promise<Mortal>): Promise<number> {
  for (let killAt = 0; killAt < 2_000; killAt++) {
    const world = await scenario(killAt);
    if (world.kills() === 0) return killAt;
  }
  throw new Error('it never ends by itself');
}
