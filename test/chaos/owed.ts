/**
 * What must have become of a call, worked out from what it met: the design's table walked by hand. Written from the design and
 * knowing none of the code that it judges.
 */
import type { Safety } from '../support/hostile/fate.ts';
import type { Arrival } from '../support/hostile/server.ts';
import { type CallPlan, PERSON_TRIES } from './plan.ts';

export type Due = {
  /** `open`: it has not met its end yet, and must have been sent again. */
  end: 'ok' | 'failed' | 'unknown' | 'open';
  code?: 'E_CALL_FAILED' | 'E_DEADLINE' | 'E_UNKNOWN_OUTCOME';
  truncated: boolean;
  /** The row of each attempt that came to something. */
  rows: readonly string[];
  /** Unknown outcomes on the way, settled ones included. */
  unknowns: number;
  /** It gave up on something that may have happened. */
  maybe: boolean;
  /** Sendings that should not have been. */
  faults: readonly string[];
};

const AMBIGUOUS = new Set(['broken after sending', 'invalid HTTP', 'ambiguous gateway']);

/** `rows`: those recorded, for where the kernel decides between two that are both right. */
export function due(call: CallPlan, arrivals: readonly Arrival[], recorded: readonly string[]): Due {
  const { safety, asked, attempts, throttles: mostThrottles, strict } = call;
  const rows: string[] = [];
  const faults: string[] = [];
  let over: Pick<Due, 'end' | 'code' | 'truncated' | 'maybe'> | undefined;
  let attempt = 1;
  let throttles = 0;
  let unknowns = 0;
  let persons = 0;
  /** Within one attempt. */
  let resent = false;
  let refreshed = false;
  let happened = false;
  let fresh = safety === 'unsafe';

  const end = (how: Due['end'], code?: Due['code'], more: { truncated?: boolean; maybe?: boolean } = {}) => {
    over = { end: how, ...(code === undefined ? {} : { code }), truncated: more.truncated ?? false, maybe: more.maybe ?? false };
  };

  for (const arrival of arrivals) {
    if (over) {
      faults.push(`sent again (${arrival.n}, ${arrival.fate.name}) after its end`);
      continue;
    }
    if (arrival.effect) happened = true;
    if (fresh && arrival.reused) faults.push(`sending ${arrival.n} should have had a socket of its own`);
    if (arrival.stale) {
      if (safety === 'unsafe') faults.push('an unsafe call went out on a socket that was used before');
      if (!resent) {
        resent = true;
        fresh = true;
        continue;
      }
    }
    const owes = arrival.stale ? { row: 'broken after sending', act: 'retry' as const } : arrival.fate.owes(safety);
    if (owes.unanswered && arrival.reused && !resent && safety !== 'unsafe') {
      resent = true;
      fresh = true;
      continue;
    }
    let { row, act } = owes;
    if (act === 'refresh') {
      if (!refreshed) {
        refreshed = true;
        continue;
      }
      row = 'other 4xx';
      act = 'fail';
    }
    if (owes.truncated && strict) {
      row = 'body over the cap';
      act = 'fail';
    }
    if (owes.or && recorded[rows.length] === owes.or.row) {
      row = owes.or.row;
      act = safety === 'unsafe' ? owes.or.unsafe : act;
    }
    rows.push(row);
    resent = false;
    refreshed = false;
    fresh = safety === 'unsafe' || owes.fresh === true;
    switch (act) {
      case 'done':
        end('ok', undefined, { truncated: owes.truncated === true });
        break;
      case 'fail':
        end('failed', 'E_CALL_FAILED');
        break;
      case 'unknown':
        unknowns += 1;
        if (asked === 'code') end('unknown', 'E_UNKNOWN_OUTCOME');
        else if (happened) end('ok');
        // The API is asked as often as it is called; after that, a person is.
        else if ((asked === 'person' || attempt >= attempts) && ++persons > PERSON_TRIES) end('unknown', 'E_UNKNOWN_OUTCOME');
        else attempt += 1;
        break;
      case 'wait':
        if (throttles >= mostThrottles) end('failed', 'E_CALL_FAILED');
        else if (owes.hint === Number.POSITIVE_INFINITY) end('failed', 'E_DEADLINE');
        else throttles += 1;
        break;
      default:
        if (attempt >= Math.min(attempts, (owes.retries ?? attempts) + 1))
          end('failed', 'E_CALL_FAILED', { maybe: AMBIGUOUS.has(row) && safety !== 'safe' });
        else attempt += 1;
    }
  }
  return { end: 'open', truncated: false, maybe: false, ...over, rows, unknowns, faults };
}

/** Sendings that came before the time that the last answer gave. */
export function early(safety: Safety, arrivals: readonly Arrival[]): { checked: number; faults: string[] } {
  const faults: string[] = [];
  let checked = 0;
  let notBefore = 0;
  let because = '';
  let life = 0;
  for (const arrival of arrivals) {
    // What a process that was killed had been told was lost with it.
    if (notBefore > 0 && arrival.life === life) {
      checked += 1;
      if (arrival.at < notBefore) faults.push(`sending ${arrival.n} came ${notBefore - arrival.at} ms early, after ${because}`);
    }
    const { hint, act } = arrival.fate.owes(safety);
    notBefore = 0;
    life = arrival.life;
    if (!arrival.stale && hint !== undefined && Number.isFinite(hint) && act !== 'fail' && arrival.answeredAt !== undefined) {
      notBefore = arrival.answeredAt + hint;
      because = arrival.fate.name;
    }
  }
  return { checked, faults };
}
