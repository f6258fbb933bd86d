import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CredentialStore } from '../../src/engine/credential-ports.ts';
import type { HoldfastError } from '../../src/engine/errors.ts';
import { oauth2ClientCredentials, oauth2RefreshToken } from '../../src/http/auth/oauth.ts';
import { secret } from '../../src/http/auth/secrets.ts';
import { memoryCredentialStore } from '../../src/testing/memory-credential-store.ts';
import { fleet } from '../support/fleet.ts';
import { failure } from '../support/http.ts';
import { type TokenServer, tokenServer } from '../support/token-server.ts';

let server: TokenServer;
let store: CredentialStore;
let world: ReturnType<typeof fleet>;
beforeEach(async () => {
  server = await tokenServer();
  store = memoryCredentialStore();
  world = fleet(store);
});
afterEach(async () => {
  await world.close();
  await server.close();
});

const client = () => ({ tokenUrl: server.tokenUrl, clientId: 'id of ours', clientSecret: secret('crm/client') });
const credentials = (more = {}) => ({ name: 'crm', baseUrl: server.url, auth: oauth2ClientCredentials({ ...client(), ...more }) });
const refreshing = () => ({
  name: 'crm',
  baseUrl: server.url,
  auth: oauth2RefreshToken({ ...client(), refreshToken: secret('crm/refresh') }),
});
const HOUR = 3_600_000;

describe('client credentials', () => {
  it('are exchanged for a token as RFC 6749 says, and the token is sent', async () => {
    const one = world.start(credentials({ scope: 'read write', audience: 'https://api.example', extra: { resource: 'r' } }));
    expect(await one.get()).toBe(200);
    expect(server.requests[0]?.form).toEqual({
      grant_type: 'client_credentials',
      scope: 'read write',
      audience: 'https://api.example',
      resource: 'r',
    });
    expect(server.requests[0]?.headers).toMatchObject({
      authorization: `Basic ${Buffer.from('id+of+ours:the-client-secret').toString('base64')}`,
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
    });
    expect(server.calls).toMatchObject([{ authorization: 'Bearer access-token-1', status: 200 }]);
  });

  it('may be in the body instead', async () => {
    await world.start(credentials({ authMethod: 'body' })).get();
    expect(server.requests[0]?.form).toMatchObject({ client_id: 'id of ours', client_secret: 'the-client-secret' });
    expect(server.requests[0]?.headers.authorization).toBeUndefined();
  });

  it('give one token to a hundred processes, and one more for each time that it ends', async () => {
    const all = Array.from({ length: 100 }, () => world.start(credentials()));
    const everybody = async () => expect(new Set(await Promise.all(all.map(({ get }) => get())))).toEqual(new Set([200]));
    await everybody();
    expect(server.mints).toHaveLength(1);
    await everybody();
    expect(server.mints).toHaveLength(1);
    for (let expiry = 1; expiry <= 3; expiry++) {
      world.skip(HOUR);
      await everybody();
      expect(server.mints).toHaveLength(1 + expiry);
    }
  });

  it('are renewed ahead of the end by one, while the others go on with what they have', async () => {
    const all = Array.from({ length: 20 }, () => world.start(credentials()));
    await Promise.all(all.map(({ get }) => get()));
    world.skip(HOUR - 60_000);
    let ask: (() => void) | undefined;
    const asked = new Promise<void>((arrived) => {
      ask = arrived;
    });
    let answer: (() => void) | undefined;
    const answered = new Promise<void>((now) => {
      answer = now;
    });
    server.answer = async () => {
      ask?.();
      await answered;
      return undefined;
    };
    const calls = all.map(({ get }) => get());
    await asked;
    const first = await Promise.race(calls);
    expect(first).toBe(200);
    expect(server.mints).toHaveLength(1);
    answer?.();
    await Promise.all(calls);
    expect(server.mints).toHaveLength(2);
    expect(server.calls.slice(20).filter(({ authorization }) => authorization === 'Bearer access-token-1')).toHaveLength(19);
  });

  it('are got by another when the one who has the lease dies', async () => {
    const doomed = world.start(credentials());
    server.answer = () => new Promise(() => {});
    const lost = failure(doomed.get());
    while (server.requests.length === 0) await new Promise(setImmediate);
    server.answer = () => undefined;
    const other = world.start({ ...credentials(), timeout: '5m' });
    const waits = other.get();
    await doomed.kill();
    // The lease ends by itself; nobody lets it go.
    world.skip(31_000);
    expect(await waits).toBe(200);
    expect(server.mints).toHaveLength(1);
    void lost;
  });

  it('that a 401 refuses are replaced once, and only the version that was used', async () => {
    const [one, two] = [world.start(credentials()), world.start(credentials())];
    await Promise.all([one.get(), two.get()]);
    server.good.clear();
    expect(await one.get()).toBe(200);
    expect(server.mints).toHaveLength(2);
    // It still holds the first one, and finds the second when that is refused.
    expect(await two.get()).toBe(200);
    expect(server.mints).toHaveLength(2);
    expect(server.calls.map(({ status }) => status)).toEqual([200, 200, 401, 200, 401, 200]);
  });

  it('that are always refused fail the call, and do not make the fleet get a token for every call', async () => {
    const all = Array.from({ length: 5 }, () => world.start(credentials()));
    server.good.add = () => server.good;
    for (let round = 0; round < 3; round++) {
      for (const { get } of all) expect(await failure(get())).toMatchObject({ code: 'E_CALL_FAILED', status: 401 });
    }
    expect(server.mints.length).toBeLessThanOrEqual(2);
  });

  it('wait for the endpoint to be up again, and use the old token while it lasts', async () => {
    const one = world.start(credentials());
    await one.get();
    world.skip(HOUR - 60_000);
    server.answer = () => ({ status: 503, body: 'down' });
    expect(await one.get()).toBe(200);
    expect(server.calls.at(-1)?.authorization).toBe('Bearer access-token-1');
    world.skip(60_000);
    expect(await failure(one.get())).toMatchObject({
      code: 'E_CALL_FAILED',
      message: expect.stringMatching(/GET crm .*token endpoint \(tokenUrl\) of connection "crm" answered 503/),
    });
    server.answer = () => undefined;
    world.skip(2_000);
    expect(await one.get()).toBe(200);
  });

  it('with a secret that was replaced are read anew once', async () => {
    const one = world.start(credentials());
    world.secrets.set('crm/client', 'the-new-one');
    server.answer = ({ headers }) =>
      Buffer.from(headers.authorization?.slice(6) ?? '', 'base64')
        .toString()
        .endsWith(':the-new-one')
        ? undefined
        : { status: 401, body: { error: 'invalid_client' } };
    expect(await one.get()).toBe(200);
  });
});

describe('a token endpoint that answers badly', () => {
  const long = { access_token: 'secret-in-the-answer', refresh_token: 'another-secret-in-it', expires_in: 60 };
  it.each([
    ['HTML', { body: '<h1>Sign in</h1>', type: 'text/html' }, 'tokenUrl'],
    ['a list', { body: [long] }, 'tokenUrl'],
    ['404', { status: 404, body: 'secret-in-the-answer' }, 'tokenUrl'],
    ['a redirect', { status: 302, body: '' }, 'tokenUrl'],
    ['a megabyte', { body: 'x'.repeat(1_000_000) }, 'tokenUrl'],
    ['no token', { body: { expires_in: 60 } }, 'access_token'],
    ['a token with a line break', { body: { ...long, access_token: 'secret-in-the-answer\n' } }, 'access_token'],
    ['a lifetime that is none', { body: { ...long, expires_in: 'soon' } }, 'expires_in'],
    ['a lifetime below nothing', { body: { ...long, expires_in: -1 } }, 'expires_in'],
    ['a lifetime of ages', { body: { ...long, expires_in: 1e12 } }, 'expires_in'],
    ['a refresh token that is a number', { body: { ...long, refresh_token: 7 } }, 'refresh_token'],
    ['another kind of token', { body: { ...long, token_type: 'DPoP' } }, 'token_type'],
    ['invalid_client', { status: 401, body: { error: 'invalid_client', error_description: 'secret-in-the-answer' } }, 'clientSecret'],
    ['invalid_scope', { status: 400, body: { error: 'invalid_scope' } }, 'tokenUrl'],
    ['an error with 200', { body: { error: 'bad_verification_code' } }, 'tokenUrl'],
  ])('%s is told with connection and field, and without what it answered', async (_, reply, field) => {
    server.answer = () => reply;
    const error = await failure<HoldfastError>(world.start(credentials()).get());
    expect(error).toMatchObject({ code: 'E_NEEDS_AUTH', detail: { connection: 'crm', field } });
    expect(error.message).toMatch(/^GET crm .*: connection "crm": its token/);
    expect(inspect(error, { depth: 9 })).not.toMatch(/secret-in|another-secret|the-client-secret/);
    expect(server.calls).toEqual([]);
  });

  it('for ever is given up in time', async () => {
    server.answer = () => new Promise(() => {});
    const error = await failure(world.start({ ...credentials(), timeout: '300ms' }).get());
    expect(error).toMatchObject({ code: 'E_CALL_FAILED' });
    expect(server.calls).toEqual([]);
  });

  it('and too late for the call lets nothing be sent any more, and serves the next one', async () => {
    const one = world.start({ ...credentials(), timeout: '200ms' });
    let answer: (() => void) | undefined;
    const answered = new Promise<undefined>((now) => {
      answer = () => now(undefined);
    });
    server.answer = () => answered;
    expect(await failure(one.get())).toMatchObject({ code: 'E_CALL_FAILED' });
    answer?.();
    while ((await store.get({ connection: 'crm' })) === undefined) await new Promise(setImmediate);
    expect(server.calls).toEqual([]);
    expect(await one.get()).toBe(200);
    expect(server.mints).toHaveLength(1);
  });

  it('and texts of digits for numbers is understood', async () => {
    server.answer = () => ({ body: { access_token: 'fine-token', expires_in: '3600' } });
    server.good.add('fine-token');
    expect(await world.start(credentials()).get()).toBe(200);
  });
});

describe('a refresh token', () => {
  beforeEach(() => {
    server.refreshTokens.add('refresh-token-1');
    server.rotates = true;
  });

  it('that is rotated is stored before its access token is used, for all', async () => {
    const order: string[] = [];
    const watched = memoryCredentialStore({ after: (op) => void order.push(op) });
    world = fleet(watched);
    server.answer = () => void order.push('token');
    const one = world.start(refreshing());
    expect(await one.get()).toBe(200);
    expect(order.indexOf('replace')).toBeGreaterThan(order.indexOf('token'));
    expect(server.calls).toHaveLength(1);
    for (let i = 2; i < 6; i++) {
      world.skip(HOUR);
      expect(await world.start(refreshing()).get()).toBe(200);
      expect(server.mints).toHaveLength(i);
    }
    expect(server.refreshTokens.size).toBe(1);
  });

  it('is sealed where it is stored', async () => {
    await world.start(refreshing()).get();
    const stored = JSON.stringify(await store.get({ connection: 'crm' }));
    expect(stored).toContain('hf1.');
    expect(stored).not.toMatch(/access-token|refresh-token/);
  });

  it('that was rotated survives a store that is away for a while', async () => {
    let away = 0;
    const flaky = memoryCredentialStore({
      before: (op) => {
        if (op === 'replace' && away++ < 3) throw new Error('away');
      },
    });
    world = fleet(flaky);
    expect(await world.start(refreshing()).get()).toBe(200);
    world.skip(HOUR);
    expect(await world.start(refreshing()).get()).toBe(200);
    expect(server.mints).toHaveLength(2);
  });

  it('that the provider takes no longer is asked with once by the whole fleet, until the secret is another', async () => {
    const all = [world.start(refreshing()), world.start(refreshing())];
    server.refreshTokens.clear();
    for (const { get } of [...all, ...all]) {
      expect(await failure(get())).toMatchObject({ code: 'E_NEEDS_AUTH', message: expect.stringContaining('secret "crm/refresh"') });
    }
    expect(server.requests).toHaveLength(1);
    server.refreshTokens.add('a-new-refresh-token');
    world.secrets.set('crm/refresh', 'a-new-refresh-token');
    for (const { get } of all) expect(await get()).toBe(200);
    expect(server.mints).toHaveLength(1);
  });
});

describe('options of OAuth 2.0', () => {
  it.each([
    ['tokenUrl', { tokenUrl: 'auth.example/token' }],
    ['tokenUrl', { tokenUrl: 'ftp://auth.example/token' }],
    ['tokenUrl', { tokenUrl: 'https://me:you@auth.example/token' }],
    ['tokenUrl', { tokenUrl: () => 'https://auth.example' }],
    ['clientId', { clientId: '' }],
    ['clientSecret', { clientSecret: 'the value' }],
    ['authMethod', { authMethod: 'jwt' }],
    ['extra', { extra: { a: 1 } }],
    ['keep', { keep: ['refresh_token'] }],
    ['tokenURL', { tokenURL: 'https://auth.example' }],
  ])('names %s', (field, more) => {
    const valid = { tokenUrl: 'https://auth.example/token', clientId: 'id', clientSecret: secret('s') };
    expect(() => oauth2ClientCredentials({ ...valid, ...more } as never)).toThrowError(
      expect.objectContaining({ code: 'E_BAD_OPTION', detail: { field } }),
    );
  });
});
