/**
 * One issued operation on its way to a result: waits for its time, makes its START durable, attempts, and acts on the verdict.
 * Reads from top to bottom as the life of an operation. Knows the run only through `Desk`.
 */
import { abortedBy, watchAbort } from './abort.ts';
import { attemptLog } from './attempt-log.ts';
import { type Completion, type Desk, RESERVE_MS, type Task, type TaskState } from './desk.ts';
import type { ErrorData } from './errors.ts';
import { toErrorData } from './errors.ts';
import { type HandedOver, handOver } from './hand-over.ts';
import { ofEpoch } from './identity.ts';
import type { Json } from './json.ts';
import type { AttemptEnv, Live, Verdict } from './operation.ts';
import { completionOf, GIVEN_UP, hashOf, INTERRUPTED, KEY_EXPIRED, noRoom, outcomeOf, streamOpen, unknownOutcome } from './outcomes.ts';
import { turn } from './turn.ts';

/** Waits up to this long stay in process when the invocation has the time; longer ones are parked. */
export const SHORT_WAIT_MS = 2_000;
/** Effects stop this long before the lease ends. */
export const LEASE_MARGIN_MS = 1_000;

/** Effects are not called back when the context closes: their results matter to whoever comes next. */
const NEVER = new AbortController().signal;

export async function drive(task: Task, desk: Desk): Promise<void> {
  const { operation } = task;
  const { clock } = desk;
  const known = desk.history.progress.get(task.id);
  const effectful = operation.effect !== 'safe';
  /** User code has given it up, and waits for it no more. */
  let aborted = operation.signal?.aborted ?? false;
  let sending = false;
  /** A reply that user code has the beginning of, or is about to get. */
  let coming: HandedOver | undefined;
  const givenUp = operation.signal && watchAbort(operation.signal, desk.signal, abort);

  if (effectful || desk.cancellation.pending()) {
    const meanwhile = effectful && desk.streaming();
    become('barrier');
    await desk.replayed();
    // A reply that user code has turned its back on may take a turn to be closed.
    if (meanwhile) await turn();
    if (desk.closed()) return;
    if (meanwhile && desk.streaming()) return finish({ task, error: streamOpen(operation), attempt: 1, attempts: [], unknowable: false });
  }
  become('busy');

  let attempt = known?.attempt ?? 1;
  let throttles = known?.throttles ?? 0;
  let sent = known?.sent ?? 0;
  let firstSentAt = known?.firstSentAt;
  let everSent = firstSentAt !== undefined || known?.sentBefore === true;
  const issuedAt = known?.issuedAt ?? firstSentAt ?? clock.now();
  let next = known?.next ?? 0;
  /** `next` is in the journal already. */
  let journaled = known?.next !== undefined;
  let unknown = known?.unknown;
  /** A START is in the journal and nothing after it. */
  let open = known?.open ?? false;
  const interrupted = open;
  let quickRetries = 0;
  const log = attemptLog(known?.told);

  const cancelled = desk.history.cancelled.get(task.id);
  if (cancelled) return finish(failedWith(asCancelled(cancelled)));
  if (known?.body !== undefined && known.body !== operation.bodyHash) {
    desk.diverged(`${operation.label}: its body is not the one that was sent before`);
    return;
  }
  const keyHash = operation.effect === 'keyed' ? hashOf(task.keyMaterial) : undefined;
  const epoch = (keyHash === undefined ? undefined : desk.history.epochs[keyHash]) ?? 0;
  const keyMaterial = ofEpoch(task.keyMaterial, epoch);
  if (known?.key !== undefined && known.key !== keyHash) {
    desk.diverged(
      `${operation.label}: it was issued in another order than before, and would go out with another operation's idempotency key`,
    );
    return;
  }
  const settled = desk.history.settled.get(task.id);
  if (settled) return finish({ task, ...settled, attempt, unknowable: false });
  const late = desk.history.late.get(task.id);
  // That of an earlier sending says nothing of a later one.
  const told = late && late.attempt >= attempt && (open || unknown) ? late : undefined;
  if (told && !told.resend) return finish(completionOf(task, told));
  if (open) {
    next = 0;
    if (operation.effect === 'unsafe') becomeUnknown(unknownOutcome(operation.label, INTERRUPTED));
  }
  if (told) sendAnew();
  if (aborted) return finish(failedWith(abortedBy(operation, mayHaveHappened())));

  for (;;) {
    // Effects in flight are finished first; of all others it is known how far they came.
    if (desk.cancellation.pending() && !open && !unknown) {
      become('held');
      const error = await desk.cancellation.hold(task);
      return aborted ? undefined : finish(failedWith(asCancelled(error)));
    }
    if (next > clock.now() && !(await waitUntil(next))) return;
    let verdict: Verdict;
    let given = false;
    let startedAt = clock.now();
    const asking = unknown !== undefined;
    if (asking) {
      if (!hasTime()) return defer();
      try {
        verdict = (await operation.unknown?.(env())) ?? { type: 'pause', error: unknown as ErrorData };
      } catch (thrown) {
        verdict = faulty(thrown);
      }
    } else {
      if (sent > 0 && operation.keyTtl !== undefined && firstSentAt !== undefined && clock.now() - firstSentAt > operation.keyTtl) {
        becomeUnknown(unknownOutcome(operation.label, KEY_EXPIRED));
        continue;
      }
      // The place comes before START: nothing may stand between a durable START and the sending but the check of time.
      const release = await desk.slot();
      if (desk.closed() || aborted) return release();
      if (!hasTime() || (effectful && !(await makeDurable()))) {
        release();
        if (!desk.closed() && !aborted) defer();
        return;
      }
      startedAt = clock.now();
      desk.sending(task, true);
      sending = everSent = true;
      let attempted: Verdict | Live;
      try {
        attempted = await operation.attempt(env());
      } catch (thrown) {
        attempted = faulty(thrown);
      }
      if (attempted.type === 'live') {
        coming = handOver(attempted.reply, task, desk, { attempt, records });
        if (aborted) coming.cut(abortedBy(operation, effectful));
        ({ verdict, given } = await coming.over);
        coming = undefined;
      } else verdict = attempted;
      sending = false;
      desk.sending(task, false);
      release();
    }
    desk.attempted(task, attempt, startedAt, verdict);
    if (given) {
      givenUp?.unwatch();
      return become('over');
    }
    if (aborted && !desk.gone()) return afterwards(verdict, asking);
    if (verdict.record !== undefined) log.add(verdict.record, clock.now());
    if (desk.gone()) {
      if (operation.effect === 'unsafe' && (verdict.type === 'done' || verdict.type === 'fail')) {
        desk.late(task, { attempt, ...outcomeOf(verdict), ...(verdict.record === undefined ? {} : { record: verdict.record }) });
      }
      return;
    }
    switch (verdict.type) {
      case 'done':
      case 'fail':
        finish({ task, ...outcomeOf(verdict), attempt, attempts: log.take(), unknowable: operation.effect === 'unsafe' });
        return;
      case 'again':
        if (verdict.counts === 'attempt') attempt += 1;
        if (verdict.counts === 'throttle') throttles += 1;
        quickRetries += 1;
        next = verdict.at;
        journaled = false;
        // Known to have had no effect, or to be made again then: whoever goes on must find it so, however this ends.
        if (operation.effect === 'unsafe' || (effectful && desk.closed())) putOff(next);
        if (desk.cancellation.pending()) open = false;
        break;
      case 'resend':
        sendAnew(verdict.at);
        break;
      case 'unknown':
        becomeUnknown(verdict.error);
        break;
      case 'pause':
        if (desk.cancellation.pending()) {
          // Nobody is asked any more: the code hears what is known.
          if (unknown) return finish(failedWith(unknown));
          open = false;
          break;
        }
        // Nothing was sent: a START left open would make it unknown when the run is resumed.
        if (!unknown && operation.effect === 'unsafe') unsent();
        task.pause = verdict.error;
        become('blocked');
        return;
    }
    if (desk.closed()) return;
  }

  function become(state: TaskState): void {
    desk.become(task, state);
  }

  function finish(completion: Completion): void {
    givenUp?.unwatch();
    desk.complete(completion);
    become('over');
  }

  /** At any time before the outcome is known. What is replayed still has its outcome from the journal, or gets this one after it. */
  function abort(): void {
    if (task.state === 'over' || desk.gone()) return;
    if (coming?.cut(abortedBy(operation, effectful))) return;
    aborted = true;
    if (task.state === 'barrier') return;
    if (sending && operation.effect === 'unsafe') becomeUnknown(unknownOutcome(operation.label, GIVEN_UP));
    finish(failedWith(abortedBy(operation, mayHaveHappened())));
  }

  function mayHaveHappened(): boolean {
    return unknown !== undefined || (everSent && effectful && operation.effect !== 'unsafe');
  }

  /** User code does not hear of it any more; a redrive does, which would otherwise not know what became of it. `asked`: somebody was to find out. */
  function afterwards(verdict: Verdict, asked: boolean): void {
    if (operation.effect !== 'unsafe' || verdict.type === 'unknown') return;
    // Who was asked and does not know has settled nothing: sent anew it might happen twice.
    if (asked && verdict.type !== 'done' && verdict.type !== 'resend') return;
    const made = verdict.record === undefined ? {} : { attempts: [verdict.record] };
    if (verdict.type !== 'done') desk.append({ k: 'unsent', ...about(), ...made });
    else desk.append({ k: 'settled', ...about(), ...made, ...(verdict.value === undefined ? {} : { value: { text: verdict.value } }) });
  }

  function failedWith(error: ErrorData): Completion {
    return { task, error, attempt, attempts: log.take(), unknowable: false };
  }

  /** What is made again under its key, or as it is, may have happened before: whoever cleans up must know. */
  function asCancelled(error: ErrorData): ErrorData {
    const maybe =
      (firstSentAt !== undefined || known?.sentBefore === true) && (operation.effect === 'keyed' || operation.effect === 'idempotent');
    return maybe ? { ...error, detail: { ...error.detail, mayHaveHappened: true } } : error;
  }

  /** It is settled that nothing happened; when its target would be called again is not a person's to say. Uses up an attempt, so that what is unknown each time ends. */
  function sendAnew(at = 0): void {
    const notBefore = Number(unknown?.detail?.notBefore ?? 0);
    attempt += 1;
    desk.append({ k: 'unsent', ...about(), attempt, ...since(true) });
    unknown = undefined;
    next = Math.max(at, notBefore);
    journaled = false;
    quickRetries += 1;
    firstSentAt = undefined;
  }

  function about() {
    return { op: task.id, at: clock.now(), label: operation.label };
  }

  function records(last?: Json): Json[] {
    if (last !== undefined) log.add(last, clock.now());
    return log.take();
  }

  /** The attempts since the last entry, which this one takes with it. */
  function since(goesOn = false): { attempts?: Json[] } {
    const made = log.take(goesOn);
    return made.length > 0 ? { attempts: made } : {};
  }

  function becomeUnknown(error: ErrorData): void {
    desk.append({ k: 'unknown', ...about(), kind: operation.kind, error, ...since() });
    unknown = error;
    open = false;
    next = 0;
  }

  /** False: the context closed meanwhile. */
  async function waitUntil(time: number): Promise<boolean> {
    const short = time - clock.now() <= SHORT_WAIT_MS && time + operation.timeout + RESERVE_MS <= desk.deadline;
    if (!short) {
      if (!journaled) putOff(time);
      task.wakeAt = time;
      become('parked');
    }
    await new Promise<void>((due) => desk.at(time, due));
    if (desk.closed() || aborted) return false;
    delete task.wakeAt;
    become('busy');
    return true;
  }

  /** The last attempt is known to have had no effect, and the next is not before `time`. */
  function putOff(time: number): void {
    desk.append({ k: 'retry', ...about(), next: time, issuedAt, attempt, throttles, ...since(true) });
    journaled = true;
    open = false;
  }

  function hasTime(): boolean {
    return clock.now() + operation.timeout + RESERVE_MS <= desk.deadline;
  }

  /** Not in this invocation: the run parks with an immediate wake. What no invocation has room for fails instead of waking for ever. */
  function defer(): void {
    if (desk.neverFits(operation.timeout + RESERVE_MS)) {
      finish(failedWith(noRoom(operation)));
      return;
    }
    // What an attempt of this invocation came to is not to be lost with it.
    if (quickRetries > 0 && !journaled && !unknown) putOff(clock.now());
    task.wakeAt = clock.now();
    become('parked');
  }

  /** START and everything observed so far are durable and the lease is ours. False: not sent now. */
  async function makeDurable(): Promise<boolean> {
    const needed = operation.effect === 'unsafe' ? !open : firstSentAt === undefined;
    if (needed) {
      sent += 1;
      const what = about();
      firstSentAt ??= what.at;
      open = true;
      desk.append({
        k: 'start',
        ...what,
        effect: operation.effect,
        n: sent,
        ...(operation.bodyHash === undefined ? {} : { body: operation.bodyHash }),
        ...(keyHash === undefined ? {} : { key: keyHash }),
        ...(epoch === 0 ? {} : { epoch }),
      });
    }
    await desk.durable();
    if (!desk.closed() && !aborted && hasTime() && clock.now() + operation.timeout < desk.leasedUntil() - LEASE_MARGIN_MS) return true;
    if (operation.effect === 'unsafe' ? open : needed) unsent();
    return false;
  }

  /** Takes the START back: whoever comes next knows that nothing was sent. */
  function unsent(): void {
    desk.append({ k: 'unsent', ...about() });
    open = false;
    firstSentAt = undefined;
  }

  function env(): AttemptEnv {
    return {
      run: desk.run,
      op: task.id,
      keyMaterial,
      attempt,
      ...(interrupted ? { interrupted } : {}),
      throttles,
      issuedAt,
      ...(firstSentAt === undefined ? {} : { firstSentAt }),
      quickRetries,
      remaining: Math.max(0, desk.deadline - RESERVE_MS - clock.now()),
      payloads: desk.payloads,
      signal: signalOf(),
      clock,
      entropy: desk.entropy,
      services: desk.services,
    };
  }

  /** What nobody waits for is broken off where that does no harm. */
  function signalOf(): AbortSignal {
    if (operation.effect === 'unsafe' || (effectful && !givenUp)) return NEVER;
    if (!givenUp) return desk.signal;
    return effectful ? givenUp.signal : AbortSignal.any([givenUp.signal, desk.signal]);
  }
}

/** An attempt that throws is a fault of its maker: final, and said so. */
function faulty(thrown: unknown): Verdict {
  return { type: 'fail', error: toErrorData(thrown, 'E_INTERNAL') };
}
