/**
 * One run in one invocation: calls the workflow function, issues its operations, replays, delivers, and decides when it is over.
 * How it then ends durably is ending.ts; knows no queue and no message.
 */
import { createAccounting } from './accounting.ts';
import { cancelError, createCancellation, isCancellation, requestedCancel } from './cancel.ts';
import { currentRun, inRun, outsideRun, type RunHandle, type Scope } from './context.ts';
import { Divergence, textOf } from './delivery.ts';
import { type Desk, RESERVE_MS, type Task } from './desk.ts';
import { createEndings, type Ending, type Settled } from './ending.ts';
import { type ErrorData, HoldfastError, reviveError, toErrorData } from './errors.ts';
import { createFlusher } from './flusher.ts';
import { readHistory } from './history.ts';
import { identify } from './identity.ts';
import { createIssued } from './issued.ts';
import type { Entry } from './journal.ts';
import type { Json } from './json.ts';
import { overLimit, stalled } from './limits.ts';
import { type Lineage, LostLineage } from './lineage.ts';
import type { Operation } from './operation.ts';
import { createOrigins } from './origins.ts';
import type { Clock, Entropy, InboxItem, Observer, PayloadStore, Timer } from './ports.ts';
import { createPump } from './pump.ts';
import { seededRandom } from './random.ts';
import { createRescue } from './rescue.ts';
import { RunContext } from './run-context.ts';
import type { Place } from './semaphore.ts';
import type { Strays } from './strays.ts';
import { drive } from './task.ts';
import { turn } from './turn.ts';
import { parkedDue } from './wakes.ts';
import type { Workflow } from './workflow.ts';

/** Un-journaled work between operations gets this long before the run is put down; doubled for each wake without progress. */
const GRACE_MS = 25;
const GRACE_MAX_MS = 10_000;
/** A run is written when it is this old, so that people can see it. */
const VISIBLE_MS = 2_000;
const STALLED_LOG_MS = 10_000;
/** So many wakes in a row without progress say that what an operation waits for is no accident. */
const FRUITLESS_WAKES = 2;
/** How often a run that is being worked on looks whether something came into its inbox. */
const WATCH_MS = 5_000;
/** What was journaled cannot be opened: the deployment key is another, or is not there; or the payload store has lost it. */
const MENDABLE: ReadonlySet<string> = new Set(['E_SEALED', 'E_SECRET_MISSING', 'E_PAYLOAD_MISSING']);
/** A paused run's inbox is looked at this often. */
export const PAUSED_DUE_MS = 24 * 3_600_000;
/** Made once: without a reason, each abort makes an exception with a stack of its own. */
const CLOSED = new Error('the run has ended or was put down');

export type ExecutionOptions = {
  workflow: Workflow;
  /** As the schema gave it. */
  input: unknown;
  lineage: Lineage;
  /** With every value in place. */
  entries: readonly Entry[];
  inbox: readonly InboxItem[];
  /** When the invocation ends, ms since the epoch. */
  deadline: number;
  /** How many milliseconds the invocation had at its beginning, which may lie before this run's. Default: enough for anything. */
  lasts?: number;
  clock: Clock;
  entropy: Entropy;
  observe: Observer;
  services: Readonly<Record<string, unknown>>;
  payloads: PayloadStore;
  slot: () => Place;
  /** Results of unsafe operations that came after the run was lost. */
  deliverLate: (item: Omit<InboxItem, 'at'>) => void;
  /** Watches for rejections that nobody handles. */
  strays?: Strays;
  /** Puts the run down after this many live deliveries: always-replay, for tests. */
  maxDeliveries?: number;
};

export async function execute(options: ExecutionOptions): Promise<Ending> {
  const { workflow, lineage, clock, observe, maxDeliveries = Number.POSITIVE_INFINITY } = options;
  const { record } = lineage;
  const about = { run: record.id, workflow: record.workflow };
  const began = clock.now();
  const history = readHistory(options.entries, options.inbox);
  const request = requestedCancel(options.entries, options.inbox, record.incarnation);
  const cancellation = createCancellation(
    request,
    options.entries.some(({ k }) => k === 'cancel'),
  );
  const origins = createOrigins();
  const delivered = new Set(history.deliveries.map((entry) => entry.op));
  const account = createAccounting();
  const rescue = createRescue(record.incarnation, options.deliverLate);
  const timers = new Set<Timer>();
  const abort = new AbortController();
  /** Verbs of a closed context are silent. */
  let closed = false;
  /** A call has been told when to come again: that is no wake for nothing. */
  let deferred = false;
  let settled: Settled | undefined;
  /** Something came into the inbox: nothing new is sent, and the run is read again. */
  let interrupted = false;
  let lost: LostLineage | undefined;
  let grace: Timer | undefined;
  let decide: (ending: () => Promise<Ending>) => void = () => {};
  const decided = new Promise<() => Promise<Ending>>((done) => {
    decide = done;
  });

  const issued = createIssued(() => settled !== undefined);
  const flusher = createFlusher({
    journal: options.entries,
    lineage,
    clock,
    waveInFlight: account.unsafeInFlight,
    onFailure: failed,
    onIdle: changed,
  });
  const pump = createPump({
    history,
    issued,
    flusher,
    clock,
    replaying: options.entries.length > 0,
    observedAt: record.startedAt ?? began,
    closed: () => closed,
    onIdle: changed,
    onLive(completion, place) {
      if (completion.unknowable) rescue.keep(place, completion);
    },
    onDelivered() {
      // Never between a START and its sending.
      if (pump.live >= maxDeliveries && !settled && !account.effectsActive()) putDown(clock.now());
    },
  });
  const handle: RunHandle = new RunContext(record, { now: () => pump.observedAt, random: seededRandom(record.id), issue, log });
  const strays = options.strays?.open(handle);
  const endings = createEndings({ lineage, flusher, clock, observe, strays, onLost: lose });
  const root: Scope = { path: '', ordinals: new Map() };
  const desk: Desk = {
    run: {
      id: record.id,
      tenant: record.tenant,
      workflow: record.workflow,
      ...(record.traceparent === undefined ? {} : { traceparent: record.traceparent }),
    },
    history,
    clock,
    entropy: options.entropy,
    services: options.services,
    payloads: options.payloads,
    signal: abort.signal,
    deadline: options.deadline,
    slot: options.slot,
    leasedUntil: () => lineage.leasedUntil,
    closed: () => closed || interrupted || settled !== undefined,
    cancellation,
    gone: () => closed,
    replayed: pump.replayed,
    append: flusher.append,
    durable: flusher.durable,
    neverFits: (ms) => (record.idleWakes ?? 0) >= FRUITLESS_WAKES && ms > (options.lasts ?? Number.POSITIVE_INFINITY),
    at: (time, fn) => after(time - clock.now(), fn),
    late: rescue.late,
    complete: pump.complete,
    ended: pump.ended,
    withdraw: pump.withdraw,
    streaming: () => pump.streaming,
    diverged: (message) => diverge(new Divergence({ code: 'E_DIVERGED', name: 'HoldfastError', message })),
    become(task, state) {
      account.become(task, state);
      changed();
    },
    sending(task, now) {
      account.sending(task, now);
      // A turn later: by then what was received stands in line for its delivery.
      if (!now) void turn().then(changed);
    },
    attempted({ id, operation }, attempt, startedAt, { type, record: told }) {
      const { label, kind, effect, target } = operation;
      const { run, workflow } = about;
      const what = { type: 'call.attempt', run, workflow, call: id, operation: label, kind, effect } as const;
      const how = { attempt, outcome: type, startedAt, record: told ?? null };
      observe(target === undefined ? { ...what, ...how } : { ...what, target, ...how });
    },
    deferred({ id, operation: { label, target } }, why, until) {
      deferred = true;
      observe({
        type: 'call.deferred',
        ...about,
        call: id,
        operation: label,
        ...(target === undefined ? {} : { target }),
        why,
        until,
      });
    },
  };

  const loading = { run: desk.run, services: options.services, payloads: options.payloads };
  const traced = record.traceparent === undefined ? {} : { traceparent: record.traceparent };
  observe({ type: pump.replaying ? 'run.resumed' : 'run.started', ...about, ...traced });
  inRun(handle, root, () => {
    // An async wrapper, so that a function that throws at once rejects like any other.
    (async () => workflow.run(options.input))().then(
      (value) => settle({ value }),
      (error: unknown) => reject(error),
    );
  });
  outsideRun(() => {
    void deliver();
    // Only once the journal is consumed: until then code may turn out to have issued what is not the journal's.
    if (lineage.leasedUntil === 0) after(VISIBLE_MS, () => void pump.replayed().then(show));
    after(options.deadline - RESERVE_MS / 2 - began, timeIsUp);
    after(WATCH_MS, () => void watch());
  });
  const ending = await (await decided)();
  strays?.close();
  return ending;

  /** A run that works for long hears of what came into its inbox; a parked one is woken, and looks. */
  async function watch(): Promise<void> {
    // A store that cannot be read now is no reason to stop working.
    const moved = lineage.exists && (await lineage.inboxMoved().catch(() => false));
    if (closed || settled) return;
    if (moved) {
      interrupted = true;
      changed();
    } else after(WATCH_MS, () => void watch());
  }

  function show(): void {
    if (!closed && !settled && lineage.leasedUntil === 0) void flusher.durable();
  }

  // -------------------------------------------------------------- what user code does

  function issue(operation: Operation): Promise<string | undefined> {
    if (closed || settled) return new Promise(() => {});
    grace?.cancel();
    grace = undefined;
    const { id, keyMaterial } = identify(operation, currentRun()?.scope ?? root, record.id);
    // What the journal already has is replayed, however much it is.
    const tooLong = pump.replaying ? undefined : overLimit(flusher);
    if (tooLong) {
      reject(tooLong);
      return new Promise(() => {});
    }
    const promise = new Promise<string | undefined>((resolve, refuse) => {
      issued.add(id, {
        label: operation.label,
        // Call sites are told of what the journal does not know; a stack for each operation would cost more than its replay.
        ...(pump.replaying && !delivered.has(id) ? { site: new Error('issued') } : {}),
        load: (value) => (value === undefined ? undefined : outsideRun(() => operation.load?.(value, { ...loading, op: id }))),
        deliver(entry) {
          const value = textOf(entry);
          issued.over(id);
          if (entry.k === 'done') resolve(value);
          // In the run's context, so that a rejection nobody handles is attributed to it.
          else inRun(handle, root, () => refuse(origins.mark(revived(operation, entry.error, value), id)));
        },
      });
    });
    if (!delivered.has(id)) {
      const task: Task = { id, operation, keyMaterial, state: 'over' };
      outsideRun(() => void drive(task, desk));
    }
    issued.notify();
    return promise;
  }

  function log(level: 'debug' | 'info' | 'warn' | 'error', message: string, data?: Json): void {
    if (closed || pump.replaying) return;
    observe({ type: 'log', ...about, level, message, ...(data === undefined ? {} : { data }) });
  }

  function reject(error: unknown): void {
    settle({ error, cancelled: cancellation.delivered() && isCancellation(error), calls: origins.of(error) });
  }

  function settle(outcome: Settled): void {
    if (closed || settled) return;
    settled = outcome;
    issued.notify();
    pump.abandon();
    changed();
  }

  // ------------------------------------------------------------------------ the pump

  async function deliver(): Promise<void> {
    try {
      await pump.run();
    } catch (error) {
      if (error instanceof Divergence) diverge(error);
      // A value of the journal cannot be made ready, and a person can change that.
      else if (error instanceof HoldfastError && MENDABLE.has(error.code)) unable(toErrorData(error));
      else over(async () => ({ type: 'handback', error: toErrorData(error, 'E_INTERNAL') }));
    }
  }

  // --------------------------------------------------------------------- when it is over

  /** From here on the context is closed; what is written is decided once. */
  function over(ending: () => Promise<Ending>): void {
    if (closed) return;
    closed = true;
    grace?.cancel();
    for (const timer of timers) timer.cancel();
    timers.clear();
    // Received, and not to be delivered any more: whoever goes on is told by the inbox.
    rescue.salvage(Number.POSITIVE_INFINITY, pump.undelivered);
    abort.abort(CLOSED);
    issued.notify();
    decide(ending);
  }

  /** Looked at whenever something changed: is there anything left to wait for in this invocation? */
  function changed(): void {
    if (closed || lost) return;
    if (settled || interrupted) {
      // A read whose reply is still coming is made again, as one is that is not answered yet.
      if (!account.effectsInFlight() && (pump.idle || (!settled && pump.reading))) leave(settled);
      return;
    }
    if (grace || !quiescent()) return;
    grace = clock.timer(Math.min(GRACE_MAX_MS, GRACE_MS * 2 ** Math.min(20, record.idleWakes ?? 0)), () => {
      grace = undefined;
      if (closed || settled || !quiescent()) return;
      if (cancellation.pending() && account.onlyHeld()) return cancellation.deliver(clock.now(), flusher.append);
      if (account.waits()) return suspend();
      after(STALLED_LOG_MS, () => {
        if (!settled && quiescent()) observe({ type: 'run.stalled', ...about, awaiting: issued.latest() });
      });
    });
  }

  function quiescent(): boolean {
    return pump.idle && !account.active() && !flusher.busy;
  }

  function suspend(): void {
    const wakeAt = account.wakeAt();
    if (wakeAt !== undefined) putDown(wakeAt);
    // No time was left to tell its code.
    else if (cancellation.pending()) putDown(clock.now());
    else pause(account.pause());
  }

  function putDown(wakeAt: number): void {
    const progress = deferred || pump.live > 0 || (!pump.replaying && flusher.length > options.entries.length);
    const idleWakes = progress ? 0 : (record.idleWakes ?? 0) + 1;
    over(() => endings.park({ status: 'waiting', wakeAt, due: parkedDue(wakeAt, clock.now()), idleWakes }, buffered()));
  }

  function pause(reason: Parameters<typeof endings.fail>[0]): void {
    over(async () => {
      await unsafeReturned();
      return endings.park({ status: 'paused', due: clock.now() + PAUSED_DUE_MS, reason, idleWakes: 0 }, buffered());
    });
  }

  /** What diverging code did is none of the journal's. */
  function buffered(): readonly Entry[] {
    return pump.replaying ? [] : flusher.buffered();
  }

  function diverge({ data }: Divergence): void {
    // It would never get as far as an await that could tell it.
    if (cancellation.pending()) over(() => endings.cancel({ ...cancelError(request ?? {}), detail: { diverged: data.message } }));
    else if (workflow.onDivergence === 'fail') over(() => endings.fail(data));
    else pause(data);
  }

  /** What a result needs is no longer there, or does not open: without it the code cannot be told of it. */
  function unable(reason: ErrorData): void {
    if (cancellation.pending()) over(() => endings.cancel({ ...cancelError(request ?? {}), detail: { paused: reason.message } }));
    else pause(reason);
  }

  function failed(error: unknown): void {
    if (error instanceof LostLineage) {
      lose(error);
      over(async () => {
        await unsafeReturned();
        return { type: 'lost', found: error.found };
      });
    } else over(async () => ({ type: 'handback', error: toErrorData(error, 'E_INTERNAL') }));
  }

  function lose(error: LostLineage): void {
    if (lost) return;
    lost = error;
    observe({ type: 'run.lost', ...about, why: error.message });
    rescue.salvage(lineage.durable, pump.undelivered);
  }

  /** What is being sent cannot be called back; its result goes to the inbox of whoever owns the run now. */
  async function unsafeReturned(): Promise<void> {
    while (account.unsafeInFlight() && clock.now() < options.deadline - RESERVE_MS) {
      await new Promise<void>((done) => clock.timer(20, done));
    }
  }

  function leave(outcome: Settled | undefined): void {
    if (outcome) over(() => endings.finish(outcome));
    else putDown(clock.now());
  }

  function timeIsUp(): void {
    if (settled || !quiescent()) leave(settled);
    else if (account.waits()) suspend();
    else over(() => endings.fail(toErrorData(stalled(issued.latest()))));
  }

  function after(ms: number, fn: () => void): void {
    const timer = clock.timer(Math.max(0, ms), () => {
      timers.delete(timer);
      if (!closed) fn();
    });
    timers.add(timer);
  }
}

/** What cancelled an operation is none of its maker's. */
function revived(operation: Operation, error: ErrorData, value: string | undefined): Error {
  if (error.code === 'E_CANCELLED') return reviveError(error);
  return operation.revive?.(error, value) ?? reviveError(error);
}
