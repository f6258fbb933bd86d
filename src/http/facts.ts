/** Reads out of an answer what the classification asks for. */
import type { Call } from './call.ts';
import type { Facts } from './classify.ts';
import type { Answer, WireEvent } from './exchange.ts';
import { type Hints, readHints } from './hints.ts';
import { type Fetched, type Reply, readReply, type StoredReply, storeReply } from './reply.ts';

const NO_HINTS: Hints = { retryAfter: false, exhausted: false, ignored: [] };
const THROTTLING = new Set([403, 413, 420, 423, 424, 429, 503, 529]);

/** `fetched`: the body, where it is not in the event and somebody is to judge it. */
export function factsOf(
  event: WireEvent,
  call: Call,
  now: { now: number; refreshable: boolean; fetched?: Fetched },
): { facts: Facts; hints: Hints } {
  if (event.phase !== 'answered') return { facts: {}, hints: NO_HINTS };
  const { status, headers } = event;
  const accepted = call.accepted.has(status);
  const tooLarge = event.truncated && call.settings.onTruncated === 'fail';
  const { successWhen, inFlightWhen, unavailableMeansUntouched } = call.core.judge;
  if (status >= 200 && status < 300) {
    const judged = successWhen === undefined || accepted ? undefined : judgement(successWhen(replyOf(event, call, now.fetched)));
    return {
      facts: { accepted, tooLarge, judged },
      hints: judged === undefined ? NO_HINTS : readHints(headers, now.now, judged === 'throttle'),
    };
  }
  const hints = readHints(headers, now.now, status === 429 || status === 420 || status === 529);
  const facts: Facts = {
    accepted,
    tooLarge,
    retryAfter: hints.retryAfter,
    exhausted: hints.exhausted,
    shouldRetry: serversWord(headers['x-should-retry'] ?? headers['stripe-should-retry']),
    replayed: headers['idempotent-replayed'] === 'true',
    refreshable: now.refreshable,
    inFlight: status === 409 && inFlightWhen?.(replyOf(event, call, now.fetched)) === true,
    untouched: unavailableMeansUntouched === true,
  };
  // A Retry-After on a status that is not about waiting (a redirect, a 404) asks for nothing.
  return {
    facts,
    hints: THROTTLING.has(status) || status >= 500 || status === 408 || status === 425 || facts.shouldRetry === true ? hints : NO_HINTS,
  };
}

function judgement(said: boolean | 'throttle' | 'transient' | 'permanent'): Facts['judged'] {
  if (said === true) return undefined;
  return said === false ? 'permanent' : said;
}

function serversWord(value: string | undefined): boolean | undefined {
  const word = value?.trim().toLowerCase();
  return word === 'true' ? true : word === 'false' ? false : undefined;
}

function replyOf(answer: Answer, call: Call, fetched: Fetched | undefined): Reply {
  return readReply(JSON.parse(storeReply(answer)) as StoredReply, call.as, true, fetched);
}
