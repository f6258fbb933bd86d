/**
 * One issued operation on its way to a result: waits for its time, is sent, and what then follows from the verdict.
 * Reads from top to bottom as the life of an operation. Knows the run only through `Desk`.
 */
import { abortedBy, watchAbort } from './abort.ts';
import { depart, notHere, waitUntil } from './departure.ts';
import type { Desk, Task } from './desk.ts';
import { type ErrorData, toErrorData } from './errors.ts';
import { type HandedOver, handOver } from './hand-over.ts';
import type { Live, Verdict } from './operation.ts';
import { completionOf, GIVEN_UP, INTERRUPTED, KEY_EXPIRED, outcomeOf, streamOpen, unknownOutcome } from './outcomes.ts';
import { turn } from './turn.ts';
import {
  about,
  become,
  becomeUnknown,
  envOf,
  failedWith,
  finish,
  hasTime,
  mayHaveHappened,
  putOff,
  records,
  sendAnew,
  signalOf,
  unsent,
  type Way,
  wayOf,
} from './way.ts';

export async function drive(task: Task, desk: Desk): Promise<void> {
  const { operation } = task;
  const { clock } = desk;
  const way = wayOf(task, desk);
  const { effectful, log } = way;
  let sending = false;
  /** A reply that user code has the beginning of, or is about to get. */
  let coming: HandedOver | undefined;
  way.givenUp = operation.signal && watchAbort(operation.signal, desk.signal, abort);

  if (effectful || desk.cancellation.pending()) {
    const meanwhile = effectful && desk.streaming();
    become(way, 'barrier');
    await desk.replayed();
    // A reply that user code has turned its back on may take a turn to be closed.
    if (meanwhile) await turn();
    if (desk.closed()) return;
    if (meanwhile && desk.streaming())
      return finish(way, { task, error: streamOpen(operation), attempt: 1, attempts: [], unknowable: false });
  }
  become(way, 'busy');

  const cancelled = desk.history.cancelled.get(task.id);
  if (cancelled) return finish(way, failedWith(way, asCancelled(way, cancelled)));
  const problem = differs(way);
  if (problem !== undefined) return desk.diverged(`${operation.label}: ${problem}`);
  const settled = desk.history.settled.get(task.id);
  if (settled) return finish(way, { task, ...settled, attempt: way.attempt, unknowable: false });
  const late = desk.history.late.get(task.id);
  // That of an earlier sending says nothing of a later one.
  const told = late && late.attempt >= way.attempt && (way.open || way.unknown) ? late : undefined;
  if (told && !told.resend) return finish(way, completionOf(task, told));
  if (way.open) {
    way.next = 0;
    if (operation.effect === 'unsafe') becomeUnknown(way, unknownOutcome(operation.label, INTERRUPTED));
  }
  if (told) sendAnew(way);
  if (way.aborted) return finish(way, failedWith(way, abortedBy(operation, mayHaveHappened(way))));

  for (;;) {
    // Effects in flight are finished first; of all others it is known how far they came.
    if (desk.cancellation.pending() && !way.open && !way.unknown) {
      become(way, 'held');
      const error = await desk.cancellation.hold(task);
      return way.aborted ? undefined : finish(way, failedWith(way, asCancelled(way, error)));
    }
    if (way.next > clock.now() && !(await waitUntil(way, way.next))) return;
    let verdict: Verdict;
    let given = false;
    let startedAt = clock.now();
    const sentBefore = way.everSent;
    let newly = false;
    const asking = way.unknown !== undefined;
    if (asking) {
      if (!hasTime(way)) return void notHere(way);
      try {
        verdict = (await operation.unknown?.(envOf(way, signalOf(way)))) ?? { type: 'pause', error: way.unknown as ErrorData };
      } catch (thrown) {
        verdict = faulty(thrown);
      }
    } else {
      if (isKeyExpired(way)) {
        becomeUnknown(way, unknownOutcome(operation.label, KEY_EXPIRED));
        continue;
      }
      const departure = await depart(way);
      if (departure.type === 'later') continue;
      if (departure.type === 'fail') return finish(way, failedWith(way, departure.error));
      if (departure.type === 'none') return;
      newly = departure.started;
      startedAt = clock.now();
      desk.sending(task, true);
      sending = way.everSent = true;
      let attempted: Verdict | Live;
      try {
        attempted = await operation.attempt(departure.env);
      } catch (thrown) {
        attempted = faulty(thrown);
      }
      if (attempted.type === 'live') {
        coming = handOver(attempted.reply, task, desk, { attempt: way.attempt, records: (last) => records(way, last) });
        if (way.aborted) coming.cut(abortedBy(operation, effectful));
        ({ verdict, given } = await coming.over);
        coming = undefined;
      } else verdict = attempted;
      sending = false;
      desk.sending(task, false);
      departure.release();
    }
    desk.attempted(task, way.attempt, startedAt, verdict);
    if (given) {
      way.givenUp?.unwatch();
      return become(way, 'over');
    }
    if (way.aborted && !desk.gone()) return afterwards(way, verdict, asking);
    if (verdict.record !== undefined) log.add(verdict.record, clock.now());
    if (desk.gone()) {
      if (operation.effect === 'unsafe' && (verdict.type === 'done' || verdict.type === 'fail')) {
        desk.late(task, {
          attempt: way.attempt,
          ...outcomeOf(verdict),
          ...(verdict.record === undefined ? {} : { record: verdict.record }),
        });
      }
      return;
    }
    switch (verdict.type) {
      case 'done':
      case 'fail':
        finish(way, {
          task,
          ...outcomeOf(verdict),
          attempt: way.attempt,
          attempts: log.take(),
          unknowable: operation.effect === 'unsafe',
        });
        return;
      case 'again':
        if (verdict.counts === 'attempt') way.attempt += 1;
        if (verdict.counts === 'throttle') way.throttles += 1;
        way.next = verdict.at;
        way.place = verdict.place;
        way.why = verdict.why;
        way.untold = true;
        if (verdict.why === undefined) way.quickRetries += 1;
        else {
          // It was held up at the last moment. A START of its own would let a key grow old that nothing was sent with.
          way.everSent = sentBefore;
          if (newly && operation.effect !== 'unsafe') unsent(way);
        }
        // Known to have had no effect, or to be made again then: whoever goes on must find it so, however this ends.
        if (operation.effect === 'unsafe' || (effectful && desk.closed())) putOff(way, way.next);
        if (desk.cancellation.pending()) way.open = false;
        break;
      case 'resend':
        sendAnew(way, verdict.at);
        break;
      case 'unknown':
        becomeUnknown(way, verdict.error);
        break;
      case 'pause':
        if (desk.cancellation.pending()) {
          // Nobody is asked any more: the code hears what is known.
          if (way.unknown) return finish(way, failedWith(way, way.unknown));
          way.open = false;
          break;
        }
        // Nothing was sent: a START left open would make it unknown when the run is resumed.
        if (!way.unknown && operation.effect === 'unsafe') unsent(way);
        task.pause = verdict.error;
        become(way, 'blocked');
        return;
    }
    if (desk.closed()) return;
  }

  /** At any time before the outcome is known. What is replayed still has its outcome from the journal, or gets this one after it. */
  function abort(): void {
    if (task.state === 'over' || desk.gone()) return;
    if (coming?.cut(abortedBy(operation, effectful))) return;
    way.aborted = true;
    if (task.state === 'barrier') return;
    if (sending && operation.effect === 'unsafe') becomeUnknown(way, unknownOutcome(operation.label, GIVEN_UP));
    finish(way, failedWith(way, abortedBy(operation, mayHaveHappened(way))));
  }
}

/** Why what was sent before must not be sent again as it is now. */
function differs({ operation, task, desk, keyHash }: Way): string | undefined {
  const known = desk.history.progress.get(task.id);
  if (known?.body !== undefined && known.body !== operation.bodyHash) return 'its body is not the one that was sent before';
  if (known?.key === undefined || known.key === keyHash) return undefined;
  return "it was issued in another order than before, and would go out with another operation's idempotency key";
}

function isKeyExpired({ operation: { keyTtl }, sent, firstSentAt, desk }: Way): boolean {
  return sent > 0 && keyTtl !== undefined && firstSentAt !== undefined && desk.clock.now() - firstSentAt > keyTtl;
}

/** User code does not hear of it any more; a redrive does, which would otherwise not know what became of it. `asked`: somebody was to find out. */
function afterwards(way: Way, verdict: Verdict, asked: boolean): void {
  if (way.operation.effect !== 'unsafe' || verdict.type === 'unknown') return;
  // Who was asked and does not know has settled nothing: sent anew it might happen twice.
  if (asked && verdict.type !== 'done' && verdict.type !== 'resend') return;
  const what = { ...about(way), ...(verdict.record === undefined ? {} : { attempts: [verdict.record] }) };
  if (verdict.type !== 'done') way.desk.append({ k: 'unsent', ...what });
  else way.desk.append({ k: 'settled', ...what, ...(verdict.value === undefined ? {} : { value: { text: verdict.value } }) });
}

/** What is made again under its key, or as it is, may have happened before: whoever cleans up must know. */
function asCancelled({ task, desk, operation: { effect }, firstSentAt }: Way, error: ErrorData): ErrorData {
  const sent = firstSentAt !== undefined || desk.history.progress.get(task.id)?.sentBefore === true;
  const maybe = sent && (effect === 'keyed' || effect === 'idempotent');
  return maybe ? { ...error, detail: { ...error.detail, mayHaveHappened: true } } : error;
}

/** An attempt that throws is a fault of its maker: final, and said so. */
function faulty(thrown: unknown): Verdict {
  return { type: 'fail', error: toErrorData(thrown, 'E_INTERNAL') };
}
