/**
 * One run in a world of its own: a worker with in-memory stores, the hostile server, and one clock for both, which moves only
 * when nothing else does. The worker can die at any port call and at any moment of the server; a dead one never moves again.
 */
import { outsideRun } from '../../src/engine/context.ts';
import type { Entry } from '../../src/engine/journal.ts';
import { type Settlement, settleCall } from '../../src/engine/operate.ts';
import type { EngineEvent, RunRecord } from '../../src/engine/ports.ts';
import { readJournal } from '../../src/engine/read-journal.ts';
import { runId } from '../../src/engine/start.ts';
import { sweep } from '../../src/engine/sweep.ts';
import { createWorker, type Received, type WorkerPorts } from '../../src/engine/worker.ts';
import { registry } from '../../src/engine/workflow.ts';
import { type HttpRuntime, httpRuntime } from '../../src/http/runtime.ts';
import {
  memoryPayloadStore,
  memoryRunStore,
  memorySecrets,
  memoryWakeQueue,
  seededEntropy,
  virtualClock,
} from '../../src/testing/index.ts';
import { diceOf } from '../support/hostile/fate.ts';
import { type CallAccount, hostile } from '../support/hostile/server.ts';
import { type CallPlan, fateIn, PERSON_TRIES, type RunPlan } from './plan.ts';
import { NAME, program, TOKEN, type Told, trusted } from './program.ts';

export type Witness = {
  plan: RunPlan;
  record: RunRecord | undefined;
  journal: readonly Entry[];
  /** What user code was told of each call, in the plan's order; absent when the run did not succeed. */
  told?: readonly Told[];
  accounts: ReadonlyMap<string, CallAccount>;
  /** Lives that were ended from outside. */
  killed: ReadonlySet<number>;
  /** Unknown calls that a person settled, by the server's truth. */
  settled: readonly string[];
  /** By how much the slowest sending was over its total, ms of its clock. */
  overtime: number;
  /** Why it was given up. */
  stuck?: string;
};

const NEVER = new Promise<never>(() => {});
const VISIBILITY_MS = 210_000;
const INVOCATION_MS = 180_000;
const MINUTE = 60_000;
/** Turns of the event loop without anything having moved: what was written to a loopback socket has been read by then. */
const QUIET_TURNS = 12;
const PATIENCE_MS = 20_000;
const ROUNDS = 500;

export async function witness(plan: RunPlan): Promise<Witness> {
  const dice = diceOf(plan.seed, plan.key, 'world');
  const clock = virtualClock();
  const store = memoryRunStore();
  const payloads = memoryPayloadStore();
  const wake = memoryWakeQueue({ clock });
  const secrets = memorySecrets({ [TOKEN]: 'token-0' });
  const entropy = seededEntropy(dice.whole(1, 2 ** 31));
  const calls = new Map(plan.calls.map((call) => [call.id, call]));
  const call = (id: string): CallPlan => calls.get(id) as CallPlan;
  const killed = new Set<number>();
  const settled: string[] = [];
  let overtime = 0;
  let tokens = 0;
  let moved = 0;
  let deaths = plan.deaths;

  type Life = { id: number; dead: boolean; flying: number; http: HttpRuntime; worker: ReturnType<typeof createWorker> };
  let life: Life | undefined;
  let lives = 0;

  const server = await hostile({
    clock,
    fate: (id, n) => fateIn(plan, call(id), n),
    safety: (id) => call(id).safety,
    skew: plan.skew,
    life: () => lives,
    rotate: () => secrets.set(TOKEN, `token-${++tokens}`),
    moment: () => maybeDie(),
  });
  const ports = new Map([['', server.port]]);
  for (const { id, nature } of plan.calls) {
    if (nature.lane !== 'shared') ports.set(id, await server.openDoor(id, nature.lane === 'secure'));
  }
  const definition = program(plan, ports);
  const id = runId('default', NAME, plan.key);

  function maybeDie(): boolean {
    if (life === undefined || life.dead || deaths <= 0 || dice.random() >= plan.mortality) return false;
    deaths -= 1;
    life.dead = true;
    killed.add(life.id);
    // The kernel closes the sockets of a killed process.
    void life.http.transport.close();
    moved += 1;
    return true;
  }

  function live(): Life {
    if (life && !life.dead) return life;
    lives += 1;
    const mine = { id: lives, dead: false, flying: 0 } as Life;
    const mortalClock = {
      now: clock.now,
      timer: (ms: number, fn: () => void) =>
        clock.timer(ms, () => {
          moved += 1;
          if (!mine.dead) fn();
        }),
    };
    const real = httpRuntime({
      clock: mortalClock,
      secrets,
      entropy,
      deploymentKey: async () => 'chaos',
      allowLoopback: true,
      resolve: server.resolve,
      ca: trusted(),
    });
    mine.http = { ...real, transport: { ...real.transport, send: counted } };

    async function counted(request: Parameters<typeof real.transport.send>[0]) {
      const began = clock.now();
      mine.flying += 1;
      moved += 1;
      const event = await real.transport.send(request);
      mine.flying -= 1;
      moved += 1;
      if (mine.dead) return NEVER;
      overtime = Math.max(overtime, clock.now() - began - request.limits.total);
      return event;
    }
    const mortal = <P extends object>(port: P): P =>
      new Proxy(port, {
        get(target, name, receiver) {
          const member = Reflect.get(target, name, receiver) as unknown;
          if (typeof member !== 'function') return member;
          return async (...args: unknown[]) => {
            moved += 1;
            if (mine.dead || maybeDie()) return NEVER;
            const answer = await (member.apply(target, args) as Promise<unknown>);
            return mine.dead || maybeDie() ? NEVER : answer;
          };
        },
      });
    const given: WorkerPorts = {
      store: mortal(store),
      payloads: mortal(payloads),
      wake: mortal(wake),
      clock: mortalClock,
      entropy,
      observe: (event: EngineEvent) => {
        if (event.type === 'engine.error' && !mine.dead) events.push(event);
      },
      registry: registry([definition]),
      services: { http: mine.http },
    };
    mine.worker = createWorker(given);
    life = mine;
    return mine;
  }
  const events: EngineEvent[] = [];

  const peek = (): RunRecord | undefined => {
    const found = store.peek(id);
    return found && !('stub' in found) ? found : undefined;
  };

  /** Until `over`: real work first, and time only when there is none. */
  async function settle(over: () => boolean): Promise<void> {
    const deadline = () => performance.now() + PATIENCE_MS;
    let giveUp = deadline();
    while (!over()) {
      const before = moved + server.moved();
      for (let n = 0; n < QUIET_TURNS && !over(); n++) await new Promise((next) => setImmediate(next));
      if (over()) return;
      if (moved + server.moved() !== before) {
        giveUp = deadline();
        continue;
      }
      const here = life;
      if (here && !here.dead && here.flying > server.quiet(here.id)) {
        if (performance.now() > giveUp)
          throw new Error(`${here.flying} in flight, ${server.quiet(here.id)} of them silent, and nothing moves`);
        await new Promise((next) => setTimeout(next, 1));
        continue;
      }
      if (!clock.runNext()) throw new Error('nothing moves, and nothing waits for a time');
    }
  }

  type Queued = Received & { visibleAt: number };
  let queue: Queued[] = [
    {
      id: 'm0',
      queue: 'start',
      body: JSON.stringify({ workflow: NAME, input: {}, idempotencyKey: plan.key }),
      receiveCount: 0,
      visibleAt: 0,
    },
  ];

  /** What a dead life had sent is still its own: nobody lives until the server has seen the last of it. */
  async function buried(): Promise<void> {
    for (let quiet = 0, seen = -1; quiet < QUIET_TURNS; quiet += 1) {
      // Also of sockets that were about to be opened, which nobody could close.
      if (quiet === QUIET_TURNS - 1) server.dropAll();
      if (server.moved() !== seen) quiet = 0;
      seen = server.moved();
      await new Promise((next) => setImmediate(next));
    }
  }

  async function invoke(messages: readonly Queued[]): Promise<void> {
    if ((life as Life | undefined)?.dead) await buried();
    const mine = live();
    let over = false;
    for (const message of messages) {
      message.receiveCount += 1;
      message.visibleAt = clock.now() + VISIBILITY_MS;
    }
    void outsideRun(() =>
      mine.worker.handle(messages, {
        deadline: clock.now() + INVOCATION_MS,
        owner: `life-${mine.id}`,
        done: (message) => {
          if (!mine.dead) queue = queue.filter((one) => one !== message);
        },
      }),
    ).then(() => {
      over = true;
      moved += 1;
    });
    await settle(() => over || mine.dead);
  }

  /** What a person does who knows how things are. */
  async function settleUnknowns(record: RunRecord): Promise<boolean> {
    const journal = await readJournal(record, store);
    const over = new Set(journal.flatMap((entry) => ('op' in entry && (entry.k === 'done' || entry.k === 'fail') ? [entry.op] : [])));
    const open = new Map<string, number>();
    for (const [seq, entry] of journal.entries()) {
      if (!('op' in entry) || over.has(entry.op)) continue;
      if (entry.k === 'unknown') open.set(entry.op, seq);
      if (entry.k === 'unsent') open.delete(entry.op);
    }
    for (const seq of open.values()) {
      const { label } = journal[seq] as Extract<Entry, { k: 'unknown' }>;
      const call = label.split(' ').at(-1) as string;
      const happened = (server.accounts.get(call)?.effects ?? 0) > 0;
      settled.push(call);
      const times = settled.filter((one) => one === call).length;
      const verdict: Settlement = happened
        ? { outcome: 'happened', value: { status: 200, data: { call } } }
        : { outcome: times > PERSON_TRIES ? 'failed' : 'not-happened' };
      await settleCall({ store, payloads, wake, clock, entropy }, record, seq, verdict, { by: 'chaos' });
    }
    return open.size > 0;
  }

  async function toTheEnd(): Promise<void> {
    for (let round = 0; round < ROUNDS; round++) {
      for (const { run } of wake.take()) {
        queue.push({ id: `w${round}`, queue: 'wake', body: JSON.stringify({ run }), receiveCount: 0, visibleAt: clock.now() });
      }
      const visible = queue.filter(({ visibleAt }) => visibleAt <= clock.now());
      if (visible.length > 0) {
        await invoke(visible);
        continue;
      }
      const record = peek();
      if (record?.endedAt !== undefined) return;
      if (record?.status === 'paused') {
        if (record.reason?.code !== 'E_UNKNOWN_OUTCOME') throw new Error(`paused: ${record.reason?.code}: ${record.reason?.message}`);
        if (await settleUnknowns(record)) continue;
      }
      const times = queue.map(({ visibleAt }) => visibleAt);
      const nextWake = wake.nextAt();
      if (nextWake !== undefined) times.push(nextWake);
      // The sweeper looks every minute, a quarter of an hour ahead; what has been missed comes up when it is due.
      else if (record !== undefined) {
        const ahead = (record.wakeAt ?? 0) - 10 * MINUTE;
        times.push(ahead > clock.now() ? ahead : (record.due ?? clock.now()));
      }
      if (times.length === 0) throw new Error('nothing moves the run');
      const time = Math.min(...times);
      if (time > clock.now()) clock.advance(time - clock.now());
      await sweep({ store, wakes: wake, clock });
    }
    throw new Error(`${ROUNDS} rounds, and it has not ended`);
  }

  let stuck: string | undefined;
  try {
    await toTheEnd();
  } catch (error) {
    stuck = (error as Error).message;
  }
  await (life as Life | undefined)?.http.transport.close();
  await server.close();
  const record = peek();
  const outcome = record?.outcome;
  const journal = record === undefined ? [] : await readJournal(record, store);
  if (stuck === undefined && record?.status !== 'succeeded') {
    stuck = `${record?.status}: ${outcome && 'error' in outcome ? `${outcome.error.code}: ${outcome.error.message}` : ''}`;
  }
  return {
    plan,
    record,
    journal,
    ...(outcome && 'value' in outcome && 'text' in outcome.value ? { told: JSON.parse(outcome.value.text) as Told[] } : {}),
    accounts: server.accounts,
    killed,
    settled,
    overtime,
    ...(stuck === undefined ? {} : { stuck: `${stuck}${events.length > 0 ? ` ${JSON.stringify(events.slice(0, 2))}` : ''}` }),
  };
}
