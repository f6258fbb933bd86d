/**
 * A hostile hint: strings made of the grammar's own pieces and then spoilt, by the hundred for each seed. `npm run fuzz` reads a million.
 * What a string plainly says is found out here in another way than in the parser: by `Number`, and by `Date.parse`.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nextAttempt } from '../../src/http/backoff.ts';
import { classify } from '../../src/http/classify.ts';
import { readHints } from '../../src/http/hints.ts';

/** FUZZ_RUNS is 5,000 in `npm run fuzz`: so many strings are a million then. */
const STRINGS_PER_SEED = 200;
const numRuns = Number(process.env.FUZZ_RUNS ?? 100);
const YEAR_MS = 365 * 86_400_000;
const HUNDRED_YEARS_MS = 100 * YEAR_MS;

const NAMES = [
  'retry-after',
  'retry-after-ms',
  'x-ms-retry-after-ms',
  'ratelimit',
  'ratelimit-reset',
  'x-ratelimit-reset',
  'x-rate-limit-reset-tokens',
];
const WORDS = [
  '0',
  '1',
  '00',
  '30',
  '3600',
  '86400',
  '31536000',
  '999999999999',
  '1e3',
  '0x10',
  '-1',
  '+5',
  '.5',
  '5.',
  '1.5',
  '0.001',
  '1_000',
  '１２',
  '٣',
  'NaN',
  'Infinity',
  '1735689600',
  '1735689600000',
  '9007199254740993',
  '9'.repeat(400),
  '6m5s',
  '120ms',
  '1h',
  '1d2h3m4s5ms',
  '5m',
  '1ms5s',
  'PT5S',
  's',
  'ms',
  '1 s',
  'Sun, 06 Nov 1994 08:49:37 GMT',
  'Sunday, 06-Nov-94 08:49:37 GMT',
  'Sun Nov  6 08:49:37 1994',
  'Fri, 31 Dec 2999 23:59:59 GMT',
  'Sat, 31 Dec 2016 23:59:60 GMT',
  'Thu, 01 Jan 1970 00:00:00 GMT',
  'Tue, 30 Feb 2027 00:00:00 GMT',
  'Wed, 21 Oct 2026 07:28:00 +0100',
  'Wed, 21 Oct 2026 25:00:00 GMT',
  '2026-10-21T07:28:00Z',
  '"default";r=0;t=5',
  'limit=100, remaining=0, reset=30',
  '"a";r=1;t=9, "b";r=0;t=60',
  'r=0',
  't=9',
  '"a;r=0;t=1";r=0;t=7',
  'never',
  'true',
  '',
  ' ',
  ',',
  ', ,',
  ';',
  '=',
  '\t',
  '\u0000',
  '\u00a0',
  '\ud800',
  '🕰',
];
const ALPHABET = [...'0123456789.,;:=-+" \teExXmsdhrtGMTSunNov'];

/** xorshift32: fast-check's own strings are too slow for a million of these. */
function dice(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

function spoilt(roll: (below: number) => number): string {
  const pick = <T>(list: readonly T[]): T => list[roll(list.length)] as T;
  const kind = roll(16);
  let text = pick(WORDS);
  if (kind < 4) text = new Date(roll(2_000_000_000) * 1_000 + roll(3) * 1e11).toUTCString();
  else if (kind < 7) text = `${roll(10 ** roll(10))}${roll(2) === 0 ? '' : `.${roll(1_000)}`}`;
  for (let times = roll(4); times > 0; times--) {
    const at = roll(text.length + 1);
    switch (roll(6)) {
      case 0:
        text = text.slice(0, at) + text.slice(at + 1);
        break;
      case 1:
        text = text.slice(0, at) + pick(ALPHABET) + text.slice(at);
        break;
      case 2:
        text = text.slice(0, at) + pick(ALPHABET) + text.slice(at + 1);
        break;
      case 3:
        text = `${text}${pick([',', ', ', ' ', ';', ''])}${pick(WORDS)}`;
        break;
      case 4:
        text = text.slice(0, at);
        break;
      default:
        text = text.slice(at) + text.slice(0, at);
    }
  }
  return text;
}

/** How long a text plainly asks to wait, ms; `undefined` where it does not say so plainly. */
function plainly(name: string, text: string, sent: number): number | undefined {
  const trimmed = text.trim();
  const unit = name.endsWith('-ms') ? 1 : 1_000;
  if (/^[0-9]+(?:\.[0-9]+)?$/.test(trimmed)) {
    const value = Number(trimmed);
    if (!name.includes('reset') || value < 1e8) return value * unit;
    return Math.max(0, (value >= 1e11 ? value : value * 1_000) - sent);
  }
  // `Date.parse` takes much for a date; what is written exactly as `toUTCString` writes it is one.
  const time = Date.parse(trimmed);
  // HTTP's years have four digits.
  return time < Date.UTC(10_000, 0) && new Date(time).toUTCString() === trimmed ? Math.max(0, time - sent) : undefined;
}

test('whatever is written into a hint, it is read without a throw, as a time that is finite, not negative, and never early', () => {
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: Date.UTC(2000, 0), max: Date.UTC(2060, 0) }), (seed, ours) => {
      const roll = dice(seed);
      const now = Math.floor(ours / 1_000) * 1_000;
      for (let n = 0; n < STRINGS_PER_SEED; n++) {
        const name = NAMES[roll(NAMES.length)] as string;
        const text = spoilt(roll);
        const skew = roll(3) === 0 ? roll(10_000_000) * 1_000 : 0;
        const headers: Record<string, string> = { [name]: text, ...(skew === 0 ? {} : { date: new Date(now + skew).toUTCString() }) };
        const { hint, ignored } = readHints(headers, now, true);
        const wanted = name === 'ratelimit' ? undefined : plainly(name, text, now + skew);
        const where = JSON.stringify({ seed, headers, now, hint, wanted });
        if (hint === undefined) {
          // A valid wait is never dropped, and what is dropped is named.
          if (wanted !== undefined) throw new Error(`not read: ${where}`);
          if (name !== 'ratelimit' && !ignored.includes(name)) throw new Error(`not named: ${where}`);
          continue;
        }
        if (!Number.isFinite(hint.delay) || hint.delay < 0 || hint.delay > HUNDRED_YEARS_MS) throw new Error(`no time: ${where}`);
        if (wanted !== undefined && hint.delay < Math.min(wanted, HUNDRED_YEARS_MS)) throw new Error(`early: ${where}`);
        const next = waits(hint.delay, now, roll(1_000) / 1_000);
        if ('at' in next && next.at !== undefined && !(next.at - now >= hint.delay)) throw new Error(`early with jitter: ${where}`);
      }
    }),
    { numRuns },
  );
});

test('a wait that goes beyond the deadline is never made shorter: the call is over, and says when it could have been made', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 * 365 }), fc.integer({ min: 0, max: YEAR_MS }), (days, deadline) => {
      const { hint } = readHints({ 'retry-after': String(days * 86_400) }, Date.UTC(2026, 0), true);
      const delay = hint?.delay ?? Number.NaN;
      expect(delay).toBe(Math.min(days * 86_400_000, HUNDRED_YEARS_MS));
      const next = waits(delay, 0, 0, deadline);
      if (delay > deadline) expect(next).toEqual({ over: 'deadline', at: delay });
      else expect(next).toMatchObject({ counts: 'throttle' });
    }),
    { numRuns },
  );
});

function waits(delay: number, now: number, chance: number, deadline = 1e15): ReturnType<typeof nextAttempt> {
  return nextAttempt(
    classify({ phase: 'answered', status: 429 }, 'safe'),
    { delay, source: 'retry-after' },
    {
      policy: { attempts: 6, throttles: 100, deadline },
      attempt: 1,
      throttles: 0,
      issuedAt: now,
      now,
      quickRetries: 0,
      remaining: 60_000,
      window: 0,
      random: () => chance,
    },
  );
}
