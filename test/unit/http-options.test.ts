import { afterEach, describe, expect, it } from 'vitest';
import { basic, bearer, header } from '../../src/http/auth/auth.ts';
import { secret } from '../../src/http/auth/secrets.ts';
import { vars } from '../../src/http/base-url.ts';
import { checkBaseUrl, connection, maxTimeout, secretsOf } from '../../src/http/connection.ts';
import type { ConnectionOptions } from '../../src/http/options.ts';
import { DEFAULTS, settle } from '../../src/http/settings.ts';

const GOOD: ConnectionOptions = { name: 'crm', baseUrl: 'https://api.crm.example' };
const make = (more: object) => () => connection({ ...GOOD, ...more } as ConnectionOptions);

describe('a connection’s options', () => {
  it('grant with a timeout that is one duration all of it for the reply to begin, and with several what each says', () => {
    const limits = (timeout: ConnectionOptions['timeout'] & {}) => settle(DEFAULTS, { timeout }, 'here').limits;
    expect(limits('2m')).toMatchObject({ total: 120_000, headers: 120_000, idle: 5_000 });
    expect(limits({ total: '2m' })).toMatchObject({ total: 120_000, headers: 15_000 });
    expect(limits({ headers: '1s' })).toMatchObject({ total: 30_000, headers: 1_000 });
  });

  it.each<[string, object, RegExp]>([
    ['name', { name: 'Crm!' }, /name must be 1–64/],
    ['an option that does not exist', { timeOut: '3s' }, /connection "crm": timeOut is not an option/],
    ['baseUrl, no URL', { baseUrl: 'api.example' }, /connection "crm": baseUrl is not a URL/],
    ['baseUrl, scheme', { baseUrl: 'ftp://api.example' }, /baseUrl must begin with https/],
    ['baseUrl, credentials', { baseUrl: 'https://ada:pw@api.example' }, /baseUrl must not contain a user/],
    ['baseUrl, query', { baseUrl: 'https://api.example?x=1' }, /baseUrl must not have a query/],
    ['baseUrl, absent', { baseUrl: undefined }, /baseUrl must be a URL/],
    ['auth', { auth: 'Bearer abc' }, /auth must be made by bearer/],
    ['timeout', { timeout: '30 parsecs' }, /connection "crm": timeout: "30 parsecs" is not a duration/],
    ['timeout of zero', { timeout: 0 }, /timeout must be longer than 0/],
    ['timeout.idle', { timeout: { idle: -1 } }, /timeout\.idle/],
    ['timeout.connect', { timeout: { connect: '1s' } }, /timeout: connect is not an option/],
    ['maxBody', { maxBody: 0 }, /maxBody must be a whole number ≥ 1/],
    ['retry.attempts', { retry: { attempts: 0 } }, /retry\.attempts must be a whole number ≥ 1/],
    ['retry.throttles', { retry: { throttles: 1.5 } }, /retry\.throttles/],
    ['retry.deadline', { retry: { deadline: 'tomorrow' } }, /retry\.deadline/],
    ['retry.schedule', { retry: { schedule: ['5s', 'x'] } }, /retry\.schedule\[1\]/],
    ['retry.schedule, empty', { retry: { schedule: [] } }, /retry\.schedule must be a list/],
    ['retry, a typing error', { retry: { attemps: 3 } }, /retry: attemps is not an option/],
    ['idempotencyKey.header', { idempotencyKey: { header: 'bad header' } }, /idempotencyKey\.header/],
    ['idempotencyKey.format', { idempotencyKey: { header: 'K', format: 'x' } }, /idempotencyKey\.format/],
    ['idempotencyKey.ttl', { idempotencyKey: { header: 'K', ttl: 'x' } }, /idempotencyKey\.ttl/],
    ['effects', { effects: 'harmless' }, /effects must be 'safe'/],
    ['effects keyed without a key', { effects: 'keyed' }, /effects cannot be 'keyed'/],
    ['onUnknown', { onUnknown: 'ignore' }, /onUnknown must be 'pause' \| 'throw' \| 'retry', or reconcile\(fn\)/],
    ['arrays', { arrays: 'pipes' }, /arrays must be/],
    ['acceptStatus', { acceptStatus: [99] }, /acceptStatus has 99/],
    ['headers, value', { headers: { 'x-a': 'a\r\nb: c' } }, /headers\.x-a is not a valid header/],
    ['headers, reserved', { headers: { Host: 'x' } }, /headers\.Host is set by Holdfast/],
    ['rateLimit.requests', { rateLimit: { requests: 0, per: '1s' } }, /rateLimit\.requests/],
    ['rateLimit.per', { rateLimit: { requests: 1, per: 'x' } }, /rateLimit\.per/],
    ['rateLimit.burst', { rateLimit: { requests: 10, per: '1s', burst: 0 } }, /rateLimit\.burst must be a whole number ≥ 1/],
    ['rateLimit.burst beyond requests', { rateLimit: { requests: 10, per: '1s', burst: 11 } }, /rateLimit\.burst must be at most requests/],
    ['rateLimit, six of them', { rateLimit: Array(6).fill({ requests: 1, per: '1s' }) }, /rateLimit can have at most 5 limits/],
    ['concurrency', { concurrency: 0 }, /concurrency must be a whole number ≥ 1/],
    ['concurrency of too many', { concurrency: 51 }, /concurrency must be at most 50, not 51: for more/],
    ['onAdmissionError', { onAdmissionError: 'go' }, /onAdmissionError must be 'wait' \| 'local', not go/],
    ['weight', { weight: 1.5 }, /weight must be a whole number ≥ 1/],
    [
      'weight beyond a limit',
      {
        weight: 6,
        rateLimit: [
          { requests: 9, per: '1s' },
          { requests: 5, per: '1m' },
        ],
      },
      /weight must be at most 5/,
    ],
    [
      'weight of a route beyond a limit',
      { rateLimit: { requests: 5, per: '1s' }, routes: [{ path: '/export', weight: 10 }] },
      /routes\[0\]: weight must be at most 5/,
    ],
    ['allow', { allow: ['10.0.0.0/99'] }, /allow has "10\.0\.0\.0\/99"/],
    ['routes, path', { routes: [{ path: 'users' }] }, /routes\[0\]: path must be a pattern/],
    ['routes, their options', { routes: [{ path: '/a' }, { path: '/b', timeout: 'x' }] }, /routes\[1\]: timeout/],
    ['successWhen', { successWhen: true }, /successWhen must be a function/],
    ['unavailableMeansUntouched', { unavailableMeansUntouched: 'yes' }, /unavailableMeansUntouched must be true or false/],
    ['paging', { paging: 'link' }, /paging must be byLink\(\), byCursor/],
    [
      'a profile’s typing error',
      { profile: { title: 'X', readErorr: () => undefined } },
      /connection "crm": profile: readErorr is not an option/,
    ],
  ])('are checked when it is made: %s', (_name, more, message) => {
    expect(make(more)).toThrow(message);
    expect(make(more)).toThrow(expect.objectContaining({ code: expect.stringMatching(/^E_BAD_(OPTION|DURATION)$/) as string }));
  });

  it('refuse a secret that is written out', () => {
    expect(() => bearer('abc' as never)).toThrow(/must be a reference: secret/);
    expect(() => basic('ada', 'pw' as never)).toThrow(/must be a reference/);
    expect(() => header('Host', secret('a'))).toThrow(/name cannot be "Host"/);
    expect(() => secret('no spaces')).toThrow(/is not a name/);
  });

  it('tell start-up checks the longest timeout, the secrets, and whether the variable is set', () => {
    const crm = connection({
      ...GOOD,
      baseUrl: vars('my-crm'),
      auth: bearer(secret('crm/token')),
      timeout: '5s',
      routes: [{ path: '/slow/*', timeout: '2m' }],
    });
    expect(maxTimeout(crm)).toBe(120_000);
    expect(maxTimeout(connection(GOOD))).toBe(30_000);
    expect(secretsOf(crm)).toEqual(['crm/token']);
    expect(() => checkBaseUrl(crm)).toThrow(/HOLDFAST_VAR_MY_CRM, which is not set/);
    process.env.HOLDFAST_VAR_MY_CRM = 'nonsense';
    expect(() => checkBaseUrl(crm)).toThrow(/baseUrl \(HOLDFAST_VAR_MY_CRM\) is not a URL/);
    process.env.HOLDFAST_VAR_MY_CRM = 'https://api.example/v2/';
    expect(() => checkBaseUrl(crm)).not.toThrow();
  });

  afterEach(() => {
    delete process.env.HOLDFAST_VAR_MY_CRM;
  });
});
