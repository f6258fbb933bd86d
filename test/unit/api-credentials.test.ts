import { describe, expect, it } from 'vitest';
import { testApi } from '../support/api.ts';

const PATH = '/v1/connections/crm/accounts/acme/credential';
const ACME = { connection: 'crm', account: 'acme' };
const kept = async (world: ReturnType<typeof testApi>, key = ACME) => {
  const stored = await world.credentials.get(key);
  return JSON.parse(Buffer.from(stored?.sealed?.replace('sealed ', '') ?? '', 'base64').toString()) as unknown;
};

describe('the credential of an account', () => {
  it.each([
    [{ token: 'the-token-itself' }],
    [{ username: 'ada', password: 'correct horse' }],
    [{ refreshToken: 'the-refresh-token', accessToken: 'the-access-token', metadata: { instance_url: 'https://eu1.example' } }],
  ])('is sealed for it, stored, and never shown: %j', async (json) => {
    const world = testApi();
    const put = await world.call('PUT', PATH, { json });
    expect(put).toMatchObject({ status: 200, body: { account: 'acme', status: 'ok', version: 1, waiting: 0, woken: 0 } });
    expect(await kept(world)).toEqual([ACME, json]);
    const list = await world.call('GET', '/v1/connections/crm/accounts');
    for (const value of Object.values(json)) expect(JSON.stringify([put.body, list.body, world.events])).not.toContain(String(value));
  });

  it('is replaced under a new version, and removed', async () => {
    const world = testApi();
    await world.call('PUT', PATH, { json: { token: 'one' } });
    const expiresAt = '2026-06-01T10:00:00+02:00';
    const second = await world.call('PUT', PATH, { json: { accessToken: 'two', expiresAt } });
    expect(second.body).toMatchObject({ version: 2, expiresAt: '2026-06-01T08:00:00.000Z' });
    expect(await world.call('DELETE', PATH)).toMatchObject({ status: 204 });
    expect(await world.call('DELETE', PATH)).toMatchObject({ status: 404, body: { code: 'E_UNKNOWN_CREDENTIAL' } });
    expect((await world.call('GET', '/v1/connections/crm/accounts')).body.items).toEqual([]);
  });

  it('is of the account that the path names, however that is called', async () => {
    const world = testApi();
    const account = 'Müller & Co/#1 %';
    const path = `/v1/connections/crm/accounts/${encodeURIComponent(account)}/credential`;
    expect(await world.call('PUT', path, { json: { token: 'x' } })).toMatchObject({ status: 200, body: { account } });
    expect(await kept(world, { connection: 'crm', account })).toEqual([{ connection: 'crm', account }, { token: 'x' }]);
  });

  it.each([
    [{}, ''],
    [{ token: 'a', password: 'b' }, ''],
    [{ metadata: {} }, ''],
    [{ password: 'b' }, '/username'],
    [{ username: 'b' }, '/password'],
    [{ token: '' }, '/token'],
    [{ token: 'with a line\nbreak' }, '/token'],
    [{ token: 7 }, '/token'],
    [{ token: 'x'.repeat(16_385) }, '/token'],
    [{ token: 'a', expiresAt: '2026-06-01T10:00:00Z' }, '/expiresAt'],
    [{ accessToken: 'a', expiresAt: 'soon' }, '/expiresAt'],
    [{ token: 'a', metadata: { shop: 1 } }, '/metadata/shop'],
    [{ token: 'a', secret: 'b' }, '/secret'],
  ])('is refused with the place of the fault: %j', async (json, pointer) => {
    const world = testApi();
    const refused = await world.call('PUT', PATH, { json });
    expect(refused).toMatchObject({ status: 400, body: { code: 'E_REQUEST_INVALID', pointer } });
    expect(await world.credentials.get(ACME)).toBeUndefined();
  });

  it.each(['Crm', 'a'.repeat(65), '-x'])('is refused for what is no connection: %s', async (name) => {
    const refused = await testApi().call('PUT', `/v1/connections/${name}/accounts/acme/credential`, { json: { token: 'a' } });
    expect(refused).toMatchObject({ status: 400, body: { errors: [{ parameter: 'connection' }] } });
  });

  it('is not stored for a connection that is not deployed, and the answer names those that are', async () => {
    const world = testApi();
    const refused = await world.call('PUT', '/v1/connections/cmr/accounts/acme/credential', { json: { token: 'a' } });
    expect(refused).toMatchObject({
      status: 404,
      body: { code: 'E_UNKNOWN_CONNECTION', detail: expect.stringContaining('billing, crm, shop') as string },
    });
    expect(await world.credentials.get({ connection: 'cmr', account: 'acme' })).toBeUndefined();
  });

  it('of a connection that is deployed no more can still be listed and removed', async () => {
    const world = testApi();
    await world.credentials.put({ connection: 'old', account: 'acme' }, { status: 'ok', sealed: 's', updatedAt: 1 });
    expect((await world.call('GET', '/v1/connections/old/accounts')).body.items).toHaveLength(1);
    expect(await world.call('DELETE', '/v1/connections/old/accounts/acme/credential')).toMatchObject({ status: 204 });
  });

  it.each([encodeURIComponent('line\nbreak'), 'x'.repeat(257)])('is refused for what is no account: %s', async (account) => {
    const refused = await testApi().call('PUT', `/v1/connections/crm/accounts/${account}/credential`, { json: { token: 'a' } });
    expect(refused).toMatchObject({ status: 400, body: { errors: [{ parameter: 'account' }] } });
  });

  it('needs the scope to operate, and a token for all tenants', async () => {
    const world = testApi();
    const reader = await world.putToken('reader', { scopes: ['read', 'start'] });
    const tenants = await world.putToken('tenant', { tenant: 'acme' });
    for (const token of [reader, tenants]) {
      for (const [method, path] of [
        ['PUT', PATH],
        ['DELETE', PATH],
        ['GET', '/v1/connections/crm/accounts'],
      ] as const) {
        const json = method === 'PUT' ? { json: { token: 'x' } } : {};
        expect(await world.call(method, path, { token, ...json })).toMatchObject({ status: 403, body: { code: 'E_FORBIDDEN' } });
      }
    }
    expect(await world.credentials.get(ACME)).toBeUndefined();
  });

  it('wakes the runs that wait for it: paused, about to pause, or not written yet; and none that has ended', async () => {
    const world = testApi();
    const paused = await world.putRun({ status: 'paused', reason: { code: 'E_NEEDS_AUTH', message: 'x' } });
    const running = await world.putRun({ status: 'running' });
    const ended = await world.putRun({ status: 'cancelled', endedAt: 1 });
    const unwritten = `run_${'0'.repeat(32)}`;
    for (const run of [paused.id, running.id, ended.id, unwritten]) await world.credentials.wait(ACME, run);
    expect((await world.call('GET', '/v1/connections/crm/accounts')).body.items).toEqual([
      { account: 'acme', status: 'needs-auth', version: 0, waiting: 4 },
    ]);
    expect(await world.call('PUT', PATH, { json: { token: 'x' } })).toMatchObject({ status: 200, body: { woken: 3 } });
    expect(
      world.wake
        .take()
        .map(({ run }) => run)
        .sort(),
    ).toEqual([paused.id, running.id].sort());
    for (const run of [paused.id, running.id, unwritten]) expect(await world.store.inbox(run)).toMatchObject([{ kind: 'resume' }]);
    expect(await world.store.inbox(ended.id)).toEqual([]);
    expect(await world.credentials.waiters(ACME)).toEqual([]);
  });

  it('that was stored although telling a run failed is told by storing it again', async () => {
    let failing = true;
    const world = testApi({
      faults: {
        before: (op) => {
          if (op === 'deliver' && failing) throw new Error('away');
        },
      },
    });
    const paused = await world.putRun({ status: 'paused' });
    await world.credentials.wait(ACME, paused.id);
    expect((await world.call('PUT', PATH, { json: { token: 'x' } })).status).toBe(500);
    failing = false;
    expect((await world.call('PUT', PATH, { json: { token: 'x' } })).body).toMatchObject({ version: 2, woken: 1 });
  });

  it('whose run cannot be woken is told all the same: the sweeper comes', async () => {
    const world = testApi({
      wakeFaults: {
        before: () => {
          throw new Error('away');
        },
      },
    });
    const paused = await world.putRun({ status: 'paused' });
    await world.credentials.wait(ACME, paused.id);
    expect(await world.call('PUT', PATH, { json: { token: 'x' } })).toMatchObject({ status: 200, body: { woken: 1 } });
    expect(await world.store.inbox(paused.id)).toHaveLength(1);
  });
});

describe('the list of accounts', () => {
  it('pages', async () => {
    const world = testApi();
    for (const account of ['a', 'b', 'ç'])
      await world.credentials.put({ connection: 'crm', account }, { status: 'ok', sealed: 's', updatedAt: 1 });
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const { body } = await world.call('GET', '/v1/connections/crm/accounts', { query: { limit: '1', ...(after ? { after } : {}) } });
      seen.push(...body.items.map((item) => (item as unknown as { account: string }).account));
      after = body.next;
    } while (after !== undefined);
    expect(seen).toEqual(['a', 'b', 'ç']);
  });

  it('says what needs a person', async () => {
    const world = testApi();
    await world.credentials.put(ACME, { status: 'revoked', updatedAt: 1_000, validUntil: 2_000 });
    expect((await world.call('GET', '/v1/connections/crm/accounts')).body.items).toEqual([
      {
        account: 'acme',
        status: 'needs-auth',
        version: 1,
        updatedAt: '1970-01-01T00:00:01.000Z',
        expiresAt: '1970-01-01T00:00:02.000Z',
        waiting: 0,
      },
    ]);
  });
});

it('is shown by no answer, not even where its body is broken', async () => {
  const world = testApi();
  for (const body of ['hf_secret_0123456789', '{"token":hf_secret_0123456789}', '{"token":"hf_secret_0123456789"']) {
    const refused = await world.call('PUT', PATH, { body });
    expect(refused).toMatchObject({ status: 400, body: { code: 'E_BODY_MALFORMED' } });
    expect(JSON.stringify([refused.body, world.events])).not.toMatch(/hf_s|ecret|0123/);
  }
});
