/**
 * Booking: places for a whole batch of calls, what the last ones came to, and the retries among them, in one update (GCRA, as
 * reservations: a place is booked however far away it is). Pure.
 *
 * Ahead of the line: where a tenant has made the line long, what others ask for is booked before it, and the line pauses for as long. At
 * most half of all places go that way. Who has a place in the line sees the pause when it looks before it sends (pauses.ts).
 */
import type { AdmissionChange, AdmissionCondition, AdmissionRecord, Limit } from '../engine/admission-ports.ts';
import { retriesAllowed } from './budget.ts';
import { lineAt, runsFully } from './line.ts';
import { asText, type Gap, gapIn, PAUSE_ROOM } from './pauses.ts';
import { numberOf, outdated, textOf, toThousandths, windowAt } from './record.ts';

/** A line that is longer is somebody's backlog, ms. */
const LONG_MS = 500;
/** The limits are used up to this share: clocks differ, and requests take unlike times to arrive. */
const PACE = 0.98;

/** Where a call stands: in the line, or ahead of it at a time (ms since the epoch). */
export type Place = { readonly line: number } | { readonly ahead: number };

export type Claim = {
  readonly tenant: string;
  readonly weight: number;
  readonly retry: boolean;
  /** It had a place, and came too late. */
  readonly missed: boolean;
};

/** What came of calls, not written yet: of each window requests and failures; `row`: failures since the last success, which there may have been. */
export type Counts = {
  readonly windows: ReadonlyMap<number, { readonly r: number; readonly f: number }>;
  readonly row: number;
  readonly succeeded: boolean;
};

export type Booking = {
  readonly change: AdmissionChange;
  /** In the order of the claims. Of those that must wait for a moment to be booked at all: until when, ms since the epoch. */
  placesIn(record: AdmissionRecord): (Place | { readonly notBefore: number })[];
};

/** Milliseconds of the line for one request. */
export function interval({ requests, per }: Limit): number {
  return Math.ceil((per / (requests * PACE)) * 1_000) / 1_000;
}

/** Where a call that booked now would stand, at the end of the line. */
export function endOfLine(record: AdmissionRecord, limits: readonly Limit[], now: number): number {
  const line = lineAt(record, now);
  return Math.max(...limits.map((limit, j) => Math.max(line, numberOf(record, `tat${j}`) ?? 0) - slack(limit)));
}

export function book(claims: readonly Claim[], limits: readonly Limit[], record: AdmissionRecord, counts: Counts, now: number): Booking {
  const set: Record<string, number | string> = {};
  const add: Record<string, number> = {};
  const when: AdmissionCondition[] = [];
  const line = lineAt(record, now);
  const steps = limits.map(interval);
  const long = limits.map((limit, j) => (numberOf(record, `tat${j}`) ?? 0) - slack(limit) - line > LONG_MS);
  const step = Math.max(0, ...steps.filter((_, j) => long[j]));
  const gap = step === 0 || !runsFully(record, now) ? undefined : gapIn(record, step, now);
  const { first, put, last } = split(claims, record, gap);
  const ahead = weightOf(first);
  const behind = weightOf(last);

  if (gap && ahead > 0) {
    const { pauses, passed } = gap.filled(ahead * step);
    set.pauses = asText(pauses);
    if (passed > 0) add.base = -toThousandths(passed);
    when.push(record.pauses === undefined ? { name: 'pauses', is: 'absent' } : { name: 'pauses', is: '=', value: record.pauses });
  }
  /** How far each limit is moved on. Where the line is long, the push takes the place of what is booked ahead. */
  const far = steps.map((each, j) => toThousandths(each * (behind + (long[j] ? 0 : ahead))));
  for (const [j, by] of far.entries()) {
    if (by === 0) continue;
    const name = `tat${j}`;
    if ((numberOf(record, name) ?? 0) >= line) {
      add[name] = by;
      when.push({ name, is: '>=', value: line });
    } else {
      set[name] = toThousandths(line + by);
      when.push({ name, is: '<', value: line, orAbsent: true });
    }
  }
  const heavy = tenantOf(last);
  if (heavy !== undefined && long.includes(true) && textOf(record, 'heavy') !== heavy) set.heavy = heavy;

  const again = claims.filter((claim) => claim.retry && !put.includes(claim)).length;
  if (again > 0) {
    const name = `t${windowAt(now)}`;
    add[name] = again;
    when.push({ name, is: '<=', value: retriesAllowed(record, now) - again, orAbsent: true });
  }
  for (const [window, { r, f }] of counts.windows) {
    if (r > 0) add[`r${window}`] = r;
    if (f > 0) add[`f${window}`] = f;
  }
  if (counts.succeeded) {
    if (counts.row > 0 || record.row !== undefined) set.row = counts.row;
  } else if (counts.row > 0) add.row = counts.row;

  const remove = outdated(record, now).filter((name) => !(name in add));
  return {
    change: { set, add, when, ...(remove.length === 0 ? {} : { remove }) },
    placesIn(after) {
      const places = new Map<Claim, Place | { notBefore: number }>(put.map((claim) => [claim, { notBefore: gap?.next ?? now }]));
      let before = 0;
      for (const claim of first) {
        places.set(claim, { ahead: (gap?.start ?? now) + before * step });
        before += claim.weight;
      }
      before = 0;
      for (const claim of last) {
        const stands = limits.map(
          (limit, j) => (numberOf(after, `tat${j}`) ?? 0) - behind * (steps[j] ?? 0) + before * (steps[j] ?? 0) - slack(limit),
        );
        // After a quiet time its turn would have been some time ago: it is now.
        places.set(claim, { line: Math.max(line, ...stands) });
        before += claim.weight;
      }
      return claims.map((claim) => places.get(claim) as Place | { notBefore: number });
    },
  };
}

/** How much earlier than its place in the line a call may go: after a quiet time several at once. */
function slack(limit: Limit): number {
  return (limit.burst - 1) * interval(limit);
}

/** Who is served ahead of the line, who is `put` off until there is a gap again, and who joins the line: the tenants that ask for the least first. */
function split(claims: readonly Claim[], record: AdmissionRecord, gap: Gap | undefined): { first: Claim[]; put: Claim[]; last: Claim[] } {
  const asked = new Map<string, number>();
  for (const { tenant, weight } of claims) asked.set(tenant, (asked.get(tenant) ?? 0) + weight);
  const ordered = asked.size === 1 ? claims : [...claims].sort((a, b) => (asked.get(a.tenant) ?? 0) - (asked.get(b.tenant) ?? 0));
  if (gap === undefined) return { first: [], put: [], last: [...ordered] };
  const heavy = textOf(record, 'heavy');
  const [first, put, last]: [Claim[], Claim[], Claim[]] = [[], [], []];
  let { room } = gap;
  let light = PAUSE_ROOM;
  for (const claim of ordered) {
    const isLight = claim.missed || (heavy !== undefined && claim.tenant !== heavy);
    if (!isLight || claim.weight > light) last.push(claim);
    else if (claim.weight <= room) first.push(claim);
    else put.push(claim);
    if (isLight) [room, light] = [room - claim.weight, light - claim.weight];
  }
  return { first, put, last };
}

const weightOf = (claims: readonly Claim[]): number => claims.reduce((sum, { weight }) => sum + weight, 0);

/** Whose claims are the most. */
function tenantOf(claims: readonly Claim[]): string | undefined {
  return claims.at(-1)?.tenant;
}
