/**
 * Each profile against what its provider publishes. Sources, read on 2026-11-28:
 * GitHub: docs.github.com, "Rate limits", "Troubleshooting" and "Using pagination in the REST API".
 * Stripe: docs.stripe.com/api, "Errors", "Idempotent requests", "Pagination", and docs.stripe.com/error-codes.
 * OpenAI: platform.openai.com/docs, "Error codes" and "Rate limits"; help.openai.com/en/articles/6882433.
 * Slack: docs.slack.dev/apis/web-api, "Rate limits", "Pagination"; slackapi/slack-api-specs, web-api/slack_web_openapi_v2.json.
 * IETF: draft-ietf-httpapi-idempotency-key-header-07 (2025-10-15), RFC 9457 (2023-07), RFC 8288 (2017-10).
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Effect } from '../../src/engine/operation.ts';
import { buildCall } from '../../src/http/call.ts';
import { connection, maxTimeout } from '../../src/http/connection.ts';
import { effectOf, makeCore, settingsFor } from '../../src/http/core.ts';
import type { CallError } from '../../src/http/errors.ts';
import type { ConnectionOptions } from '../../src/http/options.ts';
import type { Profile } from '../../src/http/profile.ts';
import * as profiles from '../../src/http/profiles/index.ts';
import type { Fate } from '../support/hostile-server.ts';
import { failure, type Harness, harness } from '../support/http.ts';

let world: Harness;
beforeEach(async () => {
  world = await harness();
});
afterEach(() => world.close());

const json = (status: number, body: unknown, headers: Record<string, string> = {}): Fate => ({
  status,
  headers,
  body: JSON.stringify(body),
});
const { github, ietf, openai, slack, stripe } = profiles;

type Case = {
  profile: Profile;
  what: string;
  method?: string;
  path?: string;
  fates: Fate[];
  /** How often it is sent. */
  sent: number;
  /** The least wait before the last one, ms. */
  waits?: number;
  code?: string;
  message?: string;
  error?: object;
};

const SECONDARY = {
  message: 'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.',
  documentation_url: 'https://docs.github.com/rest/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits',
};
const CARD = {
  error: {
    code: 'card_declined',
    decline_code: 'insufficient_funds',
    doc_url: 'https://stripe.com/docs/error-codes/card-declined',
    message: 'Your card has insufficient funds.',
    param: '',
    type: 'card_error',
  },
};
const IN_USE = {
  error: {
    code: 'idempotency_key_in_use',
    message: 'There is currently another in-progress request using this Idempotent Key.',
    type: 'idempotency_error',
  },
};
const QUOTA = {
  error: {
    message: 'You exceeded your current quota, please check your plan and billing details.',
    type: 'insufficient_quota',
    param: null,
    code: 'insufficient_quota',
  },
};
const TOO_FAST = {
  error: {
    message: 'Rate limit reached for gpt-4o in organization org-x on requests per min (RPM).',
    type: 'requests',
    param: null,
    code: 'rate_limit_exceeded',
  },
};

const CASES: readonly Case[] = [
  {
    profile: github,
    what: 'a primary limit is a 403 with x-ratelimit-remaining: 0, and ends at x-ratelimit-reset, in epoch seconds',
    fates: [
      json(
        403,
        { message: 'API rate limit exceeded for user ID 1.' },
        {
          date: 'Sat, 28 Nov 2026 12:00:00 GMT',
          'x-ratelimit-remaining': '0',
          'x-ratelimit-reset': String(Date.UTC(2026, 10, 28, 12, 10) / 1_000),
        },
      ),
      {},
    ],
    sent: 2,
    waits: 600_000,
  },
  {
    profile: github,
    what: 'a secondary limit without headers wants a minute at least',
    fates: [json(403, SECONDARY), {}],
    sent: 2,
    waits: 60_000,
  },
  {
    profile: github,
    what: 'a secondary limit with Retry-After wants that',
    fates: [json(429, SECONDARY, { 'retry-after': '7' }), {}],
    sent: 2,
    waits: 7_000,
  },
  {
    profile: github,
    what: 'any other 403 is final, and told in its own words',
    fates: [
      json(
        403,
        { message: 'Resource not accessible by integration', documentation_url: 'https://docs.github.com/rest' },
        { 'x-github-request-id': 'E198:4063:33BD6' },
      ),
    ],
    sent: 1,
    code: 'E_CALL_FAILED',
    message: ': answered 403: Resource not accessible by integration; request E198:4063:33BD6',
  },
  {
    profile: github,
    what: 'a validation that failed names code and field',
    method: 'PUT',
    fates: [json(422, { message: 'Validation Failed', errors: [{ resource: 'Issue', field: 'title', code: 'missing_field' }] })],
    sent: 1,
    message: ': answered 422: Validation Failed (missing_field)',
    error: { message: 'Validation Failed', code: 'missing_field', param: 'title' },
  },
  {
    profile: stripe,
    what: 'a card error is told with the decline code and the request’s id',
    method: 'POST',
    fates: [json(402, CARD, { 'request-id': 'req_1' })],
    sent: 1,
    message: ': answered 402: Your card has insufficient funds. (insufficient_funds, card_error); request req_1',
    error: { message: 'Your card has insufficient funds.', code: 'insufficient_funds', type: 'card_error', requestId: 'req_1' },
  },
  {
    profile: stripe,
    what: 'a key that is in use is waited for',
    method: 'POST',
    fates: [json(409, IN_USE), json(409, IN_USE), {}],
    sent: 3,
    waits: 1_000,
  },
  {
    profile: stripe,
    what: 'any other conflict is final',
    method: 'POST',
    fates: [json(409, { error: { type: 'invalid_request_error', message: 'This object cannot be accessed right now.' } })],
    sent: 1,
    message: ': answered 409: This object cannot be accessed right now. (invalid_request_error)',
  },
  {
    profile: stripe,
    what: 'the server’s word not to retry is kept to',
    method: 'POST',
    fates: [json(500, { error: { type: 'api_error', message: 'An unknown error occurred' } }, { 'stripe-should-retry': 'false' })],
    sent: 1,
    code: 'E_CALL_FAILED',
  },
  {
    profile: stripe,
    what: 'a 500 that its key would replay for ever is final',
    method: 'POST',
    fates: [json(500, { error: { type: 'api_error' } }, { 'idempotent-replayed': 'true' })],
    sent: 1,
    code: 'E_CALL_FAILED',
  },
  {
    profile: stripe,
    what: 'a lost connection is sent again under its key',
    method: 'POST',
    fates: [{ reset: 'after-effect' }, {}],
    sent: 2,
  },
  {
    profile: openai,
    what: 'a limit of requests ends after x-ratelimit-reset-requests',
    method: 'POST',
    path: '/v1/chat/completions',
    fates: [json(429, TOO_FAST, { 'x-ratelimit-remaining-requests': '0', 'x-ratelimit-reset-requests': '6m0s' }), {}],
    sent: 2,
    waits: 360_000,
  },
  {
    profile: openai,
    what: 'a quota that is used up is final: no waiting ends it',
    method: 'POST',
    path: '/v1/responses',
    fates: [json(429, QUOTA, { 'x-request-id': 'req_o' })],
    sent: 1,
    code: 'E_CALL_FAILED',
    message:
      ': answered 429: You exceeded your current quota, please check your plan and billing details. (insufficient_quota); request req_o',
  },
  {
    profile: openai,
    what: 'its code may be null',
    fates: [json(429, { error: { ...QUOTA.error, code: null } })],
    sent: 1,
    code: 'E_CALL_FAILED',
  },
  {
    profile: openai,
    what: 'a wrong key is told in its words',
    fates: [
      json(401, { error: { message: 'Incorrect API key provided', type: 'invalid_request_error', param: null, code: 'invalid_api_key' } }),
    ],
    sent: 1,
    message: ': answered 401: Incorrect API key provided (invalid_api_key, invalid_request_error)',
  },
  {
    profile: openai,
    what: 'a completion is made again when its connection broke',
    method: 'POST',
    path: '/chat/completions',
    fates: [{ reset: 'after-effect' }, {}],
    sent: 2,
  },
  {
    profile: openai,
    what: 'a batch is not',
    method: 'POST',
    path: '/v1/batches',
    fates: [{ reset: 'after-effect' }],
    sent: 1,
    code: 'E_UNKNOWN_OUTCOME',
  },
  {
    profile: slack,
    what: 'a 200 that is not ok is a failure, with its word',
    method: 'POST',
    path: '/chat.postMessage',
    fates: [json(200, { ok: false, error: 'missing_scope', needed: 'chat:write', provided: 'users:read' })],
    sent: 1,
    code: 'E_CALL_FAILED',
    message: ': answered 200: missing_scope',
    error: { code: 'missing_scope', param: 'chat:write' },
  },
  {
    profile: slack,
    what: 'a 429 waits for its Retry-After',
    method: 'POST',
    path: '/chat.postMessage',
    fates: [json(429, { ok: false, error: 'ratelimited' }, { 'retry-after': '30' }), json(200, { ok: true })],
    sent: 2,
    waits: 30_000,
  },
  {
    profile: slack,
    what: 'ratelimited with a 200 waits too',
    method: 'POST',
    path: '/chat.postMessage',
    fates: [json(200, { ok: false, error: 'ratelimited' }, { 'retry-after': '3' }), json(200, { ok: true })],
    sent: 2,
    waits: 3_000,
  },
  {
    profile: slack,
    what: 'an error after which some of it may have happened leaves a message unknown',
    method: 'POST',
    path: '/chat.postMessage',
    fates: [json(200, { ok: false, error: 'internal_error' })],
    sent: 1,
    code: 'E_UNKNOWN_OUTCOME',
  },
  {
    profile: slack,
    what: 'and a reading method is made again',
    method: 'POST',
    path: '/conversations.list',
    fates: [json(200, { ok: false, error: 'fatal_error' }), json(200, { ok: true })],
    sent: 2,
  },
  {
    profile: ietf,
    what: 'problem details are told',
    fates: [
      {
        status: 403,
        headers: { 'content-type': 'application/problem+json' },
        body: JSON.stringify({
          type: 'https://example.com/probs/out-of-credit',
          title: 'You do not have enough credit.',
          detail: 'Your current balance is 30, but that costs 50.',
          instance: '/account/12345/msgs/abc',
        }),
      },
    ],
    sent: 1,
    message: ': answered 403: Your current balance is 30, but that costs 50. (https://example.com/probs/out-of-credit)',
  },
  {
    profile: ietf,
    what: 'a request that is outstanding for the key is waited for',
    method: 'POST',
    fates: [
      {
        status: 409,
        headers: { 'content-type': 'application/problem+json' },
        body: '{"title":"A request is outstanding for this Idempotency-Key"}',
      },
      {},
    ],
    sent: 2,
    waits: 1_000,
  },
  {
    profile: ietf,
    what: 'another payload under the key is final',
    method: 'POST',
    fates: [json(422, { title: 'Idempotency-Key is already used' })],
    sent: 1,
    message: ': answered 422: Idempotency-Key is already used',
  },
];

describe.each(Object.entries(profiles))('the profile %s', (name, profile) => {
  it.each(CASES.filter((one) => one.profile === profile))(
    '$what',
    async ({ method = 'GET', path = '/x', fates, sent, waits, code, message, error }) => {
      world.server.script(...fates);
      const api = connection({ name: 'api', baseUrl: world.server.url, profile });
      const made = api.request(method, path, method === 'GET' ? {} : { json: { a: 1 } });
      if (code !== undefined || message !== undefined || error !== undefined) {
        const failed = await failure<CallError>(made);
        if (code !== undefined) expect(failed.code).toBe(code);
        if (message !== undefined) expect(failed.message).toBe(`${method} api ${path}${message}`);
        if (error !== undefined) expect(failed.detail.error).toEqual(error);
      } else await made;
      expect(world.server.received).toHaveLength(sent);
      if (waits !== undefined) expect(world.waits.at(-1)).toBeGreaterThanOrEqual(waits);
    },
  );

  it('is data, says where it is from, and how its SDK’s retries are switched off', () => {
    expect(profile.title.toLowerCase()).toBe(name);
    expect(profile.source).toEqual({
      url: expect.stringMatching(/^https:/) as string,
      read: expect.stringMatching(/^\d{4}-\d\d-\d\d$/) as string,
    });
    expect(profile.sdk).not.toBe('');
    expect(() => connection({ name: 'api', baseUrl: 'https://api.example', profile })).not.toThrow();
  });
});

describe('what is sent', () => {
  it('carries GitHub’s media type and API version', async () => {
    await connection({ name: 'gh', baseUrl: world.server.url, profile: github }).get('/x');
    expect(world.server.received[0]?.headers).toMatchObject({
      accept: 'application/vnd.github+json',
      'x-github-api-version': '2022-11-28',
    });
  });

  it.each([
    [stripe, /^[\w-]{32}$/],
    [ietf, /^"[\w-]{32}"$/],
  ])('carries the key as the provider wants it', async (profile, form) => {
    await connection({ name: 'api', baseUrl: world.server.url, profile }).post('/x', { json: {} });
    expect(world.server.received[0]?.headers['idempotency-key']).toMatch(form);
  });
});

describe('the lists of', () => {
  const walk = async (profile: Profile, field: string, ...fates: Fate[]) => {
    world.server.script(...fates);
    const ids: unknown[] = [];
    const api = connection({ name: 'api', baseUrl: world.server.url, profile });
    const items = ({ data }: { data: unknown }) => (field === '' ? data : (data as Record<string, unknown>)[field]) as { id: string }[];
    for await (const { id } of api.pages('/x', { items })) ids.push(id);
    return { ids, urls: world.server.received.map(({ url }) => url) };
  };
  const one = (id: string) => ({ id });

  it('GitHub go on by link', async () => {
    const link = `<${world.server.url}/repositories/1300192/issues?per_page=2&page=2>; rel="next", <${world.server.url}/repositories/1300192/issues?per_page=2&page=7715>; rel="last"`;
    const { ids, urls } = await walk(github, '', json(200, [one('a')], { link }), json(200, [one('b')]));
    expect([ids, urls]).toEqual([
      ['a', 'b'],
      ['/x', '/repositories/1300192/issues?per_page=2&page=2'],
    ]);
  });

  it('Stripe go on after the last object while has_more', async () => {
    const { ids, urls } = await walk(
      stripe,
      'data',
      json(200, { object: 'list', url: '/v1/customers', has_more: true, data: [one('cus_005'), one('cus_004')] }),
      json(200, { object: 'list', url: '/v1/customers', has_more: false, data: [one('cus_003')] }),
    );
    expect([ids, urls]).toEqual([
      ['cus_005', 'cus_004', 'cus_003'],
      ['/x', '/x?starting_after=cus_004'],
    ]);
  });

  it('OpenAI go on after last_id while has_more', async () => {
    const { ids, urls } = await walk(
      openai,
      'data',
      json(200, { object: 'list', data: [one('file-1')], first_id: 'file-1', last_id: 'file-1', has_more: true }),
      json(200, { object: 'list', data: [one('file-2')], last_id: 'file-2', has_more: false }),
    );
    expect([ids, urls]).toEqual([
      ['file-1', 'file-2'],
      ['/x', '/x?after=file-1'],
    ]);
  });

  it('Slack go on by next_cursor, and end where it is empty', async () => {
    const { ids, urls } = await walk(
      slack,
      'members',
      json(200, { ok: true, members: [one('U1')], response_metadata: { next_cursor: 'dGVhbTpDMUg5UkVTR0w=' } }),
      json(200, { ok: true, members: [one('U2')], response_metadata: { next_cursor: '' } }),
    );
    expect([ids, urls]).toEqual([
      ['U1', 'U2'],
      ['/x', '/x?cursor=dGVhbTpDMUg5UkVTR0w%3D'],
    ]);
  });

  it('the IETF’s go on by link', async () => {
    const { ids, urls } = await walk(
      ietf,
      '',
      json(200, [one('a')], { link: '</x?after=a>; rel="next"; title="more"' }),
      json(200, [one('b')]),
    );
    expect([ids, urls]).toEqual([
      ['a', 'b'],
      ['/x', '/x?after=a'],
    ]);
  });
});

describe('bodies of another kind than documented', () => {
  it.each([
    'null',
    '[]',
    '"text"',
    '7',
    '{"error":"text"}',
    '{"error":[1]}',
    '{"message":{}}',
    '{"errors":7}',
    '<html>',
    '{"response_metadata":7}',
    '',
  ])('are read without a fault: %s', async (body) => {
    for (const profile of Object.values(profiles)) {
      for (const status of [200, 400, 403, 409, 429]) {
        world.server.script({ status, body, headers: { 'content-type': 'text/html' } });
        const api = connection({ name: 'api', baseUrl: world.server.url, profile, retry: { attempts: 1, throttles: 0 } });
        const outcome = await api.post('/x', { json: {} }).then(
          () => undefined,
          (error: { code: string }) => error.code,
        );
        expect([undefined, 'E_CALL_FAILED']).toContain(outcome);
      }
    }
  });
});

describe('what outranks what', () => {
  const profile: Profile = {
    ...ietf,
    timeout: '1s',
    acceptStatus: [401],
    effects: 'unsafe',
    headers: { 'x-a': 'profile', 'x-b': 'profile' },
    hint: () => 1,
    routes: [{ method: 'POST', path: '/x/*', effects: 'safe', timeout: '3s', headers: { 'x-a': 'profile route' } }],
  };
  const of = (more: Partial<ConnectionOptions>, path = '/x/1') => {
    const core = makeCore({ name: 'api', baseUrl: 'https://api.example', profile, ...more });
    const settings = settingsFor(core, 'POST', path);
    return { core, settings, effect: effectOf(core, settings, 'POST', 'x'), total: settings.limits.total };
  };

  it.each<[string, Partial<ConnectionOptions>, string, Effect]>([
    ['the profile', {}, '/y', 'unsafe'],
    ['the connection over the profile', { effects: 'idempotent' }, '/y', 'idempotent'],
    ['the profile’s route over the connection', { effects: 'idempotent' }, '/x/1', 'safe'],
    ['a route over the profile’s', { routes: [{ path: '/x/1', effects: 'keyed' }] }, '/x/1', 'keyed'],
    ['a route that says nothing of it over nothing', { routes: [{ path: '/x/1', timeout: '9s' }] }, '/x/1', 'safe'],
  ])('%s says the effect', (_, options, path, effect) => {
    expect(of(options, path).effect).toBe(effect);
  });

  it('and a call all of them', () => {
    const { core } = of({ routes: [{ path: '/x/1', effects: 'keyed' }] });
    expect(buildCall(core, 'POST', '/x/1', { effects: 'unsafe' }).effect).toBe('unsafe');
  });

  it('field by field, headers one by one', () => {
    const { settings, total } = of({ headers: { 'X-B': 'connection' }, routes: [{ path: '/x/1', headers: { 'x-c': 'route' } }] });
    expect(settings.headers).toEqual({ 'x-a': 'profile route', 'x-b': 'connection', 'x-c': 'route' });
    expect([total, [...settings.acceptStatus]]).toEqual([3_000, [401]]);
  });

  it('for what only connections have, too', () => {
    const hint = () => 2;
    expect(of({}).core.judge.hint).toBe(profile.hint);
    expect(of({ hint }).core.judge.hint).toBe(hint);
    expect(of({ idempotencyKey: { field: 'k' } }).core.idempotencyKey).toMatchObject({ field: 'k' });
    expect(maxTimeout(connection({ name: 'api', baseUrl: 'https://api.example', profile }))).toBe(3_000);
  });

  it('and what is wrong in a profile is said to be of it', () => {
    const wrong = (field: Partial<Profile>) => () =>
      connection({ name: 'api', baseUrl: 'https://api.example', profile: { ...ietf, ...field } });
    expect(wrong({ maxBody: 0 })).toThrow('connection "api": profile: maxBody');
    expect(wrong({ routes: [{ path: 'x' }] })).toThrow('connection "api": profile: routes[0]: path');
    expect(() => connection({ name: 'api', baseUrl: 'https://api.example', profile: {} as never })).toThrow(
      'must be one of holdfast/profiles',
    );
  });
});
