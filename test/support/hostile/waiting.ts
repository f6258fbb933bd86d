/** Every form in which a server says when it may be called again, with the wait that each one means. */
import { dateOf, type HeaderList } from './answers.ts';
import type { Context, Dice } from './fate.ts';

export type Hint = {
  name: string;
  /** Milliseconds that are meant, from the answer on. */
  delay: number;
  headers: (context: Context) => HeaderList;
  /** It says that a quota is used up, and not that one should come again: too little for a 413. */
  quota?: true;
};

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const pad = (value: number): string => String(value).padStart(2, '0');

/** The server's date of that many seconds after its own `Date`. */
const later = ({ now, skew }: Context, seconds: number): Date => new Date(Math.floor((now + skew) / 1_000) * 1_000 + seconds * 1_000);
const clock = (date: Date): string => `${pad(date.getUTCHours())}:${pad(date.getUTCMinutes())}:${pad(date.getUTCSeconds())}`;
const month = (date: Date): string => date.toUTCString().slice(8, 11);

export const rfc850 = (date: Date): string =>
  `${DAYS[date.getUTCDay()]}, ${pad(date.getUTCDate())}-${month(date)}-${pad(date.getUTCFullYear() % 100)} ${clock(date)} GMT`;
export const asctime = (date: Date): string =>
  `${date.toUTCString().slice(0, 3)} ${month(date)} ${String(date.getUTCDate()).padStart(2)} ${clock(date)} ${date.getUTCFullYear()}`;

type Form = (seconds: number) => Hint;

const plain = (name: string, header: string, value: (seconds: number) => string): Form => {
  return (seconds) => ({ name, delay: seconds * 1_000, headers: () => [[header, value(seconds)]] });
};
const dated = (name: string, write: (date: Date) => string): Form => {
  return (seconds) => ({ name, delay: seconds * 1_000, headers: (context) => [['Retry-After', write(later(context, seconds))]] });
};
const quota = (name: string, headers: (context: Context, seconds: number) => HeaderList): Form => {
  return (seconds) => ({ name, delay: seconds * 1_000, quota: true, headers: (context) => headers(context, seconds) });
};
const span = (seconds: number): string => {
  const [h, m, s] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, seconds % 60];
  return `${h > 0 ? `${h}h` : ''}${m > 0 ? `${m}m` : ''}${s}s`;
};

export const FORMS: readonly Form[] = [
  plain('seconds', 'Retry-After', (seconds) => String(seconds)),
  plain('decimals', 'retry-after', (seconds) => `${seconds}.0`),
  plain('ms', 'Retry-After-Ms', (seconds) => String(seconds * 1_000)),
  plain('x-ms', 'x-ms-retry-after-ms', (seconds) => String(seconds * 1_000)),
  plain('span', 'Retry-After', span),
  plain('span of ms', 'Retry-After', (seconds) => `${seconds * 1_000}ms`),
  dated('IMF-fixdate', (date) => date.toUTCString()),
  dated('RFC 850 date', rfc850),
  dated('asctime date', asctime),
  quota('RateLimit of two policies', (_, seconds) => [['RateLimit', `"burst";r=10;t=1, "day";r=0;t=${seconds}`]]),
  quota('RateLimit of an older draft', (_, seconds) => [['RateLimit', `limit=10, remaining=0, reset=${seconds}`]]),
  quota('RateLimit-Reset', (_, seconds) => [
    ['RateLimit-Limit', '10'],
    ['RateLimit-Remaining', '0'],
    ['RateLimit-Reset', String(seconds)],
  ]),
  quota('X-RateLimit-Reset, epoch seconds', (context, seconds) => [
    ['X-RateLimit-Remaining', '0'],
    ['X-RateLimit-Reset', String(Math.floor(later(context, seconds).getTime() / 1_000))],
  ]),
  quota('X-RateLimit-Reset, epoch ms', (context, seconds) => [
    ['X-RateLimit-Remaining', '0'],
    ['X-RateLimit-Reset', String(later(context, seconds).getTime())],
  ]),
  quota('X-RateLimit-Reset of two limits', (_, seconds) => [
    ['x-ratelimit-remaining-requests', '0'],
    ['x-ratelimit-reset-requests', '1s'],
    ['x-ratelimit-remaining-tokens', '0'],
    ['x-ratelimit-reset-tokens', span(seconds)],
  ]),
];

/** Nobody can wait for these. */
export const FOR_EVER: readonly Form[] = [
  plain('a year', 'Retry-After', () => String(365 * 86_400)),
  plain('more digits than a number has', 'Retry-After', () => '9'.repeat(400)),
  dated('the year 9999', () => 'Fri, 31 Dec 9999 23:59:59 GMT'),
];

/** What is not a time, and asks for nothing. */
export const UNREADABLE: readonly Hint[] = ['-5', 'soon', '1e3', 'NaN', 'Thu, 99 Foo 2026 99:99:99 GMT', '0x10', '5;', ' '].map(
  (value) => ({
    name: `unreadable ${JSON.stringify(value)}`,
    delay: 0,
    headers: () => [['Retry-After', value]],
  }),
);

/** Up to two hours: parked, and often longer than a queue can delay. */
export function hint(dice: Dice): Hint {
  return dice.pick(FORMS)(dice.pick([0, 1, 2, 3, 10, 59, 90, 365, 1_800, dice.whole(1, 7_200)]));
}

/** A date in the past and `Date` missing: read against our own clock, nothing is left to wait. */
export const past: Hint = {
  name: 'a date in the past',
  delay: 0,
  headers: (context) => [['Retry-After', dateOf({ ...context, now: context.now - 60_000 })]],
};
