/**
 * A world for the engine: in-memory ports, virtual time, an API with state, and workers that can die at any port call.
 * A dead worker is one whose promises never resolve again, which is what a killed process looks like from outside.
 */
import { currentRun, outsideRun } from '../../../src/engine/context.ts';
import type { Effect, Operation, Verdict } from '../../../src/engine/operation.ts';
import type { EngineEvent, RunRecord } from '../../../src/engine/ports.ts';
import { prepareStart, runId } from '../../../src/engine/start.ts';
import { createWorker, type Received, type WorkerPorts } from '../../../src/engine/worker.ts';
import { registry, type Workflow } from '../../../src/engine/workflow.ts';
import { memoryPayloadStore, memoryRunStore, memoryWakeQueue, seededEntropy, virtualClock } from '../../../src/testing/index.ts';

export type World = ReturnType<typeof createWorld>;

export type WorldOptions = {
  seed: number;
  workflows: readonly Workflow[];
  /** Chance that a port call or API call kills the worker that makes it. */
  crash?: number;
  /** Chance that a store write is applied and its answer lost. */
  lostAnswers?: number;
  /** Chance that a message is received twice at once. */
  duplicates?: number;
  maxDeliveries?: number;
  /** Milliseconds an invocation lasts. */
  invocation?: number;
};

const NEVER = new Promise<never>(() => {});
export const VISIBILITY_MS = 210_000;

export function createWorld(options: WorldOptions) {
  const chance = seededEntropy(options.seed);
  const clock = virtualClock();
  const store = memoryRunStore();
  const payloads = memoryPayloadStore();
  const wake = memoryWakeQueue({ clock });
  const events: EngineEvent[] = [];
  let crashesLeft = 0;
  let quiet = false;

  /** What the API knows: effects by what identifies them, values by key. */
  const api = {
    effects: new Map<string, number>(),
    byKey: new Map<string, string>(),
    sent: new Map<string, number>(),
    calls: 0,
    serial: 0,
  };

  type Life = { dead: boolean; observed: string[] };
  let current: Life = { dead: false, observed: [] };

  const roll = (probability: number | undefined) => !quiet && probability !== undefined && chance.random() < probability;

  /** Every port call is a place to die, before and after it. */
  async function mortal<T>(life: Life, call: () => Promise<T>, write = false): Promise<T> {
    if (life.dead || dies(life)) return NEVER;
    const result = await call();
    if (life.dead || dies(life)) return NEVER;
    if (write && roll(options.lostAnswers)) throw new Error('answer lost');
    return result;
  }

  function dies(life: Life): boolean {
    if (crashesLeft <= 0 || !roll(options.crash)) return false;
    crashesLeft -= 1;
    life.dead = true;
    return true;
  }

  function portsFor(life: Life): WorkerPorts {
    const wrap = <P extends object>(port: P, writes: readonly string[]): P =>
      new Proxy(port, {
        get(target, name, receiver) {
          const member = Reflect.get(target, name, receiver) as unknown;
          if (typeof member !== 'function') return member;
          return (...args: unknown[]) => mortal(life, () => member.apply(target, args) as Promise<unknown>, writes.includes(String(name)));
        },
      });
    return {
      store: wrap(store, ['create', 'replace', 'append']),
      payloads: wrap(payloads, []),
      wake: wrap(wake, []),
      clock: {
        now: () => clock.now(),
        timer: (ms, fn) =>
          clock.timer(ms, () => {
            if (!life.dead) fn();
          }),
      },
      entropy: { id: () => chance.id(), random: () => chance.random() },
      observe: (event) => {
        if (!life.dead) events.push(event);
      },
      registry: registry(options.workflows),
      services: { world: { life } },
      ...(options.maxDeliveries === undefined ? {} : { maxDeliveries: options.maxDeliveries }),
    };
  }

  /** One call of user code to the API. Every answer is new, so that a call made again cannot pass for the first. */
  function call(label: string, effect: Effect = 'safe', extra: { fail?: boolean; parkMs?: number; times?: number } = {}): Promise<string> {
    const here = currentRun();
    if (!here) throw new Error('no run');
    const life = current;
    const operation: Operation = {
      kind: 'call',
      identity: `${effect} ${label}`,
      label: `${effect} ${label}`,
      effect,
      timeout: 5_000,
      async attempt(env): Promise<Verdict> {
        const mine = (env.services.world as { life: Life }).life;
        await delay(mine, 1 + Math.floor(chance.random() * 50));
        if (mine.dead || dies(mine)) return NEVER;
        api.calls += 1;
        if (extra.parkMs !== undefined && env.attempt <= (extra.times ?? 1)) {
          return {
            type: 'again',
            at: clock.now() + extra.parkMs,
            counts: 'attempt',
            error: { code: 'E_CALL_FAILED', message: '503' },
            record: { n: env.attempt },
          };
        }
        const value = effect === 'safe' ? `${label}=${api.serial++}` : applyEffect(env.keyMaterial, label);
        if (effect === 'unsafe') {
          const sent = (api.sent.get(env.op) ?? 0) + 1;
          api.sent.set(env.op, sent);
        }
        await delay(mine, 1 + Math.floor(chance.random() * 50));
        if (mine.dead || dies(mine)) return NEVER;
        if (extra.fail) return { type: 'fail', error: { code: 'E_CALL_FAILED', message: value } };
        return { type: 'done', value: JSON.stringify(value), record: { n: env.attempt } };
      },
      // The truth is asked of the API, as a reconciler does.
      async unknown(env): Promise<Verdict> {
        const value = api.byKey.get(env.keyMaterial);
        if (value === undefined) return { type: 'resend' };
        return extra.fail
          ? { type: 'fail', error: { code: 'E_CALL_FAILED', message: value } }
          : { type: 'done', value: JSON.stringify(value) };
      },
    };
    return here.run.issue(operation).then(
      (text) => {
        life.observed.push(`${operation.label} → ${text}`);
        return JSON.parse(text as string) as string;
      },
      (error: Error) => {
        life.observed.push(`${operation.label} ✗ ${error.message}`);
        throw error;
      },
    );
  }

  function applyEffect(key: string, label: string): string {
    const known = api.byKey.get(key);
    if (known !== undefined) return known;
    const value = `${label}=${api.serial++}`;
    api.byKey.set(key, value);
    api.effects.set(label, (api.effects.get(label) ?? 0) + 1);
    return value;
  }

  function delay(life: Life, ms: number): Promise<void> {
    return new Promise((done) =>
      clock.timer(ms, () => {
        if (!life.dead) done();
      }),
    );
  }

  /** Turns until nothing moves without time, then the next timer; until `done()` or nothing is left. */
  async function settle(done: () => boolean, maxSteps = 200_000): Promise<void> {
    for (let step = 0; step < maxSteps; step++) {
      for (let i = 0; i < 50; i++) await new Promise((next) => setImmediate(next));
      if (done()) return;
      if (!clock.runNext()) {
        await new Promise((next) => setTimeout(next, 1));
        if (done()) return;
        if (clock.nextTimer() === undefined) return;
      }
    }
    throw new Error(`the world did not settle: seed ${options.seed}`);
  }

  type Queued = Received & { visibleAt: number; deleted: boolean };
  const queue: Queued[] = [];

  /** Delivers until the run is over and the queues are empty. Returns its record. */
  async function runToEnd(
    workflow: string,
    input: unknown,
    key: string,
    limits: { crashes?: number; rounds?: number } = {},
  ): Promise<RunRecord> {
    crashesLeft = limits.crashes ?? 0;
    queue.push({
      id: key,
      queue: 'start',
      body: JSON.stringify({ workflow, input, idempotencyKey: key }),
      receiveCount: 0,
      visibleAt: 0,
      deleted: false,
    });
    const id = runId('default', workflow, key);
    for (let round = 0; round < (limits.rounds ?? 400); round++) {
      for (const message of wake.take())
        queue.push({
          id: chance.id(),
          queue: 'wake',
          body: JSON.stringify({ run: message.run }),
          receiveCount: 0,
          visibleAt: clock.now(),
          deleted: false,
        });
      const visible = queue.filter((message) => !message.deleted && message.visibleAt <= clock.now());
      if (visible.length > 0) {
        const batches = roll(options.duplicates) ? [visible, visible] : [visible];
        // The copy looks fresh: another message for the same run, received at the same moment.
        await Promise.all(batches.map((batch, copy) => invoke(batch, copy > 0)));
        continue;
      }
      const record = store.peek(id);
      if (record && !('stub' in record) && record.endedAt !== undefined) return record;
      const times = queue.filter((message) => !message.deleted).map((message) => message.visibleAt);
      const nextWake = wake.nextAt();
      if (nextWake !== undefined) times.push(nextWake);
      if (record && !('stub' in record) && record.due !== undefined) times.push(record.due);
      if (record && !('stub' in record) && record.status === 'paused') return record;
      if (times.length === 0) throw new Error(`nothing moves the run: seed ${options.seed} ${describe(record)}`);
      const time = Math.min(...times);
      if (time > clock.now()) clock.advance(time - clock.now());
      // The sweeper.
      if (record && !('stub' in record) && record.due !== undefined && record.due <= clock.now()) {
        await wake.wake([{ run: id, tenant: 'default' }]);
        await store.pushDue(id, record.due, clock.now() + 60_000);
      }
    }
    throw new Error(`the run never ended: seed ${options.seed} ${describe(store.peek(id))}`);
  }

  async function invoke(messages: readonly Queued[], duplicate: boolean): Promise<void> {
    const life: Life = { dead: false, observed: [] };
    lives.push(life);
    current = life;
    const originals = new Map<Received, Queued>();
    for (const message of messages) {
      if (!duplicate) message.receiveCount += 1;
      message.visibleAt = clock.now() + VISIBILITY_MS;
      originals.set({ ...message }, message);
    }
    const worker = createWorker(portsFor(life));
    let over = false;
    const deadline = clock.now() + (options.invocation ?? 180_000);
    void outsideRun(() =>
      worker.handle([...originals.keys()], {
        deadline,
        owner: chance.id(),
        done: (message) => {
          const original = originals.get(message);
          if (!life.dead && original) original.deleted = true;
        },
      }),
    ).then(() => {
      over = true;
    });
    await settle(() => over || life.dead);
  }

  const lives: Life[] = [];

  return {
    clock,
    store,
    payloads,
    wake,
    events,
    api,
    call,
    delay: (ms: number) => delay(current, ms),
    runToEnd,
    lives,
    chance,
    queue,
    portsFor: () => portsFor({ dead: false, observed: [] }),
    /** No more faults. */
    calm: () => {
      quiet = true;
    },
    start: (workflow: string, input: unknown, key: string) =>
      prepareStart(registry(options.workflows), { workflow, input: input as never, idempotencyKey: key }, key),
  };
}

/** A record for people: without its bytes. */
function describe(record: unknown): string {
  return JSON.stringify(record, (key, value) => (key === 'journal' ? '…' : (value as unknown)));
}
