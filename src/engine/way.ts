/**
 * How far an operation has come, and what the journal is told of it before it has its result: every such entry is made here.
 * Decides nothing: what an operation does next is task.ts, how it gets to its sending departure.ts.
 */
import { type AttemptLog, attemptLog } from './attempt-log.ts';
import type { Completion, Desk, Task, TaskState } from './desk.ts';
import { RESERVE_MS } from './desk.ts';
import type { ErrorData } from './errors.ts';
import { ofEpoch } from './identity.ts';
import type { Json } from './json.ts';
import type { AttemptEnv, Operation } from './operation.ts';
import { hashOf } from './outcomes.ts';

export type Way = {
  readonly task: Task;
  readonly desk: Desk;
  readonly operation: Operation;
  readonly effectful: boolean;
  readonly log: AttemptLog;
  /** Keyed: hash of what its key is made of. */
  readonly keyHash: string | undefined;
  readonly epoch: number;
  readonly keyMaterial: string;
  readonly issuedAt: number;
  /** A sending before this process was broken off, and may have happened. */
  readonly interrupted: boolean;
  /** The user's signal, watched. */
  givenUp: { readonly signal: AbortSignal; unwatch(): void } | undefined;
  /** User code has given it up, and waits for it no more. */
  aborted: boolean;
  attempt: number;
  throttles: number;
  quickRetries: number;
  /** Sendings so far. */
  sent: number;
  firstSentAt: number | undefined;
  everSent: boolean;
  /** A START is in the journal and nothing after it. */
  open: boolean;
  /** Nobody knows whether the last sending happened. */
  unknown: ErrorData | undefined;
  /** Not before; ms since the epoch. */
  next: number;
  /** What was given when it was asked whether it may be sent, and what holds it up. */
  place: Json | undefined;
  why: string | undefined;
  /** What the journal says that it waits for: another look that finds the same is not worth an entry. */
  told: string | undefined;
  /** The journal does not have `next` yet, or what led to it. */
  untold: boolean;
};

export function wayOf(task: Task, desk: Desk): Way {
  const { operation } = task;
  const known = desk.history.progress.get(task.id);
  const keyHash = operation.effect === 'keyed' ? hashOf(task.keyMaterial) : undefined;
  const epoch = (keyHash === undefined ? undefined : desk.history.epochs[keyHash]) ?? 0;
  return {
    task,
    desk,
    operation,
    effectful: operation.effect !== 'safe',
    log: attemptLog(known?.told),
    keyHash,
    epoch,
    keyMaterial: ofEpoch(task.keyMaterial, epoch),
    issuedAt: known?.issuedAt ?? known?.firstSentAt ?? desk.clock.now(),
    interrupted: known !== undefined && (known.open || known.interrupted === true),
    givenUp: undefined,
    aborted: operation.signal?.aborted ?? false,
    attempt: known?.attempt ?? 1,
    throttles: known?.throttles ?? 0,
    quickRetries: 0,
    sent: known?.sent ?? 0,
    firstSentAt: known?.firstSentAt,
    everSent: known?.firstSentAt !== undefined || known?.sentBefore === true,
    open: known?.open ?? false,
    unknown: known?.unknown,
    next: known?.next ?? 0,
    place: known?.place,
    why: undefined,
    told: known?.why === undefined ? undefined : waitsFor(known.why, known.place),
    untold: false,
  };
}

/** What holds it up, and where it stands there. */
export function waitsFor(why: string, place: Json | undefined): string {
  return JSON.stringify([why, place]);
}

export function become({ desk, task }: Way, state: TaskState): void {
  desk.become(task, state);
}

export function finish(way: Way, completion: Completion): void {
  way.givenUp?.unwatch();
  way.desk.complete(completion);
  become(way, 'over');
}

export function failedWith({ task, attempt, log }: Way, error: ErrorData): Completion {
  return { task, error, attempt, attempts: log.take(), unknowable: false };
}

/** Nothing new may be sent of it: the context is closed, or user code has given it up. */
export function isLeft({ desk, aborted }: Way): boolean {
  return aborted || desk.closed();
}

export function mayHaveHappened({ unknown, everSent, effectful, operation }: Way): boolean {
  return unknown !== undefined || (everSent && effectful && operation.effect !== 'unsafe');
}

/** What every entry of an operation says. */
export function about({ task, desk, operation }: Way) {
  return { op: task.id, at: desk.clock.now(), label: operation.label };
}

/** With the last one: the records since the operation's last entry. */
export function records({ log, desk }: Way, last?: Json): Json[] {
  if (last !== undefined) log.add(last, desk.clock.now());
  return log.take();
}

/** The attempts since the last entry, which this one takes with it. */
function since({ log }: Way, goesOn = false): { attempts?: Json[] } {
  const made = log.take(goesOn);
  return made.length > 0 ? { attempts: made } : {};
}

/** About to be sent. */
export function started(way: Way): void {
  const { operation, keyHash, epoch } = way;
  const what = about(way);
  way.sent += 1;
  way.firstSentAt ??= what.at;
  way.open = true;
  way.told = undefined;
  way.desk.append({
    k: 'start',
    ...what,
    effect: operation.effect,
    n: way.sent,
    ...(operation.bodyHash === undefined ? {} : { body: operation.bodyHash }),
    ...(keyHash === undefined ? {} : { key: keyHash }),
    ...(epoch === 0 ? {} : { epoch }),
  });
}

/** Takes the START back: whoever comes next knows that nothing was sent. */
export function unsent(way: Way): void {
  way.desk.append({ k: 'unsent', ...about(way) });
  way.open = false;
  way.firstSentAt = undefined;
}

/** The last attempt is known to have had no effect, and the next is not before `time`. */
export function putOff(way: Way, time: number): void {
  const { issuedAt, attempt, throttles, why, place } = way;
  way.desk.append({
    k: 'retry',
    ...about(way),
    next: time,
    issuedAt,
    attempt,
    throttles,
    ...(way.interrupted && way.firstSentAt !== undefined ? { interrupted: true } : {}),
    ...(why === undefined ? {} : { why }),
    ...(place === undefined ? {} : { place }),
    ...since(way, true),
  });
  way.told = why === undefined ? undefined : waitsFor(why, place);
  way.untold = false;
  way.open = false;
}

/** It is settled that nothing happened; when its target would be called again is not a person's to say. Uses up an attempt, so that what is unknown each time ends. */
export function sendAnew(way: Way, at = 0): void {
  const notBefore = Number(way.unknown?.detail?.notBefore ?? 0);
  way.attempt += 1;
  way.desk.append({ k: 'unsent', ...about(way), attempt: way.attempt, ...since(way, true) });
  way.unknown = undefined;
  way.next = Math.max(at, notBefore);
  way.untold = true;
  way.quickRetries += 1;
  way.firstSentAt = undefined;
}

export function becomeUnknown(way: Way, error: ErrorData): void {
  way.desk.append({ k: 'unknown', ...about(way), kind: way.operation.kind, error, ...since(way) });
  way.unknown = error;
  way.open = false;
  way.next = 0;
}

/** Beyond an attempt's own time the invocation has what writing and parking need. */
export function hasTime({ desk, operation }: Way, from = desk.clock.now()): boolean {
  return from + operation.timeout + RESERVE_MS <= desk.deadline;
}

export function envOf(way: Way, signal: AbortSignal): AttemptEnv {
  const { desk, firstSentAt, place } = way;
  const { clock } = desk;
  return {
    run: desk.run,
    op: way.task.id,
    keyMaterial: way.keyMaterial,
    attempt: way.attempt,
    ...(way.interrupted ? { interrupted: true } : {}),
    throttles: way.throttles,
    issuedAt: way.issuedAt,
    ...(firstSentAt === undefined ? {} : { firstSentAt }),
    ...(place === undefined ? {} : { place }),
    quickRetries: way.quickRetries,
    remaining: Math.max(0, desk.deadline - RESERVE_MS - clock.now()),
    payloads: desk.payloads,
    signal,
    clock,
    entropy: desk.entropy,
    services: desk.services,
  };
}

/** Effects are not called back when the context closes: their results matter to whoever comes next. */
const NEVER = new AbortController().signal;

/** For an attempt: what nobody waits for is broken off where that does no harm. */
export function signalOf(way: Way): AbortSignal {
  const { operation, effectful, givenUp } = way;
  if (!effectful) return whileWanted(way);
  return operation.effect === 'unsafe' || !givenUp ? NEVER : givenUp.signal;
}

/** For what is done before anything is sent. */
export function whileWanted({ desk, givenUp }: Way): AbortSignal {
  return givenUp ? AbortSignal.any([givenUp.signal, desk.signal]) : desk.signal;
}
