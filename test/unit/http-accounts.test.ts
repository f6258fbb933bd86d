import { createHmac } from 'node:crypto';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CredentialKey, type CredentialStore, credentialPurpose, type Grant } from '../../src/engine/credential-ports.ts';
import { nudgeRuns } from '../../src/engine/nudge.ts';
import type { Clock, RunRecord } from '../../src/engine/ports.ts';
import { createWorker } from '../../src/engine/worker.ts';
import { registry, type Workflow, workflow } from '../../src/engine/workflow.ts';
import { accountSecret } from '../../src/http/auth/account.ts';
import { basic, bearer, header, query } from '../../src/http/auth/auth.ts';
import { oauth2Account } from '../../src/http/auth/oauth.ts';
import { secret } from '../../src/http/auth/secrets.ts';
import { sign } from '../../src/http/auth/sign.ts';
import { connection } from '../../src/http/connection.ts';
import { byLink } from '../../src/http/paging/paging.ts';
import { plainClock } from '../../src/http/plain-ports.ts';
import { type HttpRuntime, httpRuntime, usePlainRuntime, withRuntime } from '../../src/http/runtime.ts';
import { memoryPayloadStore, memoryRunStore, memorySecrets, memoryWakeQueue, seededEntropy } from '../../src/testing/index.ts';
import { memoryCredentialStore } from '../../src/testing/memory-credential-store.ts';
import { type HostileServer, hostileServer } from '../support/hostile-server.ts';
import { failure } from '../support/http.ts';
import { type TokenServer, tokenServer } from '../support/token-server.ts';

let server: HostileServer;
let tokens: TokenServer;
let credentials: CredentialStore;
let http: HttpRuntime;
const secrets = memorySecrets({ 'crm/client': 'client-secret', 'crm/key': 'key of the deployment' });
let skipped = 0;
const clock: Clock = { now: () => Date.now() + skipped, timer: plainClock.timer };
beforeEach(async () => {
  skipped = 0;
  [server, tokens] = await Promise.all([hostileServer(), tokenServer()]);
  credentials = memoryCredentialStore();
  http = httpRuntime({ clock, secrets, deploymentKey: async () => 'test-key', allowLoopback: true, credentials: async () => credentials });
  usePlainRuntime(http);
});
afterEach(async () => {
  usePlainRuntime(undefined);
  await http.transport.close();
  await Promise.all([server.close(), tokens.close()]);
});

const store = async (account: string, grant: Grant, validUntil?: number): Promise<void> => {
  const key: CredentialKey = { connection: 'crm', account };
  const sealed = await http.seal(credentialPurpose(key), JSON.stringify(grant));
  await credentials.put(key, { status: 'ok', sealed, updatedAt: clock.now(), ...(validUntil === undefined ? {} : { validUntil }) });
};
const crm = (more: Partial<Parameters<typeof connection>[0]> = {}) =>
  connection({ name: 'crm', baseUrl: server.url, auth: bearer(accountSecret()), retry: { attempts: 1 }, ...more });

/** A worker over memory, whose runs wake as in life. */
function worker(...definitions: Workflow[]) {
  const runs = memoryRunStore();
  const wake = memoryWakeQueue({ clock });
  const entropy = seededEntropy(1);
  const ports = { store: runs, payloads: memoryPayloadStore(), wake, clock, entropy };
  const made = createWorker({ ...ports, observe: () => {}, registry: registry(definitions), services: { http } });
  let deliveries = 0;
  const handle = (queue: 'start' | 'wake', body: string) =>
    made.handle([{ id: `m${++deliveries}`, queue, body, receiveCount: 1 }], {
      deadline: clock.now() + 100_000,
      owner: `o${deliveries}`,
      done: () => {},
    });
  async function record(key = 'k'): Promise<RunRecord> {
    const { items } = await runs.list({}, { limit: 100, now: clock.now() });
    const all = await runs.load(items.map(({ id }) => id));
    const run = [...all.values()].find((one) => !('stub' in one) && one.key === key);
    if (!run || 'stub' in run) throw new Error('no run');
    return run;
  }
  return {
    record,
    start: async (definition: Workflow, key = 'k') => {
      await handle('start', JSON.stringify({ workflow: definition.name, input: {}, idempotencyKey: key }));
      return record(key);
    },
    /** As the API does it after a credential was stored. */
    async stored(account: string) {
      const key = { connection: 'crm', account };
      const waiting = await credentials.waiters(key);
      const told = await nudgeRuns(ports, waiting, { by: 'test' });
      await credentials.unwait(key, waiting);
      return told;
    },
    async wakeUp() {
      for (const { run } of wake.take()) await handle('wake', JSON.stringify({ run }));
    },
  };
}

describe('a connection of accounts', () => {
  it('sends each account’s own credential, in each of its forms', async () => {
    await store('acme', { token: 'token-of-acme' });
    await store('umbrella', { token: 'token-of-umbrella' });
    await store('login', { username: 'ada', password: 'correct horse' });
    await crm().for('acme').get('/');
    await crm().for('umbrella').get('/');
    await crm({ auth: header('X-Shop-Token', accountSecret()) })
      .for('acme')
      .get('/');
    await crm({ auth: basic(accountSecret('username'), accountSecret('password')) })
      .for('login')
      .get('/');
    await crm({ auth: query('api_key', accountSecret()) })
      .for('acme')
      .get('/?a=1');
    expect(server.received.map(({ headers, url }) => headers.authorization ?? headers['x-shop-token'] ?? url)).toEqual([
      'Bearer token-of-acme',
      'Bearer token-of-umbrella',
      'token-of-acme',
      `Basic ${Buffer.from('ada:correct horse').toString('base64')}`,
      '/?a=1&api_key=token-of-acme',
    ]);
  });

  it('refuses calls that do not say whose they are, and accounts that are none', async () => {
    const expected = { code: 'E_BAD_OPTION', message: expect.stringContaining('crm.for(account)'), detail: { field: 'account' } };
    expect(await failure(crm().get('/'))).toMatchObject(expected);
    expect(await failure(crm().fetch('/'))).toMatchObject(expected);
    const bare = connection({ name: 'crm', baseUrl: (account) => `https://${account}.example` });
    expect(await failure(bare.get('/'))).toMatchObject(expected);
    for (const account of ['', 'x'.repeat(257), 'line\nbreak', '\ud800', 7])
      expect(() => crm().for(account as string)).toThrow('for(account)');
    expect(server.received).toEqual([]);
  });

  it('sends to the URL that is the account’s own, and knows where its links lead', async () => {
    await store('shop', { token: 'the-token', metadata: { place: 'eu' } });
    const base = `${server.url}/eu/shop`;
    const shops = crm({ baseUrl: (account, { place }) => `${server.url}/${place}/${account}` });
    server.script({ headers: { link: `<${base}/items?page=2>; rel="next"` }, body: '[1]' }, { body: '[2]' });
    const seen: unknown[] = [];
    for await (const item of shops.for('shop').pages('/items', { next: byLink() })) seen.push(item);
    expect(seen).toEqual([1, 2]);
    const response = await shops.for('shop').fetch('https://crm.invalid/things?x=1');
    expect(response.status).toBe(200);
    expect(server.received.map(({ url }) => url)).toEqual(['/eu/shop/items', '/eu/shop/items?page=2', '/eu/shop/things?x=1']);
  });

  it('leads the place of an operation there, too', async () => {
    await store('shop', { token: 'the-token', metadata: { place: 'eu' } });
    const base = `${server.url}/eu/shop`;
    const shops = crm({ baseUrl: (account, { place }) => `${server.url}/${place}/${account}` });
    server.script({ status: 202, headers: { 'operation-location': `${base}/jobs/1` } }, { body: '{"done":true}' });
    const shop = shops.for('shop');
    expect(await shop.poll(await shop.post('/jobs', { json: {}, effects: 'safe' }), { every: 1 })).toMatchObject({ data: { done: true } });
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('secret inside');
      },
    ],
    ['is no text', () => 7 as unknown as string],
    ['has no scheme', () => 'eu.example'],
    ['has a user in it', () => 'https://me:you@eu.example'],
  ])('whose URL %s names connection, field and account', async (_, baseUrl) => {
    await store('shop', { token: 'the-token' });
    const error = await failure(crm({ baseUrl }).for('shop').get('/'));
    expect(error).toMatchObject({ code: 'E_BAD_OPTION', message: expect.stringMatching(/connection "crm": baseUrl of account "shop"/) });
    expect(inspect(error)).not.toContain('secret inside');
  });

  it.each(['evil.example/', 'evil.example?', 'evil.example#', 'me@evil.example', 'evil.example\\', 'evil.example:443/'])(
    'is not led elsewhere by an account that is called %s',
    async (account) => {
      await store(account, { token: 'the-token' });
      const shops = crm({ baseUrl: (name) => `https://${name}.shops.example` });
      const error = await failure(shops.for(account).get('/'));
      expect(error).toMatchObject({ code: 'E_BAD_OPTION', message: expect.stringContaining('encodeURIComponent()') });
    },
  );

  it('keeps the guard for the URLs of accounts', async () => {
    await store('shop', { token: 'the-token' });
    const strict = httpRuntime({ clock, secrets, deploymentKey: async () => 'test-key', credentials: async () => credentials });
    for (const url of ['http://169.254.169.254', 'https://127.0.0.1', 'http://[::1]:80']) {
      const asked = withRuntime(strict, () =>
        crm({ baseUrl: () => url })
          .for('shop')
          .get('/'),
      );
      expect(await failure(asked)).toMatchObject({ code: 'E_CALL_FAILED', message: expect.stringMatching(/the host is/) });
    }
    await strict.transport.close();
  });

  it('gets tokens for each account from its own refresh token', async () => {
    tokens.refreshTokens.add('refresh-of-a').add('refresh-of-b');
    tokens.rotates = true;
    await store('a', { refreshToken: 'refresh-of-a' });
    await store('b', { refreshToken: 'refresh-of-b', accessToken: 'stored-with-it' }, clock.now() + 3_600_000);
    tokens.good.add('stored-with-it');
    const auth = oauth2Account({ tokenUrl: tokens.tokenUrl, clientId: 'id', clientSecret: secret('crm/client'), keep: ['instance_url'] });
    const seen: unknown[] = [];
    const api = crm({
      auth,
      baseUrl: (_account, metadata) => {
        seen.push(metadata);
        return tokens.url;
      },
    });
    await api.for('a').get('/');
    await api.for('b').get('/');
    expect(tokens.calls.map(({ authorization }) => authorization)).toEqual(['Bearer access-token-1', 'Bearer stored-with-it']);
    expect(seen).toContainEqual({ instance_url: 'https://eu1.example' });
    skipped += 3_600_000;
    await Promise.all([api.for('a').get('/'), api.for('b').get('/')]);
    expect(tokens.mints).toHaveLength(3);
    expect(tokens.refreshTokens.size).toBe(2);
  });

  it('sees a credential that was replaced or removed within a minute', async () => {
    await store('acme', { token: 'the-first-one' });
    await crm().for('acme').get('/');
    await store('acme', { token: 'the-second-one' });
    skipped += 61_000;
    await crm().for('acme').get('/');
    expect(server.received.map(({ headers }) => headers.authorization)).toEqual(['Bearer the-first-one', 'Bearer the-second-one']);
    await credentials.remove({ connection: 'crm', account: 'acme' }, clock.now());
    skipped += 61_000;
    expect(await failure(crm().for('acme').get('/'))).toMatchObject({ code: 'E_NEEDS_AUTH' });
  });

  it('uses one that was replaced as soon as the API refuses the old one', async () => {
    await store('acme', { token: 'the-first-one' });
    await crm().for('acme').get('/');
    await store('acme', { token: 'the-second-one' });
    server.script({ status: 401 }, {});
    expect((await crm().for('acme').get('/')).status).toBe(200);
    expect(server.received.at(-1)?.headers.authorization).toBe('Bearer the-second-one');
  });
});

describe('a run whose account has no credential', () => {
  const reads = (account = 'acme') => workflow({ name: 'reads', run: async () => (await crm().for(account).get('/')).status });

  it('pauses, says what to do, and goes on when one is stored', async () => {
    const definition = reads();
    const world = worker(definition);
    expect(await world.start(definition)).toMatchObject({
      status: 'paused',
      reason: {
        code: 'E_NEEDS_AUTH',
        message:
          'GET crm@acme /: connection "crm", account "acme": there is no credential for it; store one: npx holdfast credential put crm acme',
        detail: { connection: 'crm', account: 'acme' },
      },
    });
    expect(server.received).toEqual([]);
    await store('acme', { token: 'the-token' });
    expect(await world.stored('acme')).toBe(1);
    await world.wakeUp();
    expect(await world.record()).toMatchObject({ status: 'succeeded' });
  });

  it('is not missed when one is stored while it is about to pause', async () => {
    const definition = reads();
    for (const moment of ['before wait', 'after wait'] as const) {
      let world: ReturnType<typeof worker> | undefined;
      const put = async () => {
        await store('acme', { token: 'the-token' });
        await world?.stored('acme');
      };
      let asked = false;
      const once = async (op: string) => {
        if (op !== 'wait' || asked) return;
        asked = true;
        await put();
      };
      credentials = memoryCredentialStore(moment === 'before wait' ? { before: once } : { after: once });
      await http.transport.close();
      http = httpRuntime({
        clock,
        secrets,
        deploymentKey: async () => 'test-key',
        allowLoopback: true,
        credentials: async () => credentials,
      });
      world = worker(definition);
      await world.start(definition);
      await world.wakeUp();
      expect(await world.record()).toMatchObject({ status: 'succeeded' });
    }
  });

  it('pauses when the API refuses the stored token, alone, and is woken by another', async () => {
    await store('acme', { token: 'revoked-token' });
    server.script(({ headers, url }) => (headers.authorization === 'Bearer revoked-token' && url === '/' ? { status: 401 } : {}));
    const definition = reads();
    const world = worker(definition);
    expect(await world.start(definition)).toMatchObject({
      status: 'paused',
      reason: { code: 'E_NEEDS_AUTH', message: expect.stringContaining('the API refuses its credential') as string },
    });
    expect(server.received).toHaveLength(1);
    // Others of the account are not refused.
    expect((await crm().for('acme').get('/other')).status).toBe(200);
    await store('acme', { token: 'a-new-token' });
    await world.stored('acme');
    await world.wakeUp();
    expect(await world.record()).toMatchObject({ status: 'succeeded' });
  });

  it('pauses when its refresh token was revoked, with every other run of the account and no further request', async () => {
    await store('acme', { refreshToken: 'revoked-at-the-provider' });
    const auth = oauth2Account({ tokenUrl: tokens.tokenUrl, clientId: 'id' });
    const definition = workflow({ name: 'reads', run: async () => (await crm({ baseUrl: tokens.url, auth }).for('acme').get('/')).status });
    const world = worker(definition);
    for (const key of ['one', 'two', 'three']) {
      expect(await world.start(definition, key)).toMatchObject({ status: 'paused', reason: { code: 'E_NEEDS_AUTH' } });
    }
    expect(tokens.requests).toHaveLength(1);
    expect((await credentials.list('crm', { limit: 10 })).items).toMatchObject([{ account: 'acme', status: 'revoked', waiting: 3 }]);
    tokens.refreshTokens.add('a-new-one');
    await store('acme', { refreshToken: 'a-new-one' });
    expect(await world.stored('acme')).toBe(3);
    await world.wakeUp();
    for (const key of ['one', 'two', 'three']) expect(await world.record(key)).toMatchObject({ status: 'succeeded' });
    expect(tokens.mints).toHaveLength(1);
  });

  it('leaves an unsafe call unsent, to be made when there is one', async () => {
    const definition = workflow({ name: 'writes', run: async () => (await crm().for('acme').post('/', { json: {} })).status });
    const world = worker(definition);
    expect(await world.start(definition)).toMatchObject({ status: 'paused', reason: { code: 'E_NEEDS_AUTH' } });
    await store('acme', { token: 'the-token' });
    await world.stored('acme');
    await world.wakeUp();
    expect(await world.record()).toMatchObject({ status: 'succeeded' });
    expect(server.effects).toHaveLength(1);
  });

  it('pauses, too, when what is stored was sealed with another deployment key', async () => {
    await credentials.put({ connection: 'crm', account: 'acme' }, { status: 'ok', sealed: 'hf1.AAAA', updatedAt: 1 });
    const definition = reads();
    expect(await worker(definition).start(definition)).toMatchObject({ status: 'paused', reason: { code: 'E_SEALED' } });
  });
});

describe('a parameter of the query', () => {
  it('is in no error, label or identity', async () => {
    server.script({ status: 400, body: '{"you":"key of the deployment key%20of%20the%20deployment"}' });
    const api = connection({ name: 'crm', baseUrl: server.url, auth: query('api_key', secret('crm/key')), retry: { attempts: 1 } });
    const error = await failure(api.get('/list', { query: { a: 1 } }));
    expect(server.received[0]?.url).toBe('/list?a=1&api_key=key%20of%20the%20deployment');
    expect(`${inspect(error, { depth: 9 })}${error.stack}`).not.toMatch(/key( |%20)of/);
  });

  it('needs a name and a reference', () => {
    expect(() => query('', secret('x'))).toThrow('name');
    expect(() => query('k', 'value' as never)).toThrow('secret');
  });
});

describe('sign()', () => {
  const key = { key: secret('crm/key') };
  const api = (fn: Parameters<typeof sign<'key'>>[0]) =>
    connection({ name: 'crm', baseUrl: `${server.url}/v1`, auth: sign(fn, { secrets: key }), retry: { attempts: 2, schedule: ['1ms'] } });

  it('is given the request as it is sent, and adds headers, anew for every attempt', async () => {
    server.script({ status: 503 }, {});
    let asked = 0;
    const signed = api(({ method, url, body, headers, secrets: given, now }) => {
      asked += 1;
      const text = `${method} ${url} ${body} ${headers['content-type']}`;
      return { 'X-Signature': createHmac('sha256', given.key).update(text).digest('hex'), 'x-at': `${now}-${asked}` };
    });
    await signed.put('/things?a=1', { json: { a: 1 } });
    const text = `PUT ${server.url}/v1/things?a=1 {"a":1} application/json`;
    const expected = createHmac('sha256', 'key of the deployment').update(text).digest('hex');
    expect(server.received.map(({ headers }) => headers['x-signature'])).toEqual([expected, expected]);
    expect(new Set(server.received.map(({ headers }) => headers['x-at'])).size).toBe(2);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('cannot sign with key of the deployment');
      },
      /its sign\(\) threw: cannot sign with ‹redacted›/,
    ],
    ['rejects', () => Promise.reject(new Error('no')), /its sign\(\) threw: no/],
    ['returns nothing', () => undefined as never, /returned no headers/],
    ['returns a line break', () => ({ 'x-a': 'a\nb' }), /the header "x-a", which cannot be sent/],
    ['returns what is the socket’s', () => ({ Host: 'elsewhere' }), /the header "Host"/],
  ])('that %s fails the call finally, without its secrets', async (_, fn, message) => {
    const error = await failure(api(fn as Parameters<typeof api>[0]).get('/'));
    expect(error).toMatchObject({ code: 'E_REQUEST_INVALID', message: expect.stringMatching(message) });
    expect(inspect(error, { depth: 9 })).not.toContain('key of the deployment');
    expect(server.received).toEqual([]);
  });

  it('reads its secrets anew after a 401', async () => {
    server.script({ status: 401 }, {});
    const signed = api(({ secrets: given }) => {
      secrets.set('crm/key', 'rotated');
      return { 'x-key': given.key };
    });
    expect((await signed.get('/')).status).toBe(200);
    expect(server.received.map(({ headers }) => headers['x-key'])).toEqual(['key of the deployment', 'rotated']);
    secrets.set('crm/key', 'key of the deployment');
  });
});
