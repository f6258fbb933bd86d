/**
 * When an API says that it may be called again. Reads headers and nothing else; never throws, and what it does not understand
 * it ignores and names. Dates are read against the reply's own `Date`, so that the two clocks need not agree.
 */
import { httpDate } from './http-date.ts';

export type Hint = {
  /** How long from the reply on, ms ≥ 0. */
  delay: number;
  /** The header it is from. */
  source: string;
};

export type Hints = {
  hint?: Hint;
  /** `Retry-After` or one of its kin is there and valid. */
  retryAfter: boolean;
  /** A quota is used up. */
  exhausted: boolean;
  /** Headers of this kind that could not be read. */
  ignored: string[];
};

/** A hundred years: longer than any deadline, short enough to stay a time. */
export const FOREVER_MS = 100 * 365 * 86_400_000;
const NOTHING: Hints = Object.freeze({ retryAfter: false, exhausted: false, ignored: [] });

const RETRY_AFTER = [
  ['retry-after-ms', 1],
  ['retry-after', 1_000],
  ['x-ms-retry-after-ms', 1],
] as const;

const QUOTA = /^(?:x-)?rate-?limit/;
const RESET = /^((?:x-)?rate-?limit)-reset(-.+)?$/;

/** `now`: when the reply came, ms since the epoch, for replies without a `Date`. `throttled`: its status alone says that a quota is used up. */
export function readHints(headers: Readonly<Record<string, string>>, now: number, throttled = false): Hints {
  const names = Object.keys(headers).filter((name) => name.includes('retry-after') || QUOTA.test(name));
  if (names.length === 0) return NOTHING;
  const sent = sentAt(headers, now);
  const ignored: string[] = [];
  let hint: Hint | undefined;
  for (const [source, unit] of RETRY_AFTER) {
    const text = headers[source];
    if (text === undefined) continue;
    const delay = longest(text, (one) => retryAfter(one, unit, sent));
    if (delay === undefined) ignored.push(source);
    else hint ??= { delay, source };
  }
  const quota = readQuota(headers, names, sent, throttled, ignored);
  const found = hint ?? quota.hint;
  return { ...(found === undefined ? {} : { hint: found }), retryAfter: hint !== undefined, exhausted: quota.exhausted, ignored };
}

/** Of any answer, a success too: how long its quota is used up, ms > 0. `undefined` where it says no such thing. */
export function exhaustedFor(headers: Readonly<Record<string, string>>, now: number): number | undefined {
  if (!hasQuota(headers)) return undefined;
  const names = Object.keys(headers).filter((name) => QUOTA.test(name));
  const { exhausted, hint } = readQuota(headers, names, sentAt(headers, now), false, []);
  return exhausted && hint !== undefined && hint.delay > 0 ? hint.delay : undefined;
}

/** Asked of every answer, of which most have none. */
function hasQuota(headers: Readonly<Record<string, string>>): boolean {
  for (const name in headers) {
    const first = name[0];
    if ((first === 'r' || first === 'x') && QUOTA.test(name)) return true;
  }
  return false;
}

/** When the reply was sent, by the API's own clock. */
export function sentAt(headers: Readonly<Record<string, string>>, now: number): number {
  return (headers.date === undefined ? undefined : httpDate(headers.date, now)) ?? now;
}

/** Several limits may be used up at once: the longest wait counts. */
function readQuota(
  headers: Readonly<Record<string, string>>,
  names: readonly string[],
  sent: number,
  throttled: boolean,
  ignored: string[],
) {
  let hint: Hint | undefined;
  let exhausted = false;
  const add = (delay: number | undefined, source: string, remaining: string | undefined) => {
    const none = remaining !== undefined && /^\s*0+(\.0+)?\s*$/.test(remaining);
    if (none) exhausted = true;
    if (!none && !(throttled && remaining === undefined)) return;
    if (delay === undefined) ignored.push(source);
    else if (hint === undefined || delay > hint.delay) hint = { delay, source };
  };
  for (const name of names) {
    const text = headers[name] as string;
    if (name === 'ratelimit') {
      for (const policy of text.split(/,(?=\s*"|\s*[a-z*]+\s*;)/i)) {
        const remaining = /(?:^|[;,\s])(?:r|remaining)\s*=\s*(\d+)/.exec(policy)?.[1];
        const reset = /(?:^|[;,\s])(?:t|reset)\s*=\s*(\d+)/.exec(policy)?.[1];
        add(reset === undefined ? undefined : scaled(Number(reset), 1_000), name, remaining);
      }
      continue;
    }
    const reset = RESET.exec(name);
    if (reset)
      add(
        longest(text, (one) => moment(one, sent)),
        name,
        headers[`${reset[1]}-remaining${reset[2] ?? ''}`],
      );
    // A remaining of 0 without a time is a marker all the same.
    else if (name.includes('-remaining') && /^\s*0+\s*$/.test(text)) exhausted = true;
  }
  return { hint, exhausted };
}

/** A header that came twice is joined by commas; dates have one of their own. */
function longest(text: string, read: (one: string) => number | undefined): number | undefined {
  const whole = read(text.trim());
  if (whole !== undefined) return whole;
  let best: number | undefined;
  for (const part of text.split(/,\s*(?=\d|[A-Z][a-z]+,\s)/)) {
    const value = read(part.trim());
    if (value !== undefined && (best === undefined || value > best)) best = value;
  }
  return best;
}

function retryAfter(text: string, unit: number, sent: number): number | undefined {
  if (/^\d+(\.\d+)?$/.test(text)) return scaled(Number(text), unit);
  const date = httpDate(text, sent);
  return date === undefined ? span(text) : Math.min(FOREVER_MS, Math.max(0, date - sent));
}

/** Seconds to come, a span such as `6m5s`, or a moment: epoch seconds or milliseconds by their size, an HTTP date. */
function moment(text: string, sent: number): number | undefined {
  if (/^\d+(\.\d+)?$/.test(text)) {
    const value = Number(text);
    if (value >= 1e8) return scaled(Math.max(0, (value >= 1e11 ? value : value * 1_000) - sent), 1);
    return scaled(value, 1_000);
  }
  const date = httpDate(text, sent);
  return date === undefined ? span(text) : Math.min(FOREVER_MS, Math.max(0, date - sent));
}

const SPAN = /^(?:(\d+(?:\.\d+)?)d)?(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?$/;

function span(text: string): number | undefined {
  const match = text === '' ? null : SPAN.exec(text);
  if (!match) return undefined;
  const [, d = 0, h = 0, m = 0, s = 0, ms = 0] = match;
  return scaled(Number(d) * 86_400_000 + Number(h) * 3_600_000 + Number(m) * 60_000 + Number(s) * 1_000 + Number(ms), 1);
}

/** Rounded up: never early. */
function scaled(value: number, unit: number): number {
  return Math.min(FOREVER_MS, Math.ceil(value * unit));
}
