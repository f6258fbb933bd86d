/**
 * One run in one invocation: calls the workflow function, issues its operations, replays, delivers, and ends in exactly one
 * durable way: finished, parked, or not at all. Knows no queue and no message.
 */

import { currentRun, inRun, outsideRun, type RunHandle, type Scope } from './context.ts';
import { Divergence, type Issued, mark, replay } from './delivery.ts';
import { type ErrorData, HoldfastError, reviveError, toErrorData } from './errors.ts';
import { BUFFER_BYTES, createFlusher } from './flusher.ts';
import { LATE_RESULT, type Late, readHistory } from './history.ts';
import { identify } from './identity.ts';
import { type Delivered, type Entry, rollingHash } from './journal.ts';
import { encodeJson, type Json } from './json.ts';
import { DUE_MARGIN_MS, type Lineage, LostLineage } from './lineage.ts';
import type { Operation } from './operation.ts';
import type { Clock, Entropy, InboxItem, Observer, RunRecord, Stub, Timer } from './ports.ts';
import { seededRandom } from './random.ts';
import { type Completion, type Desk, drive, RESERVE_MS, type Task, type TaskState } from './task.ts';
import { turn } from './turn.ts';
import type { Workflow } from './workflow.ts';

/** Un-journaled work between operations gets this long before the run is put down; doubled for each wake without progress. */
export const GRACE_MS = 25;
const GRACE_MAX_MS = 10_000;
/** A run is written when it is this old, so that people can see it. */
export const VISIBLE_MS = 2_000;
const STALLED_LOG_MS = 10_000;
/** So many wakes in a row without progress say that what an operation waits for is no accident. */
const FRUITLESS_WAKES = 2;
/** A paused run's inbox is looked at this often. */
export const PAUSED_DUE_MS = 24 * 3_600_000;
const MAX_ENTRIES = 10_000;
/** Made once: without a reason, each abort makes an exception with a stack of its own. */
const CLOSED = new Error('the run has ended or was put down');
const MAX_BYTES = 20 * 1024 * 1024;

export type Ending =
  | { type: 'finished' }
  /** `wakeAt` absent: it waits for a person. */
  | { type: 'parked'; wakeAt?: number }
  /** Something came into the inbox while it was being put down: load it again. */
  | { type: 'again' }
  | { type: 'lost'; found: RunRecord | Stub | undefined }
  /** Nothing could be written: the message must stay. */
  | { type: 'handback'; error: ErrorData };

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
  clock: Clock;
  entropy: Entropy;
  observe: Observer;
  services: Readonly<Record<string, unknown>>;
  slot: () => Promise<() => void>;
  /** Results of unsafe operations that came after the run was lost. */
  deliverLate: (item: Omit<InboxItem, 'at'>) => void;
  /** Calls the operations' own code sees as this run's stray rejections. */
  strays?: Strays;
  /** Puts the run down after this many live deliveries: always-replay, for tests. */
  maxDeliveries?: number;
};

/** Rejections that nobody has handled yet, by the run they belong to. */
export type Strays = { open(run: RunHandle): { first(): unknown; any(): boolean; close(): void } };

/** What user code can reach of a run. A class, so that a heap search finds those that should be gone. */
export class RunContext implements RunHandle {
  readonly id: string;
  readonly tenant: string;
  readonly workflow: string;
  readonly now: () => number;
  readonly random: () => number;
  readonly issue: (operation: Operation) => Promise<string | undefined>;
  readonly log: RunHandle['log'];
  constructor(record: RunRecord, verbs: Pick<RunHandle, 'now' | 'random' | 'issue' | 'log'>) {
    this.id = record.id;
    this.tenant = record.tenant;
    this.workflow = record.workflow;
    this.now = verbs.now;
    this.random = verbs.random;
    this.issue = verbs.issue;
    this.log = verbs.log;
  }
}

type Waiting = Task & { deliver(entry: Delivered): void; label: string; site?: Error };

export async function execute(options: ExecutionOptions): Promise<Ending> {
  const { workflow, lineage, clock, observe } = options;
  const record = lineage.record;
  const began = clock.now();
  const history = readHistory(options.entries, options.inbox);
  const hash = rollingHash();
  const tasks = new Map<string, Waiting>();
  const timers = new Set<Timer>();
  const abort = new AbortController();
  const ready: Completion[] = [];
  let issueWaiters: Array<() => void> = [];
  let replaying = options.entries.length > 0;
  let replayDone = () => {};
  const replayed = new Promise<void>((done) => {
    replayDone = done;
  });
  /** Verbs of a closed context are silent. */
  let closed = false;
  let settled: { value: unknown } | { error: unknown } | undefined;
  let delivering = true;
  let delivered = 0;
  let observedAt = record.startedAt ?? began;
  let grace: Timer | undefined;
  let pumpWake = () => {};
  let lost: LostLineage | undefined;
  /** Tasks that something in this invocation will move on. */
  let active = 0;
  let sending = 0;
  let unsafeSending = 0;
  const waiting = new Set<Task>();
  /** Results of unsafe operations, by their place in the journal: until they are durable, nobody else can know them. */
  const precious: Array<{ index: number; completion: Completion }> = [];
  const known = new Set(history.deliveries.map((entry) => entry.op));
  let decide: (ending: () => Promise<Ending>) => void = () => {};
  const decided = new Promise<() => Promise<Ending>>((done) => {
    decide = done;
  });

  const flusher = createFlusher({
    journal: options.entries,
    lineage,
    clock,
    onFailure: failed,
    onIdle: changed,
  });

  const issued: Issued = {
    count: () => tasks.size,
    hash: hash.value,
    receiver: (op) => tasks.get(op),
    describe: () => [...tasks.values()].map((task) => ({ op: task.id, label: task.label, ...siteOf(task.site) })),
    changed: () => new Promise((done) => issueWaiters.push(done)),
    settled: () => settled !== undefined,
  };

  const random = seededRandom(record.id);
  const handle: RunHandle = new RunContext(record, { now: () => observedAt, random, issue, log });
  const strays = options.strays?.open(handle);
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
    signal: abort.signal,
    deadline: options.deadline,
    leasedUntil: () => lineage.leasedUntil,
    closed: () => closed || settled !== undefined,
    replayed: () => replayed,
    append: (entry) => flusher.append(entry),
    durable: () => flusher.durable(),
    neverFits: (ms) => (record.idleWakes ?? 0) >= FRUITLESS_WAKES && began + ms > options.deadline,
    slot: options.slot,
    at(time, fn) {
      after(time - clock.now(), fn);
    },
    complete(completion) {
      ready.push(completion);
      pumpWake();
    },
    diverged: (message) => diverge(new Divergence({ code: 'E_DIVERGED', name: 'HoldfastError', message })),
    become,
    sending(task, now) {
      const by = now ? 1 : -1;
      if (task.operation.effect !== 'safe') sending += by;
      if (task.operation.effect === 'unsafe') unsafeSending += by;
      // A turn later: by then what was received stands in line for its delivery.
      if (!now) void turn().then(changed);
    },
    attempted(task, attempt, verdict) {
      observe({
        type: 'call.attempt',
        run: record.id,
        workflow: record.workflow,
        call: task.id,
        operation: task.operation.label,
        attempt,
        outcome: verdict.type,
        record: verdict.record ?? null,
      });
    },
    late,
    gone: () => closed,
  };

  observe({ type: options.entries.length > 0 ? 'run.resumed' : 'run.started', run: record.id, workflow: record.workflow });
  const root: Scope = { path: '', ordinals: new Map() };
  inRun(handle, root, () => {
    // An async wrapper, so that a function that throws at once rejects like any other.
    (async () => workflow.run(options.input))().then(
      (value) => settle({ value }),
      (error: unknown) => settle({ error }),
    );
  });
  outsideRun(() => {
    void pump();
    if (lineage.leasedUntil === 0) {
      after(VISIBLE_MS, () => {
        // Not what code has issued that may yet turn out to be another than the journal's.
        void replayed.then(() => {
          if (!closed && !settled && lineage.leasedUntil === 0) void flusher.durable();
        });
      });
    }
    after(options.deadline - RESERVE_MS / 2 - began, timeIsUp);
  });

  const end = await decided;
  const ending = await end();
  strays?.close();
  return ending;

  // ------------------------------------------------------------------ issuing

  function issue(operation: Operation): Promise<string | undefined> {
    if (closed || settled) return new Promise(() => {});
    grace?.cancel();
    grace = undefined;
    const { id, keyMaterial } = identify(operation, currentRun()?.scope ?? root, record.id);
    hash.add(id);
    // What the journal already has is replayed, however much it is.
    if (!replaying && (flusher.length >= MAX_ENTRIES || flusher.totalBytes >= MAX_BYTES)) {
      settle({
        error: new HoldfastError(
          'E_LIMIT_JOURNAL',
          `the run has ${flusher.length} journal entries and about ${Math.round(flusher.totalBytes / 1024 / 1024)} MB, the limits are ${MAX_ENTRIES} and 20 MB: split the work into several runs`,
        ),
      });
      return new Promise(() => {});
    }
    let task: Waiting | undefined;
    const promise = new Promise<string | undefined>((resolve, reject) => {
      task = {
        id,
        operation,
        label: operation.label,
        keyMaterial,
        state: 'over',
        // Call sites are told of what the journal does not know; a stack for each operation would cost more than its replay.
        ...(replaying && options.entries.length > 0 && !known.has(id) ? { site: new Error('issued') } : {}),
        deliver(entry) {
          const value = entry.value && 'text' in entry.value ? entry.value.text : undefined;
          if (entry.k === 'done') resolve(value);
          // In the run's context, so that a rejection nobody handles is attributed to it.
          else inRun(handle, root, () => reject(operation.revive?.(entry.error, value) ?? reviveError(entry.error)));
        },
      };
    });
    tasks.set(id, task!);
    if (!known.has(id)) outsideRun(() => void drive(task!, desk));
    wakeIssueWaiters();
    return promise;
  }

  function wakeIssueWaiters(): void {
    const waiters = issueWaiters;
    issueWaiters = [];
    for (const waiter of waiters) waiter();
  }

  function log(level: 'debug' | 'info' | 'warn' | 'error', message: string, data?: Json): void {
    if (closed || replaying) return;
    observe({ type: 'log', run: record.id, workflow: record.workflow, level, message, ...(data === undefined ? {} : { data }) });
  }

  // ----------------------------------------------------------------- delivering

  async function pump(): Promise<void> {
    try {
      await turn();
      await replay({
        deliveries: history.deliveries,
        begun: [...history.progress].flatMap(([op, { label }]) => (known.has(op) ? [] : [{ op, label: label ?? op }])),
        issued,
        clock,
        closed: () => closed,
        onDelivered: (entry) => {
          observedAt = Math.max(observedAt, entry.at);
        },
      });
      if (closed) return;
      replaying = false;
      replayDone();
      await deliverLive();
    } catch (error) {
      if (error instanceof Divergence) diverge(error);
      else over(async () => ({ type: 'handback', error: toErrorData(error, 'E_INTERNAL') }));
    }
  }

  async function deliverLive(): Promise<void> {
    while (!closed) {
      const completion = ready.shift();
      if (!completion) {
        delivering = false;
        changed();
        await new Promise<void>((wake) => {
          pumpWake = wake;
        });
        delivering = true;
        continue;
      }
      if (flusher.bufferedBytes > BUFFER_BYTES) await flusher.durable();
      if (closed) return;
      const { task } = completion;
      const at = Math.max(clock.now(), observedAt);
      const base = {
        op: task.id,
        at,
        label: task.operation.label,
        ...mark(issued),
        ...(completion.attempts.length > 0 ? { attempts: completion.attempts } : {}),
      };
      const value = completion.value === undefined ? {} : { value: { text: completion.value } };
      const entry: Delivered = completion.error
        ? { k: 'fail', ...base, error: completion.error, ...value }
        : { k: 'done', ...base, ...value };
      if (completion.unknowable) precious.push({ index: flusher.length, completion });
      flusher.append(entry);
      observedAt = at;
      tasks.get(task.id)?.deliver(entry);
      delivered += 1;
      if (completion.unknowable) flusher.soon(unsafeSending > 0);
      await turn();
      if (options.maxDeliveries !== undefined && delivered >= options.maxDeliveries && !settled && !effectsBusy()) suspendNow(clock.now());
    }
  }

  // ------------------------------------------------------------------- ending

  function settle(outcome: { value: unknown } | { error: unknown }): void {
    if (closed || settled) return;
    settled = outcome;
    wakeIssueWaiters();
    changed();
  }

  function over(ending: () => Promise<Ending>): void {
    if (closed) return;
    closed = true;
    grace?.cancel();
    for (const timer of timers) timer.cancel();
    timers.clear();
    abort.abort(CLOSED);
    wakeIssueWaiters();
    decide(ending);
  }

  function become(task: Task, state: TaskState): void {
    if (isActive(task.state)) active -= 1;
    if (isActive(state)) active += 1;
    task.state = state;
    if (state === 'parked' || state === 'blocked') waiting.add(task);
    else waiting.delete(task);
    changed();
  }

  /** Looked at whenever something changed: is there anything left to wait for in this invocation? */
  function changed(): void {
    if (closed || lost) return;
    if (settled) {
      if (sending === 0 && !replaying && !delivering && ready.length === 0) over(finish);
      return;
    }
    if (grace || !quiescent()) return;
    const wait = Math.min(GRACE_MAX_MS, GRACE_MS * 2 ** Math.min(20, record.idleWakes ?? 0));
    grace = clock.timer(wait, () => {
      grace = undefined;
      if (closed || settled || !quiescent()) return;
      if (waiting.size > 0) return suspend();
      after(STALLED_LOG_MS, () => {
        if (!settled && quiescent()) observe({ type: 'run.stalled', run: record.id, workflow: record.workflow, awaiting: labels() });
      });
    });
  }

  function quiescent(): boolean {
    return !replaying && !delivering && ready.length === 0 && active === 0 && !flusher.busy;
  }

  function effectsBusy(): boolean {
    return [...tasks.values()].some((task) => task.state === 'busy' && task.operation.effect !== 'safe');
  }

  function suspend(): void {
    const blocked = [...waiting];
    const times = blocked.flatMap((task) => (task.wakeAt === undefined ? [] : [task.wakeAt]));
    if (times.length > 0) {
      suspendNow(Math.min(...times));
      return;
    }
    const reason = blocked.find((task) => task.pause)?.pause ?? { code: 'E_INTERNAL', message: 'paused without a reason' };
    over(() => park({ status: 'paused', due: clock.now() + PAUSED_DUE_MS, reason, idleWakes: 0 }));
  }

  function suspendNow(wakeAt: number): void {
    const progress = delivered > 0 || (!replaying && flusher.length > options.entries.length);
    const idleWakes = progress ? 0 : (record.idleWakes ?? 0) + 1;
    over(() => park({ status: 'waiting', wakeAt, due: wakeAt + DUE_MARGIN_MS, idleWakes }));
  }

  async function park(how: Parameters<Lineage['park']>[1]): Promise<Ending> {
    return written(async () => {
      const result = await lineage.park(replaying ? [] : flusher.buffered(), how);
      if (result === 'inbox') return { type: 'again' };
      if (how.status === 'paused') observe({ type: 'run.paused', run: record.id, workflow: record.workflow, reason: how.reason! });
      else
        observe({
          type: 'run.parked',
          run: record.id,
          workflow: record.workflow,
          ...(how.wakeAt === undefined ? {} : { wakeAt: how.wakeAt }),
        });
      return { type: 'parked', ...(how.wakeAt === undefined ? {} : { wakeAt: how.wakeAt }) };
    });
  }

  async function finish(): Promise<Ending> {
    // A turn, so that a rejection of this very turn has been seen.
    await turn();
    let outcome: { value: string } | { error: ErrorData };
    if ('error' in settled!) outcome = { error: toErrorData(settled.error) };
    else if (strays?.any()) {
      const stray = toErrorData(strays.first());
      outcome = { error: { ...stray, message: `a rejected promise was never handled: ${stray.message}` } };
    } else {
      try {
        outcome = { value: encodeJson(settled!.value, `the result of workflow ${workflow.name}`) ?? 'null' };
      } catch (error) {
        outcome = { error: toErrorData(error) };
      }
    }
    return finishWith(outcome);
  }

  async function finishWith(outcome: { value: string } | { error: ErrorData }): Promise<Ending> {
    const status = 'value' in outcome ? 'succeeded' : 'failed';
    return written(async () => {
      const result = await lineage.finish(flusher.buffered(), { status, outcome });
      if (result === 'inbox') return { type: 'again' };
      observe({
        type: 'run.ended',
        run: record.id,
        workflow: record.workflow,
        status,
        ms: clock.now() - record.createdAt,
        ...('error' in outcome ? { error: outcome.error } : {}),
      });
      return { type: 'finished' };
    });
  }

  async function written(write: () => Promise<Ending>): Promise<Ending> {
    await flusher.stop();
    if (flusher.failure !== undefined && !lost) return { type: 'handback', error: toErrorData(flusher.failure, 'E_INTERNAL') };
    try {
      return lost ? { type: 'lost', found: lost.found } : await write();
    } catch (error) {
      if (!(error instanceof LostLineage)) return { type: 'handback', error: toErrorData(error, 'E_INTERNAL') };
      salvage();
      observe({ type: 'run.lost', run: record.id, workflow: record.workflow, why: error.message });
      return { type: 'lost', found: error.found };
    }
  }

  function failed(error: unknown): void {
    if (!(error instanceof LostLineage)) {
      over(async () => ({ type: 'handback', error: toErrorData(error, 'E_INTERNAL') }));
      return;
    }
    lost = error;
    observe({ type: 'run.lost', run: record.id, workflow: record.workflow, why: error.message });
    salvage();
    over(async () => {
      await unsafeReturned();
      return { type: 'lost', found: error.found };
    });
  }

  /** What is being sent cannot be called back; its result goes to the inbox of whoever owns the run now. */
  async function unsafeReturned(): Promise<void> {
    while (unsafeSending > 0 && clock.now() < options.deadline - RESERVE_MS) {
      await new Promise<void>((done) => clock.timer(20, done));
    }
  }

  /** What was received and could not be made durable goes the same way. */
  function salvage(): void {
    const undelivered = ready.filter((completion) => completion.unknowable);
    const undurable = precious.filter(({ index }) => index >= lineage.durable).map(({ completion }) => completion);
    for (const { task, value, error, attempt, attempts } of [...undurable, ...undelivered]) {
      const record = attempts.at(-1);
      late(task, {
        attempt,
        ...(value === undefined ? {} : { value }),
        ...(error === undefined ? {} : { error }),
        ...(record === undefined ? {} : { record }),
      });
    }
  }

  function late(task: Task, result: Late): void {
    options.deliverLate({
      key: `${LATE_RESULT}:${task.id}:${result.attempt}`,
      kind: LATE_RESULT,
      data: { op: task.id, ...result } as unknown as Json,
    });
  }

  function diverge(error: Divergence): void {
    if (workflow.onDivergence === 'fail') over(() => finishWith({ error: error.data }));
    else
      over(async () => {
        await unsafeReturned();
        return park({ status: 'paused', due: clock.now() + PAUSED_DUE_MS, reason: error.data, idleWakes: 0 });
      });
  }

  function timeIsUp(): void {
    if (settled) over(finish);
    else if (!quiescent()) suspendNow(clock.now());
    else if (waiting.size > 0) suspend();
    else {
      const error = new HoldfastError(
        'E_STALLED',
        `the workflow waits for something that is not a durable operation and that has not come in this invocation; put it into step(). Operations so far: ${labels().join(', ') || 'none'}`,
      );
      over(() => finishWith({ error: toErrorData(error) }));
    }
  }

  function labels(): string[] {
    return [...tasks.values()].slice(-10).map((task) => task.label);
  }

  function after(ms: number, fn: () => void): void {
    const timer = clock.timer(Math.max(0, ms), () => {
      timers.delete(timer);
      if (!closed) fn();
    });
    timers.add(timer);
  }
}

function isActive(state: TaskState): boolean {
  return state === 'busy' || state === 'barrier';
}

/** The library's own files, and what has no file. */
const OWN_FRAME = /\/(src|dist)\/(engine|http)\/|\(<anonymous>\)|node:/;

/** The line of user code that issued an operation. */
function siteOf(error: Error | undefined): { site?: string } {
  const line = error?.stack
    ?.split('\n')
    .slice(1)
    .find((frame) => !OWN_FRAME.test(frame));
  return line === undefined ? {} : { site: line.trim().replace(/^at /, '') };
}
