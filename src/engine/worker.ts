/**
 * A batch of messages: finds their runs, works on all of them at once, and says of each message when it may be deleted.
 * Owns the order "persist, then wake, then delete"; knows no queue service and no user code.
 */
import { requestedCancel } from './cancel.ts';
import { createCodeless } from './codeless.ts';
import { dispatch, MAX_DELAY_MS } from './dispatch.ts';
import type { Ending } from './ending.ts';
import { type ErrorData, HoldfastError, toErrorData } from './errors.ts';
import { execute } from './execution.ts';
import { createIntake, type Done, type Job, type Received } from './intake.ts';
import type { Entry } from './journal.ts';
import type { Json } from './json.ts';
import { type Lineage, LostLineage, openLineage } from './lineage.ts';
import type { Service } from './operation.ts';
import { resolve, resolveEntries } from './payloads.ts';
import type { Clock, Entropy, InboxItem, Observer, PayloadStore, RunRecord, Stub, WakeQueue, WorkStore } from './ports.ts';
import { readJournal } from './read-journal.ts';
import { semaphore } from './semaphore.ts';
import { newRecord, parseInput } from './start.ts';
import type { Strays } from './strays.ts';
import { ENGINE_VERSION } from './version.ts';
import { addressOf } from './wakes.ts';
import type { Registry } from './workflow.ts';

export type { Received };

/** The lease outlives the invocation by this much. */
export const LEASE_AFTER_DEADLINE_MS = 5_000;

export type WorkerPorts = {
  store: WorkStore;
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

export function createWorker(ports: WorkerPorts): Worker {
  const { store, clock, observe } = ports;
  const intake = createIntake(ports);
  const codeless = createCodeless(ports);
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
      await Promise.all(messages.map((received) => guarded(undefined, () => intake.admit(received, jobs, done))));
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

  async function work(job: Job, found: RunRecord | Stub | undefined, batch: Invocation, done: Done): Promise<void> {
    for (let round = 0; ; round++) {
      const what = dispatch(job.message, round === 0 ? count(job) : 1, found, clock.now(), batch.owner);
      switch (what.do) {
        case 'delete':
          return done(job.received);
        case 'refuse': {
          const wakes = job.received.filter((received) => received.queue === 'wake');
          await intake.refuse(
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
        case 'crashed': {
          const { lineage, stored, inbox } = await open({ do: 'takeOver', record: what.record }, batch);
          const request = requestedCancel(stored, inbox, what.record.incarnation);
          if (await codeless.finishJournaled(lineage, stored)) return done(job.received);
          if (request) await codeless.cancel(lineage, request);
          else await codeless.crash(lineage);
          return done(job.received);
        }
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
    const { lineage, stored, inbox } = await open(what, batch);
    const { record } = lineage;
    /** What must be in the inbox before this invocation may end. */
    const late: Array<Promise<void>> = [];
    try {
      if (what.suspect) await lineage.claim(true);
      if (await codeless.finishJournaled(lineage, stored)) return { type: 'finished' };
      const request = requestedCancel(stored, inbox, record.incarnation);
      const putDown = (reason: ErrorData) => (request ? codeless.cancel(lineage, request, reason) : codeless.pause(lineage, reason));
      // Nothing has begun: there is no code to tell.
      if (request && stored.length === 0) return await codeless.cancel(lineage, request);
      if (record.engine > ENGINE_VERSION) {
        return await putDown(notDeployed(record, `version ${record.engine} of the engine`, ''));
      }
      const workflow = ports.registry.find(record.workflow, record.version);
      if (!workflow) {
        return await putDown(notDeployed(record, `workflow "${record.workflow}" version ${record.version}`, ' (under "previous")'));
      }
      const found = await whole(record, stored);
      if ('gone' in found) return await putDown(found.gone);
      const { entries } = found;
      let input: unknown;
      try {
        input = await parseInput(workflow, JSON.parse(found.input) as Json);
      } catch (error) {
        return await putDown(toErrorData(error, 'E_INPUT_INVALID'));
      }
      // What opens values of this journal is fetched now: while they are delivered nothing should have to be waited for.
      await Promise.all(Object.values(ports.services).map((service) => (service as Service | undefined)?.ready?.(entries)));
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
        payloads: ports.payloads,
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
  ): Promise<{ lineage: Lineage; stored: Entry[]; inbox: InboxItem[] }> {
    const exists = what.do === 'takeOver';
    const record: RunRecord = exists
      ? what.record
      : { ...newRecord(what.start, { now: clock.now(), nonce: ports.entropy.id() }), inbox: what.inbox };
    // Only a raised counter promises that something is there.
    const inbox = record.inbox > 0 ? await store.inbox(record.id) : [];
    const stored = await readJournal(record, store);
    const lineage = openLineage({
      record,
      exists,
      // As they are stored: what lies in the payload store stays there when they are written again.
      entries: stored,
      ports: { store, payloads: ports.payloads, clock, entropy: ports.entropy, observe },
      owner: batch.owner,
      leaseUntil: batch.deadline + LEASE_AFTER_DEADLINE_MS,
    });
    return { lineage, stored, inbox };
  }

  /** Journal and input with every value in place. What is gone stays gone; a store that cannot be read now is tried again. */
  async function whole(record: RunRecord, stored: readonly Entry[]): Promise<{ entries: Entry[]; input: string } | { gone: ErrorData }> {
    try {
      const [entries, input] = await Promise.all([resolveEntries(stored, ports.payloads), resolve(record.input, ports.payloads)]);
      return { entries, input };
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'E_PAYLOAD_MISSING') return { gone: toErrorData(error) };
      throw error;
    }
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

function count(job: Job): number {
  return Math.max(...job.received.map((received) => received.receiveCount));
}

function notDeployed({ id }: RunRecord, what: string, how: string): ErrorData {
  const message = `run ${id} began with ${what}, which is not deployed: deploy it again${how}, then resume the run`;
  return { code: 'E_UNKNOWN_VERSION', message };
}

/** Whoever has the run has written a due time with it, or it has ended. */
function ownedOrEnded(found: RunRecord | Stub | undefined): boolean {
  return found !== undefined && !('stub' in found) && (found.due !== undefined || found.endedAt !== undefined);
}
