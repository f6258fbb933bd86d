/** Checks what a connection says of the limits that its fleet keeps to, and turns it into numbers. Throws `E_BAD_OPTION` and `E_BAD_DURATION`. */
import type { Limit } from '../engine/admission-ports.ts';
import type { ConnectionOptions, RateLimit } from './options.ts';
import { bad, onlyKnown, positive, wholeNumber } from './settings.ts';

const MOST_LIMITS = 5;
/** Each place is an item of its own. */
const MOST_AT_ONCE = 50;

export function ratesOf(limits: ConnectionOptions['rateLimit'], where: string): readonly Limit[] {
  if (limits === undefined) return [];
  const list: readonly RateLimit[] = Array.isArray(limits) ? limits : [limits as RateLimit];
  if (list.length > MOST_LIMITS) bad(where, 'rateLimit', `can have at most ${MOST_LIMITS} limits, not ${list.length}`);
  return list.map((limit) => {
    if (typeof limit !== 'object' || limit === null) bad(where, 'rateLimit', "must be an object such as { requests: 100, per: '1s' }");
    onlyKnown(limit, new Set(['requests', 'per', 'burst']), `${where}: rateLimit`);
    const requests = wholeNumber(limit.requests, 1, where, 'rateLimit.requests');
    const burst = wholeNumber(limit.burst ?? 1, 1, where, 'rateLimit.burst');
    if (burst > requests) bad(where, 'rateLimit.burst', `must be at most requests, which is ${requests}, not ${burst}`);
    return { requests, per: positive(limit.per, where, 'rateLimit.per'), burst };
  });
}

export function concurrencyOf(most: unknown, where: string): number {
  if (most === undefined) return 0;
  const places = wholeNumber(most, 1, where, 'concurrency');
  if (places > MOST_AT_ONCE)
    bad(
      where,
      'concurrency',
      `must be at most ${MOST_AT_ONCE}, not ${places}: for more, limit how many calls a second go out, by rateLimit`,
    );
  return places;
}

export function onErrorOf(what: unknown, where: string): 'wait' | 'local' {
  if (what === undefined || what === 'wait') return 'wait';
  return what === 'local' ? what : bad(where, 'onAdmissionError', `must be 'wait' | 'local', not ${String(what)}`);
}
