/** Whether a call may be sent now, as its connection's record says: the order of checks, and what each of them answers. Pure. */
import type { AdmissionRecord, Holdup, Limit } from '../engine/admission-ports.ts';
import { endOfLine, type Place } from './booking.ts';
import { mayProbe } from './breaker.ts';
import { nextWindow, retriesLeft } from './budget.ts';
import { fullFrom, timeOf } from './line.ts';
import { isProbed, numberOf } from './record.ts';

/** A place that was reached longer ago is gone, ms: those who come late would come together. */
export const LATE_MS = 100;
/** Half open, it may be closed at any moment. */
const HALF_OPEN_MS = 500;
const HELD_LEAST_MS = 30_000;
const HELD_MOST_MS = 300_000;

export type Standing =
  | { readonly do: 'go' }
  /** It needs a place, or to be counted as a retry. */
  | { readonly do: 'book'; readonly missed: boolean; readonly due: number }
  | { readonly do: 'wait'; readonly until: number; readonly why: Holdup }
  | { readonly do: 'probe' };

export type Caller = {
  readonly limits: readonly Limit[];
  /** They are a pace, not what an API has published: who is late does no harm. */
  readonly isPaced?: boolean;
  readonly isSafe: boolean;
  /** A retry that the budget has not let pass yet. */
  readonly uncounted: boolean;
  readonly place: Place | undefined;
  /** It is about to be sent: no place is too late any more, and a probe is held up neither by what it probes nor by the line, which stands. */
  readonly sending?: 'call' | 'probe';
};

/** Hold, breaker, gate, budget, rate: nothing scarce is taken before a refusal. */
export function standing(record: AdmissionRecord, caller: Caller, now: number, random: () => number): Standing {
  const { limits, place } = caller;
  const heldAt = numberOf(record, 'heldAt');
  if (heldAt !== undefined) {
    const look = Math.min(HELD_MOST_MS, Math.max(HELD_LEAST_MS, (now - heldAt) / 2));
    return { do: 'wait', until: now + Math.ceil(look * (1 + random() / 2)), why: 'hold' };
  }
  const limited = limits.length > 0;
  const resumeAt = numberOf(record, 'resumeAt') ?? 0;
  // The place of a probe has its turn when the line runs again.
  if (caller.sending === 'probe') return resumeAt > now ? { do: 'wait', until: resumeAt, why: 'gate' } : { do: 'go' };
  // A place in the line costs nothing while the line stands, and says who is served first when it runs again.
  if (limited && place === undefined && !caller.uncounted) return { do: 'book', missed: false, due: due(record, limits, now) };
  if (record.breaker !== undefined) return broken(record, caller, now, random);
  if (resumeAt > now && (!limited || place === undefined)) {
    const spread = Math.min(30_000, 1_000 + 0.1 * (resumeAt - now));
    return { do: 'wait', until: resumeAt + Math.ceil(random() * spread), why: 'gate' };
  }
  if (caller.uncounted) {
    if (retriesLeft(record, now) <= 0) return { do: 'wait', until: nextWindow(now, random), why: 'budget' };
    return { do: 'book', missed: false, due: limited ? due(record, limits, now) : now };
  }
  if (place === undefined || !limited) return { do: 'go' };
  // Those ahead that a stop has overtaken would all be sent the moment it ends: they are booked anew, once there are places ahead again.
  if ('ahead' in place && place.ahead < resumeAt && (caller.sending === undefined || resumeAt > now)) {
    const full = Math.ceil(fullFrom(record));
    return full > now ? { do: 'wait', until: full, why: 'gate' } : { do: 'book', missed: true, due: due(record, limits, now) };
  }
  const at = 'ahead' in place ? Math.max(place.ahead, resumeAt) : timeOf(record, place.line, now);
  if (at > now) return { do: 'wait', until: Math.ceil(at), why: resumeAt > now ? 'gate' : 'rate' };
  if (now - at > LATE_MS && caller.sending === undefined && !caller.isPaced)
    return { do: 'book', missed: true, due: due(record, limits, now) };
  return { do: 'go' };
}

function broken(record: AdmissionRecord, { place, isSafe, limits }: Caller, now: number, random: () => number): Standing {
  // Who has been told to wait is not asked whether it is back.
  if (mayProbe(record, isSafe, now)) return { do: 'probe' };
  const openUntil = Math.max(now, numberOf(record, 'openUntil') ?? 0, numberOf(record, 'resumeAt') ?? 0);
  // Between probes, and before one that changes something.
  const soon = now + Math.ceil(HALF_OPEN_MS * (1 + random()));
  const isHalf = openUntil === now || (isProbed(record, now) && now >= (numberOf(record, 'resumeAt') ?? 0));
  if (limits.length > 0 && place && 'line' in place) {
    // Those whose turn comes first look first, and are the probes.
    const turn = timeOf(record, place.line, now);
    return { do: 'wait', until: Math.ceil(isHalf ? Math.max(soon, turn) : turn), why: 'breaker' };
  }
  return { do: 'wait', until: isHalf ? soon : openUntil + Math.ceil((random() * (openUntil - now)) / 2), why: 'breaker' };
}

/** When a call that booked now would have its turn. */
function due(record: AdmissionRecord, limits: readonly Limit[], now: number): number {
  return timeOf(record, endOfLine(record, limits, now), now);
}
