/**
 * A rig for single scenarios: in-memory ports with hooks, virtual time, scripted operations, one invocation at a time or several.
 * Where world.ts rolls dice, this does exactly what a test says.
 */

import { currentRun, outsideRun } from '../../../src/engine/context.ts';
import { decodeEntries, type Entry } from '../../../src/engine/journal.ts';
import { DUE_MARGIN_MS } from '../../../src/engine/lineage.ts';
import type { Effect, Operation } from '../../../src/engine/operation.ts';
import type { EngineEvent, RunRecord } from '../../../src/engine/ports.ts';
import { runId } from '../../../src/engine/start.ts';
import type { Strays } from '../../../src/engine/strays.ts';
import { sweep } from '../../../src/engine/sweep.ts';
import { createWorker, type Received, type WorkerPorts } from '../../../src/engine/worker.ts';
import { registry, type Workflow } from '../../../src/engine/workflow.ts';
import {
  type Faults,
  memoryPayloadStore,
  memoryRunStore,
  memoryWakeQueue,
  seededEntropy,
  virtualClock,
} from '../../../src/testing/index.ts';
import { type CallOptions, done, MINUTE, NEVER, type Sent } from './answers.ts';

export type Rig = ReturnType<typeof createRig>;

export type RigOptions = {
  workflows: readonly Workflow[];
  strays?: Strays;
  maxInFlight?: number;
  maxDeliveries?: number;
  /** Calls between which real asynchronous work may happen: waits this many real milliseconds before virtual time moves. */
  realMs?: number;
};

export { again, comingReply, done, failed, gate, HOUR, MINUTE, NEVER } from './answers.ts';

export function createRig(options: RigOptions) {
  const faults: Faults = {};
  const hooks: Faults = {
    before: (op, id) => faults.before?.(op, id),
    after: (op, id) => faults.after?.(op, id),
  };
  const clock = virtualClock();
  const store = memoryRunStore(hooks);
  const payloads = memoryPayloadStore(hooks);
  const wake = memoryWakeQueue({ ...hooks, clock });
  const entropy = seededEntropy(7);
  const events: EngineEvent[] = [];
  const sent: Sent[] = [];
  let serial = 0;
  /** Called when an attempt is really being sent. */
  const watch: { send?: (sent: Sent, operation: Operation) => void } = {};

  /** By how much the workers' clocks go wrong. */
  const skew = { ms: 0 };
  /** The process that workers made now live in. A dead one's promises never resolve and its timers never fire. */
  let life = { dead: false };

  function ports(): WorkerPorts {
    const mine = life;
    const mortal = <P extends object>(port: P): P =>
      new Proxy(port, {
        get(target, name, receiver) {
          const member = Reflect.get(target, name, receiver) as unknown;
          if (typeof member !== 'function') return member;
          return async (...args: unknown[]) => {
            if (mine.dead) return NEVER;
            const answer = await (member.apply(target, args) as Promise<unknown>);
            return mine.dead ? NEVER : answer;
          };
        },
      });
    return {
      store: mortal(store),
      payloads: mortal(payloads),
      wake: mortal(wake),
      clock: {
        now: () => clock.now() + skew.ms,
        timer: (ms, fn) => clock.timer(ms, () => void (mine.dead || fn())),
      },
      entropy,
      observe: (event) => void (mine.dead || events.push(event)),
      registry: registry(options.workflows),
      services: {},
      ...(options.strays ? { strays: options.strays } : {}),
      ...(options.maxInFlight === undefined ? {} : { maxInFlight: options.maxInFlight }),
      ...(options.maxDeliveries === undefined ? {} : { maxDeliveries: options.maxDeliveries }),
    };
  }

  /** An operation of user code, sent to nobody: every sending is written down, and every answer is a new one. */
  function call(label: string, effect: Effect = 'safe', extra: CallOptions = {}): Promise<unknown> {
    const here = currentRun();
    if (!here) throw new Error('no run');
    const { ms = 10, answer, ...rest } = extra;
    const operation: Operation = {
      kind: 'call',
      identity: `${effect} ${label}`,
      label: `${effect} ${label}`,
      effect,
      timeout: 5_000,
      async attempt(env) {
        const one: Sent = {
          label,
          op: env.op,
          attempt: env.attempt,
          at: clock.now(),
          key: env.keyMaterial,
          ...(env.firstSentAt === undefined ? {} : { firstSentAt: env.firstSentAt }),
        };
        watch.send?.(one, operation);
        sent.push(one);
        const nth = sends(label);
        if (ms > 0) await new Promise<void>((next) => clock.timer(ms, next));
        return answer ? answer(env, nth) : done(`${label}=${nth}`);
      },
      ...rest,
    };
    return here.run.issue(operation).then((text) => (text === undefined ? undefined : (JSON.parse(text) as unknown)));
  }

  const sends = (label: string): number => sent.filter((one) => one.label === label).length;

  function message(workflow: string, input: unknown = null, key = 'k', receiveCount = 1): Received {
    const id = `m-${serial++}`;
    return { id, queue: 'start', body: JSON.stringify({ workflow, input, idempotencyKey: key }), receiveCount };
  }

  function wakeMessage(id: string, receiveCount = 1): Received {
    return { id: `w-${serial++}`, queue: 'wake', body: JSON.stringify({ run: id }), receiveCount };
  }

  /** Turns and timers, one after the other, until `over()`. Virtual time moves only when nothing else does. */
  async function settle(over: () => boolean, until?: number): Promise<void> {
    settling += 1;
    try {
      await settled(over, until);
    } finally {
      settling -= 1;
    }
  }

  /** Loops like this one, each of which waits for a turn of its own. */
  let settling = 0;

  async function settled(over: () => boolean, until = Number.POSITIVE_INFINITY): Promise<void> {
    for (let step = 0; step < 100_000; step++) {
      // A replay takes a turn for each entry: quiet is where nobody waits for the next one any more.
      for (let quiet = 0; quiet < 5; quiet = busy() ? 0 : quiet + 1) {
        if (over()) return;
        await new Promise((next) => setImmediate(next));
      }
      if (options.realMs) await new Promise((next) => setTimeout(next, options.realMs));
      if (over()) return;
      // Real work may have come to its end meanwhile, and the pump be at it.
      if (process.getActiveResourcesInfo().filter((kind) => kind === 'Immediate').length >= settling) continue;
      const next = clock.nextTimer();
      if (next === undefined || next > until) return;
      clock.runNext();
    }
    throw new Error('the rig did not settle');
  }

  const busy = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Immediate').length >= settling;

  type Invocation = { kept: Received[] | undefined; done: Received[]; doneAt: number[] };

  /** One invocation of a worker, to its end or to where nothing moves any more (`kept` is undefined then). */
  async function invoke(
    messages: readonly Received[],
    how: { ms?: number; owner?: string; worker?: ReturnType<typeof createWorker>; until?: () => boolean } = {},
  ): Promise<Invocation> {
    const invocation = begin(messages, how);
    await settle(() => invocation.kept !== undefined || (how.until?.() ?? false));
    return invocation;
  }

  /** The same, without waiting for it. */
  function begin(
    messages: readonly Received[],
    how: { ms?: number; owner?: string; worker?: ReturnType<typeof createWorker> } = {},
  ): Invocation {
    const invocation: Invocation = { kept: undefined, done: [], doneAt: [] };
    const worker = how.worker ?? createWorker(ports());
    void outsideRun(() =>
      worker.handle(messages, {
        deadline: clock.now() + skew.ms + (how.ms ?? 180_000),
        owner: how.owner ?? `owner-${serial++}`,
        done: (one) => {
          invocation.done.push(one);
          invocation.doneAt.push(clock.now());
        },
      }),
    ).then((kept) => {
      invocation.kept = kept;
    });
    return invocation;
  }

  const idOf = (workflow: string, key = 'k') => runId('default', workflow, key);

  function record(workflow: string, key = 'k'): RunRecord {
    const found = store.peek(idOf(workflow, key));
    if (!found || 'stub' in found) throw new Error(`no run ${workflow} ${key}`);
    return found;
  }

  function journal(workflow: string, key = 'k'): Entry[] {
    const run = record(workflow, key);
    return [
      ...(run.journal ? decodeEntries(run.journal) : []),
      ...store.peekSegments(run.id).flatMap((segment) => decodeEntries(segment.data)),
    ];
  }

  /** Start message, then wakes as they fall due, until the run has ended, is paused, or nothing moves it. */
  async function runToEnd(
    workflow: string,
    input: unknown = null,
    key = 'k',
    how: { ms?: number; rounds?: number } = {},
  ): Promise<RunRecord> {
    await invoke([message(workflow, input, key)], how);
    return wakeToEnd(workflow, key, how);
  }

  async function wakeToEnd(workflow: string, key = 'k', how: { ms?: number; rounds?: number } = {}): Promise<RunRecord> {
    for (let round = 0; round < (how.rounds ?? 300); round++) {
      const run = record(workflow, key);
      if (run.endedAt !== undefined || run.status === 'paused') return run;
      if (wake.nextAt() === undefined) {
        // The sweeper looks every minute, a quarter of an hour ahead; what a worker was to wake itself, once that is late.
        const { wakeAt, due = clock.now() } = run;
        const look = wakeAt !== undefined && due <= wakeAt + DUE_MARGIN_MS ? wakeAt - 10 * MINUTE : due;
        if (look > clock.now()) clock.advance(look - clock.now());
        await sweep({ store, wakes: wake, clock });
      }
      const at = wake.nextAt();
      if (at === undefined) return run;
      if (at > clock.now()) clock.advance(at - clock.now());
      await invoke(
        wake.take().map((one) => wakeMessage(one.run)),
        how,
      );
    }
    return record(workflow, key);
  }

  /** What an operator's "resume" is to the engine: something new in the inbox, and a wake. */
  async function resume(
    workflow: string,
    key = 'k',
    item: { key: string; kind: string; data: never | object } = { key: `resume-${serial++}`, kind: 'resume', data: {} },
  ) {
    await store.deliver(idOf(workflow, key), { ...item, at: clock.now(), data: item.data as never }, clock.now());
    await invoke([wakeMessage(idOf(workflow, key))]);
  }

  return {
    clock,
    store,
    payloads,
    wake,
    entropy,
    events,
    faults,
    watch,
    skew,
    sent,
    sends,
    call,
    message,
    wakeMessage,
    settle,
    invoke,
    begin,
    idOf,
    record,
    journal,
    runToEnd,
    wakeToEnd,
    resume,
    ports,
    worker: () => createWorker(ports()),
    /** Kills the process: whatever is under way there never moves again. */
    forget: () => {
      life.dead = true;
      life = { dead: false };
    },
    delay: (ms: number) => new Promise<void>((next) => clock.timer(ms, next)),
    /** What was written, in order: the engine's own account of it. */
    written: () => events.flatMap((event) => (event.type === 'run.written' ? [event.what] : [])),
    value: (workflow: string, key = 'k'): unknown => {
      const { outcome } = record(workflow, key);
      if (!outcome || !('value' in outcome) || !('text' in outcome.value)) throw new Error(JSON.stringify(outcome));
      return JSON.parse(outcome.value.text) as unknown;
    },
    error: (workflow: string, key = 'k') => {
      const { outcome } = record(workflow, key);
      if (!outcome || !('error' in outcome)) throw new Error(JSON.stringify(outcome));
      return outcome.error;
    },
  };
}
