/** What a record says at a moment, for people. Decides nothing, and knows no units but milliseconds. Pure. */
import type { AdmissionRecord, ConnectionState, Limit, RateState, StateWord } from '../engine/admission-ports.ts';
import { interval } from './booking.ts';
import { breakerAt } from './breaker.ts';
import { retriesAllowed } from './budget.ts';
import { fullFrom, lineAt, timeOf } from './line.ts';
import { limitsOf } from './pace.ts';
import { numberOf, sumOf, textOf, WINDOW_MS, windowAt } from './record.ts';
import { heldWith } from './stops.ts';

/** `whole`: of its connection, where the record is an account's. */
export function shown(own: AdmissionRecord, limits: readonly Limit[], now: number, whole: AdmissionRecord = {}): ConnectionState {
  const record = heldWith(own, whole);
  const resumeAt = numberOf(record, 'resumeAt') ?? 0;
  const gated = resumeAt > now;
  const since = numberOf(record, 'heldAt');
  const breaker = breakerOf(record, now);
  const runsFrom = fullFrom(record);
  const slow = !gated && breaker.state === 'closed' && since === undefined && runsFrom > now;
  return {
    state: wordOf({ held: since !== undefined, breaker: breaker.state, gated, slow }),
    ...(gated ? { gate: { until: resumeAt } } : {}),
    ...(since === undefined ? {} : { hold: { by: textOf(record, 'heldBy') ?? '', why: textOf(record, 'heldWhy') ?? '', since } }),
    ...(slow ? { slowStart: { until: runsFrom } } : {}),
    breaker,
    budget: budgetOf(record, now),
    // Of one that makes up for a stop without limits of its own, its pace.
    rate: limitsOf(limits, own, now).map((limit, i) => rateOf(own, limit, i, now, record.heldAt !== undefined)),
  };
}

/** What stops most is said first: a hold outlasts everything, and no probe is sent before a gate. */
function wordOf(of: { held: boolean; breaker: ConnectionState['breaker']['state']; gated: boolean; slow: boolean }): StateWord {
  if (of.held) return 'held';
  if (of.breaker === 'open') return 'broken';
  if (of.gated) return 'gated';
  if (of.breaker === 'half-open') return 'half-open';
  return of.slow ? 'slow-start' : 'open';
}

function breakerOf(record: AdmissionRecord, now: number): ConnectionState['breaker'] {
  const counted = {
    opens: numberOf(record, 'opens') ?? 0,
    requests: sumOf(record, 'r', now),
    failures: sumOf(record, 'f', now),
  };
  const state = breakerAt(record, now);
  if (state === 'open') return { state, until: numberOf(record, 'openUntil') ?? 0, ...counted };
  return state === 'closed' ? { state, ...counted } : { state, good: numberOf(record, 'good') ?? 0, ...counted };
}

function budgetOf(record: AdmissionRecord, now: number): ConnectionState['budget'] {
  const window = windowAt(now);
  return {
    retries: numberOf(record, `t${window}`) ?? 0,
    allowed: retriesAllowed(record, now),
    windowEnds: (window + 1) * WINDOW_MS,
  };
}

function rateOf(record: AdmissionRecord, limit: Limit, i: number, now: number, isHeld: boolean): RateState {
  const line = lineAt(record, now);
  const step = interval(limit);
  // After a quiet time several go at once.
  const next = Math.max(line, numberOf(record, `tat${i}`) ?? 0) - (limit.burst - 1) * step;
  const nextAt = Math.max(now, Math.ceil(timeOf(record, next, now)));
  return {
    ...limit,
    // Less than what sums of fractions are wrong by is no place.
    waiting: Math.max(0, Math.ceil((next - line) / step - 1e-6)),
    ...(Number.isFinite(nextAt) && !isHeld ? { nextAt } : {}),
  };
}
