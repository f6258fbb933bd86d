/** Reads out of an answer what the classification asks for. */
import { HoldfastError } from '../engine/errors.ts';
import type { Call } from './call.ts';
import type { Facts } from './classify.ts';
import type { Answer, WireEvent } from './exchange.ts';
import { FOREVER_MS, type Hints, readHints, sentAt } from './hints.ts';
import { type Fetched, type Reply, readReply, type StoredReply, storeReply } from './reply.ts';

const NO_HINTS: Hints = { retryAfter: false, exhausted: false, ignored: [] };
const THROTTLING = new Set([403, 413, 420, 423, 424, 429, 503, 529]);

/** `fetched`: the body, where it is not in the event and somebody is to judge it. */
export function factsOf(
  event: WireEvent,
  call: Call,
  now: { now: number; refreshable: boolean; maybeDone?: boolean | undefined; fetched?: Fetched },
): { facts: Facts; hints: Hints } {
  if (event.phase !== 'answered') return { facts: {}, hints: NO_HINTS };
  const { status, headers } = event;
  const accepted = call.accepted.has(status);
  const tooLarge = event.truncated && call.settings.onTruncated === 'fail';
  const { successWhen, inFlightWhen, unavailableMeansUntouched, shouldRetry } = call.judge;
  if (status >= 200 && status < 300) {
    const judged =
      successWhen === undefined || accepted
        ? undefined
        : judgement(
            asked(call, 'successWhen', () => successWhen(replyOf(event, call, now.fetched))),
            call,
          );
    return {
      facts: { accepted, tooLarge, judged },
      hints: judged === undefined ? NO_HINTS : hintsOf(event, call, now, judged === 'throttle'),
    };
  }
  const hints = hintsOf(event, call, now, status === 429 || status === 420 || status === 529);
  const facts: Facts = {
    accepted,
    tooLarge,
    retryAfter: hints.retryAfter,
    exhausted: hints.exhausted,
    shouldRetry:
      serversWord(headers['x-should-retry'] ?? headers['stripe-should-retry']) ??
      asked(call, 'shouldRetry', () => shouldRetry?.(replyOf(event, call, now.fetched))),
    replayed: headers['idempotent-replayed'] === 'true',
    refreshable: now.refreshable,
    inFlight: status === 409 && asked(call, 'inFlightWhen', () => inFlightWhen?.(replyOf(event, call, now.fetched))) === true,
    untouched: unavailableMeansUntouched === true,
    gone: now.maybeDone === true && call.settings.goneIsDone.has(status),
  };
  // A Retry-After on a status that is not about waiting (a redirect, a 404) asks for nothing.
  return {
    facts,
    hints: THROTTLING.has(status) || status >= 500 || status === 408 || status === 425 || facts.shouldRetry === true ? hints : NO_HINTS,
  };
}

/** The connection's own hint comes last, and counts as `Retry-After` does. */
function hintsOf(answer: Answer, call: Call, { now, fetched }: { now: number; fetched?: Fetched }, throttled: boolean): Hints {
  const hints = readHints(answer.headers, now, throttled);
  const own = call.judge.hint;
  if (own === undefined || hints.hint !== undefined) return hints;
  let said: number | Date | undefined;
  try {
    said = own(replyOf(answer, call, fetched));
  } catch {
    return { ...hints, ignored: [...hints.ignored, OWN] };
  }
  if (said === undefined) return hints;
  const delay = said instanceof Date ? Math.max(0, said.getTime() - sentAt(answer.headers, now)) : said;
  if (!(typeof delay === 'number' && Number.isFinite(delay) && delay >= 0)) return { ...hints, ignored: [...hints.ignored, OWN] };
  return { ...hints, hint: { delay: Math.min(FOREVER_MS, Math.ceil(delay)), source: OWN }, retryAfter: true };
}

/** How the connection's `hint` is named in records. */
const OWN = 'hint of the connection';

/** A judge of the user's that throws is his mistake, and says so; the answer it could not judge is not asked for again. */
function asked<T>(call: Call, field: 'successWhen' | 'inFlightWhen' | 'shouldRetry', judge: () => T): T {
  try {
    return judge();
  } catch (thrown) {
    return misjudged(call, field, `threw ${thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown)}`);
  }
}

function misjudged(call: Call, field: string, problem: string): never {
  throw new HoldfastError('E_BAD_OPTION', `${call.label}: ${field} of connection "${call.core.name}" ${problem.slice(0, 500)}`, {
    detail: { connection: call.core.name, field },
  });
}

function judgement(said: boolean | 'throttle' | 'transient' | 'permanent', call: Call): Facts['judged'] {
  if (said === true) return undefined;
  if (said === false) return 'permanent';
  if (said === 'throttle' || said === 'transient' || said === 'permanent') return said;
  return misjudged(call, 'successWhen', `must answer true, false, 'throttle', 'transient' or 'permanent', not ${String(said)}`);
}

function serversWord(value: string | undefined): boolean | undefined {
  const word = value?.trim().toLowerCase();
  return word === 'true' ? true : word === 'false' ? false : undefined;
}

export function replyOf(answer: Answer, call: Call, fetched?: Fetched): Reply {
  return readReply(JSON.parse(storeReply(answer)) as StoredReply, call.as, true, fetched);
}
