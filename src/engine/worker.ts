/**
 * A batch of messages: finds their runs, works on all of them at once, and says of each message when it may be deleted.
 * Owns the order "persist, then wake, then delete"; knows no queue service and no user code.
 */
import { cancelError, requestedCancel } from './cancel.ts';
import { keepDeadLetter } from './dead-letters.ts';
import { dispatch, MAX_DELAY_MS, type Message } from './dispatch.ts';
import type { Ending } from './ending.ts';
import { type ErrorData, HoldfastError, toErrorData } from './errors.ts';
import { execute, PAUSED_DUE_MS } from './execution.ts';
import { decodeEntries, type Entry } from './journal.ts';
import type { Json } from './json.ts';
import { type Lineage, LostLineage, openLineage } from './lineage.ts';
import { resolve, resolveEntries } from './payloads.ts';
import type { Clock, Entropy, InboxItem, Observer, PayloadStore, RunRecord, RunStore, Stub, WakeQueue } from './ports.ts';
import { newRecord, parseInput, parseStartMessage, prepareStart } from './start.ts';
import type { Strays } from './strays.ts';
import { addressOf } from './wakes.ts';
import type { Registry } from './workflow.ts';

/** The lease outlives the invocation by this much. */
export const LEASE_AFTER_DEADLINE_MS = 5_000;

export type WorkerPorts = {
  store: RunStore;
  payloads: PayloadStore;
  wake: WakeQueue;
  clock: Clock;
  entropy: Entropy;
  observe: Observer;
  registry: Registry;
  /** What the makers of operations need, by name. */
  services: Readonly<Record<string, unknown>>;
  strays?: Strays;
  /** Attempts in flight at once in this environment, over all runs. Default 200. */
  maxInFlight?: number;
  /** Always-replay, for tests. */
  maxDeliveries?: number;
};

/** A message as it came. `id` stands for a missing idempotency key. */
export type Received = { id: string; queue: 'start' | 'wake'; body: string; receiveCount: number; tenant?: string };

export type Batch = {
  /** When the invocation ends, ms since the epoch. */
  deadline: number;
  /** Names this invocation in leases. */
  owner: string;
  /** The message is done with; called as soon as that is so. */
  done: (message: Received) => void | Promise<void>;
};

export type Worker = {
  /** Resolves with the messages that must stay in the queue. Never rejects. */
  handle(messages: readonly Received[], batch: Batch): Promise<Received[]>;
};

/** `lasts`: how many milliseconds it had at its beginning. */
type Invocation = Batch & { lasts: number };

type Job = { received: Received[]; message: Message; id: string };

export function createWorker(ports: WorkerPorts): Worker {
  const { store, clock, observe } = ports;
  const slot = semaphore(ports.maxInFlight ?? 200);

  return {
    async handle(messages, given) {
      const began = clock.now();
      const batch: Invocation = { ...given, lasts: given.deadline - clock.now() };
      const kept = new Set(messages);
      const done = async (received: readonly Received[]) => {
        for (const one of received) {
          await batch.done(one);
          kept.delete(one);
        }
      };
      /** A fault with one message is that message's: it stays, the others go on. */
      const guarded = async (run: string | undefined, work: () => Promise<void>) => {
        try {
          await work();
        } catch (error) {
          observe({ type: 'engine.error', ...(run === undefined ? {} : { run }), error: toErrorData(error, 'E_INTERNAL') });
        }
      };

      const jobs = new Map<string, Job>();
      await Promise.all(messages.map((received) => guarded(undefined, () => admit(received, jobs, done))));
      let found: Map<string, RunRecord | Stub>;
      try {
        found = await store.load([...jobs.keys()]);
      } catch (error) {
        observe({ type: 'engine.error', error: toErrorData(error, 'E_INTERNAL') });
        return [...kept];
      }
      const suspects: Job[] = [];
      await Promise.all(
        [...jobs.values()].map((job) =>
          guarded(job.id, async () => {
            const what = dispatch(job.message, count(job), found.get(job.id), clock.now(), batch.owner);
            if ('suspect' in what && what.suspect) suspects.push(job);
            else await work(job, found.get(job.id), batch, done);
          }),
        ),
      );
      // What may have brought a worker down is worked on alone, after everybody else is safe.
      for (const job of suspects) {
        await guarded(job.id, async () => {
          const fresh = (await store.load([job.id])).get(job.id);
          await work(job, fresh, batch, done);
        });
      }
      observe({ type: 'batch.handled', messages: messages.length, runs: jobs.size, kept: kept.size, ms: clock.now() - began });
      return [...kept];
    },
  };

  /** Makes a job of a message, or a dead letter. Several messages for one run are one job. */
  async function admit(received: Received, jobs: Map<string, Job>, done: (received: readonly Received[]) => Promise<void>): Promise<void> {
    let message: Message;
    try {
      message = await parse(received, ports.registry);
    } catch (error) {
      await refuse([received], toErrorData(error, 'E_MESSAGE_MALFORMED'), done);
      return;
    }
    const id = message.kind === 'start' ? message.start.id : message.run;
    const known = jobs.get(id);
    if (!known) {
      jobs.set(id, { received: [received], message, id });
    } else if (
      known.message.kind === 'start' &&
      message.kind === 'start' &&
      known.message.start.fingerprint !== message.start.fingerprint
    ) {
      await refuse(
        [received],
        { code: 'E_KEY_CONFLICT', message: `the idempotency key already belongs to run ${id} with another input`, detail: { run: id } },
        done,
      );
    } else {
      known.received.push(received);
      if (message.kind === 'start') known.message = message;
    }
  }

  async function refuse(
    received: readonly Received[],
    { stack: _ours, ...reason }: ErrorData,
    done: (received: readonly Received[]) => Promise<void>,
  ): Promise<void> {
    for (const one of received) {
      await keepDeadLetter(
        { store, payloads: ports.payloads },
        {
          id: one.id,
          body: one.body,
          reason,
          firstSeen: clock.now(),
          ...(one.tenant === undefined ? {} : { tenant: one.tenant }),
          ...workflowOf(one.body),
        },
      );
      observe({ type: 'message.refused', reason });
    }
    await done(received);
  }

  async function work(
    job: Job,
    found: RunRecord | Stub | undefined,
    batch: Invocation,
    done: (received: readonly Received[]) => Promise<void>,
  ): Promise<void> {
    for (let round = 0; ; round++) {
      const what = dispatch(job.message, round === 0 ? count(job) : 1, found, clock.now(), batch.owner);
      switch (what.do) {
        case 'delete':
          return done(job.received);
        case 'refuse': {
          const wakes = job.received.filter((received) => received.queue === 'wake');
          await refuse(
            job.received.filter((received) => received.queue === 'start'),
            what.reason,
            done,
          );
          if (wakes.length === 0) return;
          // A wake beside it is for the run that has the key.
          job.received = wakes;
          job.message = { kind: 'wake', run: job.id };
          break;
        }
        case 'resend':
          await ports.wake.wake([{ ...addressOf(found as RunRecord), delayMs: what.delayMs }]);
          return done(job.received);
        case 'crashed':
          await failCrashed(what.record, batch);
          return done(job.received);
        case 'begin':
        case 'takeOver': {
          const ending = await workOn(what, batch);
          if (ending.type === 'handback') {
            observe({ type: 'engine.error', run: job.id, error: ending.error });
            return;
          }
          if (ending.type === 'again') break;
          if (ending.type === 'lost' && !ownedOrEnded(ending.found)) {
            // Its new owner is not known to have written a due time.
            const there = (await store.load([job.id])).get(job.id);
            if (!ownedOrEnded(there)) return;
          }
          if (ending.type === 'parked' && ending.wakeAt !== undefined) {
            const delayMs = ending.wakeAt - clock.now();
            const whose = addressOf('record' in what ? what.record : what.start);
            if (delayMs < MAX_DELAY_MS) await ports.wake.wake([{ ...whose, ...(delayMs > 0 ? { delayMs } : {}) }]);
          }
          return done(job.received);
        }
      }
      found = (await store.load([job.id])).get(job.id);
    }
  }

  async function workOn(
    what: { do: 'begin' | 'takeOver'; suspect: boolean } & Parameters<typeof open>[0],
    batch: Invocation,
  ): Promise<Ending> {
    const { lineage, entries, inbox } = await open(what, batch);
    const { record } = lineage;
    /** What must be in the inbox before this invocation may end. */
    const late: Array<Promise<void>> = [];
    try {
      if (what.suspect) await lineage.claim(true);
      if (await finishJournaledEnd(lineage, entries)) return { type: 'finished' };
      const request = requestedCancel(entries, inbox, record.incarnation);
      // Nothing has begun, or nothing can go on: there is no code to tell.
      const cancel = (reason?: ErrorData) => cancelled(lineage, request ?? {}, reason);
      if (request && entries.length === 0) return await cancel();
      const workflow = ports.registry.find(record.workflow, record.version);
      if (!workflow) {
        const reason: ErrorData = {
          code: 'E_UNKNOWN_VERSION',
          message: `run ${record.id} began with workflow "${record.workflow}" version ${record.version}, which is not deployed: deploy it again (under "previous"), then resume the run`,
        };
        return await (request ? cancel(reason) : pause(lineage, reason));
      }
      let input: unknown;
      try {
        input = await parseInput(workflow, JSON.parse(await resolve(record.input, ports.payloads)) as Json);
      } catch (error) {
        const reason = toErrorData(error, 'E_INPUT_INVALID');
        return await (request ? cancel(reason) : pause(lineage, reason));
      }
      return await execute({
        workflow,
        input,
        lineage,
        entries,
        inbox,
        deadline: batch.deadline,
        lasts: batch.lasts,
        clock,
        entropy: ports.entropy,
        observe,
        services: ports.services,
        slot,
        deliverLate: (item) => void late.push(deliverLate(record, item)),
        ...(ports.strays === undefined ? {} : { strays: ports.strays }),
        ...(ports.maxDeliveries === undefined ? {} : { maxDeliveries: ports.maxDeliveries }),
      });
    } catch (error) {
      if (error instanceof LostLineage) return { type: 'lost', found: error.found };
      return { type: 'handback', error: toErrorData(error, 'E_INTERNAL') };
    } finally {
      await Promise.all(late);
    }
  }

  async function open(
    what: { do: 'begin'; start: Parameters<typeof newRecord>[0]; inbox: number } | { do: 'takeOver'; record: RunRecord },
    batch: Invocation,
  ): Promise<{ lineage: Lineage; entries: Entry[]; inbox: InboxItem[] }> {
    const exists = what.do === 'takeOver';
    const record: RunRecord = exists
      ? what.record
      : { ...newRecord(what.start, { now: clock.now(), nonce: ports.entropy.id() }), inbox: what.inbox };
    // Only a raised counter promises that something is there.
    const inbox = record.inbox > 0 ? await store.inbox(record.id) : [];
    const segments = record.spilled ? await store.segments(record.id, record.incarnation) : [];
    const stored = [
      ...(record.journal ? decodeEntries(record.journal) : []),
      ...segments.flatMap((segment) => decodeEntries(segment.data)),
    ];
    const entries = await resolveEntries(stored, ports.payloads);
    const lineage = openLineage({
      record,
      exists,
      // As they are stored: what lies in the payload store stays there when they are written again.
      entries: stored,
      ports: { store, payloads: ports.payloads, clock, entropy: ports.entropy, observe },
      owner: batch.owner,
      leaseUntil: batch.deadline + LEASE_AFTER_DEADLINE_MS,
    });
    return { lineage, entries, inbox };
  }

  async function pause(lineage: Lineage, reason: ErrorData): Promise<Ending> {
    const result = await lineage.park([], { status: 'paused', due: clock.now() + PAUSED_DUE_MS, reason, idleWakes: 0 });
    if (result === 'inbox') return { type: 'again' };
    observe({ type: 'run.paused', run: lineage.record.id, workflow: lineage.record.workflow, reason });
    return { type: 'parked' };
  }

  async function cancelled(lineage: Lineage, request: { by?: string; why?: string }, reason?: ErrorData): Promise<Ending> {
    const error = { ...cancelError(request), ...(reason ? { detail: { paused: reason.message } } : {}) };
    if ((await lineage.finish([], { status: 'cancelled', outcome: { error } })) === 'inbox') return { type: 'again' };
    const { id: run, workflow, createdAt } = lineage.record;
    observe({ type: 'run.ended', run, workflow, status: 'cancelled', error, ms: clock.now() - createdAt });
    return { type: 'finished' };
  }

  /** The end may be journaled, and the worker have died before it wrote the run's own item. */
  async function finishJournaledEnd(lineage: Lineage, entries: readonly Entry[]): Promise<boolean> {
    const end = entries.at(-1);
    if (end?.k !== 'end') return false;
    const outcome = 'error' in end.outcome ? end.outcome : { value: await resolve(end.outcome.value, ports.payloads) };
    await lineage.finish([], { status: end.status, outcome });
    return true;
  }

  async function failCrashed(record: RunRecord, batch: Invocation): Promise<void> {
    const { lineage, entries } = await open({ do: 'takeOver', record }, batch);
    if (await finishJournaledEnd(lineage, entries)) return;
    const error: ErrorData = {
      code: 'E_CRASHED',
      name: 'HoldfastError',
      message: `the worker died ${record.crashes} times in a row while working on this run: look for memory use, endless loops or process.exit in workflow "${record.workflow}"`,
      detail: { crashes: record.crashes },
    };
    // Something came into the inbox meanwhile: the run's due time brings somebody back.
    if ((await lineage.finish([], { status: 'failed', outcome: { error } })) === 'inbox') return;
    observe({ type: 'run.ended', run: record.id, workflow: record.workflow, status: 'failed', error, ms: clock.now() - record.createdAt });
  }

  async function deliverLate(record: RunRecord, item: Omit<InboxItem, 'at'>): Promise<void> {
    try {
      await store.deliver(record.id, { ...item, at: clock.now() }, clock.now());
      await ports.wake.wake([addressOf(record)]);
    } catch (error) {
      observe({ type: 'engine.error', run: record.id, error: toErrorData(error, 'E_INTERNAL') });
    }
  }
}

async function parse(received: Received, registry: Registry): Promise<Message> {
  if (received.queue === 'wake') {
    const body = JSON.parse(received.body) as { run?: unknown };
    // Also keeps a text that no key may be out of the read that the whole batch shares.
    if (typeof body.run !== 'string' || !/^run_\w{1,64}$/.test(body.run))
      throw new HoldfastError('E_MESSAGE_MALFORMED', 'a wake message must be { "run": "run_…" }', { detail: { pointer: '/run' } });
    return { kind: 'wake', run: body.run };
  }
  const request = parseStartMessage(received.body);
  if (request.tenant === undefined && received.tenant !== undefined) request.tenant = received.tenant;
  return { kind: 'start', start: await prepareStart(registry, request, received.id) };
}

function workflowOf(body: string): { workflow?: string } {
  try {
    const { workflow } = JSON.parse(body) as { workflow?: unknown };
    return typeof workflow === 'string' ? { workflow } : {};
  } catch {
    return {};
  }
}

function count(job: Job): number {
  return Math.max(...job.received.map((received) => received.receiveCount));
}

/** Whoever has the run has written a due time with it, or it has ended. */
function ownedOrEnded(found: RunRecord | Stub | undefined): boolean {
  return found !== undefined && !('stub' in found) && (found.due !== undefined || found.endedAt !== undefined);
}

/** At most `places` at once, first come, first served. */
export function semaphore(places: number): () => Promise<() => void> {
  let free = places;
  const queue: Array<() => void> = [];
  const release = () => {
    const next = queue.shift();
    if (next) next();
    else free += 1;
  };
  return async () => {
    if (free > 0) free -= 1;
    else await new Promise<void>((turn) => queue.push(turn));
    let released = false;
    return () => {
      if (!released) {
        released = true;
        release();
      }
    };
  };
}
