import { describe, expect, it } from 'vitest';
import { readHints } from '../../src/http/hints.ts';
import { httpDate } from '../../src/http/http-date.ts';

const NOW = Date.UTC(2026, 0, 5, 12, 0, 0);
/** The server's clock is ten minutes behind. */
const SERVER_DATE = 'Mon, 05 Jan 2026 11:50:00 GMT';

describe('Retry-After', () => {
  it.each([
    ['120', 120_000],
    ['0', 0],
    ['1.5', 1_500],
    ['Mon, 05 Jan 2026 11:50:30 GMT', 30_000],
    ['Monday, 05-Jan-26 11:50:30 GMT', 30_000],
    ['Mon Jan  5 11:50:30 2026', 30_000],
    ['Mon, 05 Jan 2026 11:00:00 GMT', 0],
    ['6m5s', 365_000],
    ['120ms', 120],
    ['10, 20', 20_000],
  ])('is read as %s → %d ms, dates against the reply’s own Date', (value, delay) => {
    const hints = readHints({ date: SERVER_DATE, 'retry-after': value }, NOW);
    expect(hints).toMatchObject({ hint: { delay, source: 'retry-after' }, retryAfter: true, ignored: [] });
  });

  it('reads a date against our clock where the reply has no Date', () => {
    expect(readHints({ 'retry-after': 'Mon, 05 Jan 2026 12:00:10 GMT' }, NOW).hint?.delay).toBe(10_000);
  });

  it.each([
    '',
    '-5',
    '+5',
    '1e3',
    'NaN',
    'Infinity',
    'soon',
    '0x10',
    'Mon, 05 Jan 2026 25:00:00 GMT',
    'Mon, 31 Feb 2026 11:00:00 GMT',
    '2026-01-05T12:00:00Z',
    '５',
  ])('ignores %j and says so', (value) => {
    expect(readHints({ 'retry-after': value }, NOW)).toMatchObject({ retryAfter: false, ignored: ['retry-after'] });
  });

  it('prefers milliseconds, then Retry-After, then the Azure form', () => {
    const headers = { 'retry-after-ms': '250', 'retry-after': '9', 'x-ms-retry-after-ms': '7' };
    expect(readHints(headers, NOW).hint).toEqual({ delay: 250, source: 'retry-after-ms' });
    expect(readHints({ ...headers, 'retry-after-ms': 'x' }, NOW).hint).toEqual({ delay: 9_000, source: 'retry-after' });
    expect(readHints({ 'x-ms-retry-after-ms': '7' }, NOW).hint).toEqual({ delay: 7, source: 'x-ms-retry-after-ms' });
  });

  it('never shortens a monstrous number to something that would be early', () => {
    expect(readHints({ 'retry-after': '9'.repeat(400) }, NOW).hint?.delay).toBeGreaterThan(99 * 365 * 86_400_000);
  });
});

describe('quota headers', () => {
  it.each([
    ['RateLimit of the present draft', { ratelimit: '"default";r=0;t=30' }, 30_000],
    ['RateLimit of the older draft', { ratelimit: 'limit=100, remaining=0, reset=30' }, 30_000],
    ['RateLimit-Reset', { 'ratelimit-remaining': '0', 'ratelimit-reset': '12' }, 12_000],
    ['epoch seconds', { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(NOW / 1_000 + 45) }, 45_000],
    ['epoch milliseconds', { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(NOW + 45_000) }, 45_000],
    ['another spelling', { 'x-rate-limit-remaining': '0', 'x-rate-limit-reset': '3' }, 3_000],
    [
      'spans by kind, the longest of those used up',
      {
        'x-ratelimit-remaining-requests': '0',
        'x-ratelimit-reset-requests': '1s',
        'x-ratelimit-remaining-tokens': '0',
        'x-ratelimit-reset-tokens': '6m0s',
      },
      360_000,
    ],
    [
      'only those used up',
      {
        'x-ratelimit-remaining-requests': '0',
        'x-ratelimit-reset-requests': '1s',
        'x-ratelimit-remaining-tokens': '7',
        'x-ratelimit-reset-tokens': '6m0s',
      },
      1_000,
    ],
  ])('are read: %s', (_name, headers, delay) => {
    expect(readHints(headers as unknown as Record<string, string>, NOW)).toMatchObject({ exhausted: true, hint: { delay } });
  });

  it('say nothing while something remains', () => {
    expect(readHints({ 'x-ratelimit-remaining': '5', 'x-ratelimit-reset': '60', ratelimit: '"a";r=5;t=60' }, NOW)).toEqual({
      retryAfter: false,
      exhausted: false,
      ignored: [],
    });
  });

  it('count on a 429 even without a remaining', () => {
    expect(readHints({ 'x-ratelimit-reset': '60' }, NOW, true).hint?.delay).toBe(60_000);
    expect(readHints({ 'x-ratelimit-reset': '60' }, NOW, false).hint).toBeUndefined();
  });

  it('mark a 403 as throttled even without a time', () => {
    expect(readHints({ 'x-ratelimit-remaining': '0' }, NOW)).toMatchObject({ exhausted: true });
  });

  it('yield to Retry-After', () => {
    expect(readHints({ 'retry-after': '2', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '60' }, NOW).hint).toEqual({
      delay: 2_000,
      source: 'retry-after',
    });
  });
});

describe('HTTP dates', () => {
  it('put a two-digit year at most fifty years ahead', () => {
    expect(httpDate('Sunday, 06-Nov-94 08:49:37 GMT', NOW)).toBe(Date.UTC(1994, 10, 6, 8, 49, 37));
    expect(httpDate('Thursday, 06-Nov-70 08:49:37 GMT', NOW)).toBe(Date.UTC(2070, 10, 6, 8, 49, 37));
  });

  it('are the three forms and no others', () => {
    for (const text of ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994']) {
      expect(httpDate(text, NOW)).toBe(784_111_777_000);
    }
    for (const text of [
      'Sun, 06 Nov 1994 08:49:37',
      'Sun, 6 Nov 1994 08:49:37 GMT',
      'Sun, 06 nov 1994 08:49:37 GMT',
      ' Sun, 06 Nov 1994 08:49:37 GMT',
    ]) {
      expect(httpDate(text, NOW)).toBeUndefined();
    }
  });
});
