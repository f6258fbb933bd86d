/**
 * What one attempt's event means and what follows from it: every row of the classification table, as one pure function.
 * Statuses that were accepted outrank every row; then the phase decides, then the status. Knows no times and no counts so far.
 */
import type { Effect } from '../engine/operation.ts';

/** `not-sent`: no byte of the request left. `ambiguous`: sent, no whole answer. */
export type CallEvent =
  | { phase: 'deferred' }
  | { phase: 'not-sent'; why: 'name-not-found' | 'unreachable' | 'certificate' | 'guard' | 'invalid-request' }
  | { phase: 'ambiguous'; why: 'broken' | 'timeout' | 'invalid-http' }
  | { phase: 'answered'; status: number };

/** What else is known of an answer. */
export type Facts = {
  /** By `acceptStatus`. */
  accepted?: boolean;
  /** A valid `Retry-After` or one of its kin. */
  retryAfter?: boolean;
  /** A quota's `remaining` is 0. */
  exhausted?: boolean;
  /** `x-should-retry`, `stripe-should-retry`. */
  shouldRetry?: boolean | undefined;
  /** `Idempotent-Replayed: true`: the same key gives the same answer for ever. */
  replayed?: boolean;
  /** The credential can be read again, and has not been in this attempt. */
  refreshable?: boolean;
  /** 409: the first request with this key is still being worked on. */
  inFlight?: boolean;
  /** 503: nothing was done. */
  untouched?: boolean;
  /** What `successWhen` made of a 2xx. */
  judged?: 'throttle' | 'transient' | 'permanent' | undefined;
  /** The body was over the cap, and that is to fail. */
  tooLarge?: boolean;
  /** `goneIsDone`: a status that says that it is done already, after an attempt that may have done it. */
  gone?: boolean;
};

export type Row =
  | 'refused before sending'
  | 'name not found'
  | 'unreachable'
  | 'certificate'
  | 'guard'
  | 'invalid request'
  | 'broken after sending'
  | 'body over the cap'
  | 'invalid HTTP'
  | 'accepted status'
  | 'gone is done'
  | '2xx'
  | '2xx judged'
  | '3xx'
  | '401 with managed token'
  | '403 with quota markers'
  | '408 425 421'
  | '409'
  | '409 in flight'
  | '413 423 424 with Retry-After'
  | 'throttle'
  | '503 without a hint'
  | '500'
  | '500 replayed'
  | 'ambiguous gateway'
  | 'gateway could not connect'
  | 'permanent 5xx'
  | 'other 4xx'
  | 'other 5xx'
  | 'should-retry: true'
  | 'should-retry: false';

export type Class = 'deferred' | 'not-sent' | 'ambiguous' | 'permanent' | 'success' | 'auth' | 'conflict' | 'throttle' | 'transient';

export type Decision = {
  row: Row;
  class: Class;
  /** `wait` uses up a throttle, `retry` an attempt, `refresh` and `later` nothing. */
  act: 'done' | 'retry' | 'wait' | 'refresh' | 'later' | 'unknown' | 'fail';
  /** Counts as a failure for the breaker. */
  breaker: boolean;
  /** Retried at most so often, whatever the policy allows. */
  retries?: number;
  /** The next attempt is not to use the same socket. */
  fresh?: true;
  /** A wait of its own in place of the usual backoff, ms from–to. */
  between?: readonly [number, number];
};

export function classify(event: CallEvent, effect: Effect, facts: Facts = {}): Decision {
  switch (event.phase) {
    case 'deferred':
      return row('refused before sending', 'deferred', 'later');
    case 'not-sent':
      return notSent(event.why);
    case 'ambiguous':
      if (event.why === 'invalid-http') return { ...row('invalid HTTP', 'ambiguous', unlessUnsafe(effect), true), retries: 1, fresh: true };
      return { ...row('broken after sending', 'ambiguous', unlessUnsafe(effect), true), fresh: true };
    case 'answered':
      return answered(event.status, effect, facts);
  }
}

function notSent(why: Extract<CallEvent, { phase: 'not-sent' }>['why']): Decision {
  switch (why) {
    case 'name-not-found':
      return { ...row('name not found', 'not-sent', 'retry', true), retries: 2 };
    case 'unreachable':
      return row('unreachable', 'not-sent', 'retry', true);
    case 'certificate':
      return row('certificate', 'permanent', 'fail', true);
    case 'guard':
      return row('guard', 'permanent', 'fail');
    case 'invalid-request':
      return row('invalid request', 'permanent', 'fail');
  }
}

function answered(status: number, effect: Effect, facts: Facts): Decision {
  if (facts.accepted) return row('accepted status', 'success', 'done');
  if (facts.gone && effect === 'idempotent') return row('gone is done', 'success', 'done');
  // Of a failure the status says more: a 504 may have happened, and a 429 is waited out, whatever the length of its page.
  if (status >= 200 && status < 300) return facts.tooLarge ? overCap(effect) : success(effect, facts.judged);
  return serversWord(byStatus(status, effect, facts), facts.shouldRetry);
}

/** The server's own word overrides the status rows; it makes no wait shorter, and no unknown known. */
function serversWord(decision: Decision, shouldRetry: boolean | undefined): Decision {
  // What may have happened is not made to have not happened: APIs mean the header for requests that carry a key.
  if (decision.act === 'unknown') return decision;
  const again = decision.act === 'retry' || decision.act === 'wait' || decision.act === 'refresh';
  if (shouldRetry === true && !again) return row('should-retry: true', 'transient', 'retry', decision.breaker);
  if (shouldRetry === false && again) return row('should-retry: false', 'permanent', 'fail', decision.breaker);
  return decision;
}

/** What is unsafe has happened, and a redrive would make anew what has failed: it is done, and user code is told when it gets the reply. */
function overCap(effect: Effect): Decision {
  return row('body over the cap', 'permanent', effect === 'unsafe' ? 'done' : 'fail');
}

function success(effect: Effect, judged: Facts['judged']): Decision {
  switch (judged) {
    case 'throttle':
      return row('2xx judged', 'throttle', 'wait');
    case 'transient':
      return row('2xx judged', 'transient', unlessUnsafe(effect));
    case 'permanent':
      return row('2xx judged', 'permanent', 'fail');
    default:
      return row('2xx', 'success', 'done');
  }
}

function byStatus(status: number, effect: Effect, facts: Facts): Decision {
  const hinted = facts.retryAfter === true || facts.exhausted === true;
  switch (status) {
    case 401:
      return facts.refreshable ? row('401 with managed token', 'auth', 'refresh') : row('other 4xx', 'permanent', 'fail');
    case 403:
      return hinted ? row('403 with quota markers', 'throttle', 'wait') : row('other 4xx', 'permanent', 'fail');
    case 408:
    case 421:
    case 425:
      return { ...row('408 425 421', 'not-sent', 'retry', status === 408), fresh: true };
    case 409:
      if (effect === 'keyed' && facts.inFlight)
        return { ...row('409 in flight', 'conflict', 'retry'), retries: 5, between: [1_000, 5_000] };
      return row('409', 'permanent', 'fail');
    case 413:
    case 423:
    case 424:
      return facts.retryAfter ? row('413 423 424 with Retry-After', 'throttle', 'wait') : row('other 4xx', 'permanent', 'fail');
    case 420:
    case 429:
    case 529:
      return row('throttle', 'throttle', 'wait');
    case 503:
      if (hinted) return row('throttle', 'throttle', 'wait');
      return row('503 without a hint', 'transient', facts.untouched ? 'retry' : unlessUnsafe(effect), true);
    case 502:
    case 504:
    case 520:
    case 524:
    case 527:
      return row('ambiguous gateway', 'ambiguous', unlessUnsafe(effect), true);
    case 521:
    case 522:
    case 523:
      return row('gateway could not connect', 'not-sent', 'retry', true);
    case 501:
    case 505:
    case 506:
    case 508:
    case 510:
    case 511:
      return row('permanent 5xx', 'permanent', 'fail');
    case 525:
    case 526:
      return row('permanent 5xx', 'permanent', 'fail', true);
  }
  if (status < 400) return row('3xx', 'permanent', 'fail');
  if (status < 500) return row('other 4xx', 'permanent', 'fail');
  if (effect === 'keyed' && facts.replayed) return row('500 replayed', 'permanent', 'fail', true);
  return { ...row(status === 500 ? '500' : 'other 5xx', 'transient', unlessUnsafe(effect), true), retries: 3 };
}

/** The statuses that say where else to look. The others of 3xx are answers. */
export const isRedirect = (status: number): boolean =>
  status === 301 || status === 302 || status === 303 || status === 307 || status === 308;

function unlessUnsafe(effect: Effect): 'retry' | 'unknown' {
  return effect === 'unsafe' ? 'unknown' : 'retry';
}

function row(name: Row, kind: Class, act: Decision['act'], breaker = false): Decision {
  return { row: name, class: kind, act, breaker };
}
