import { describe, expect, it } from 'vitest';
import { raiseGate } from '../../src/admission/stops.ts';
import type { ConnectionItem } from '../../src/api/schemas.ts';
import type { AdmissionKey } from '../../src/engine/admission-ports.ts';
import { testApi } from '../support/api.ts';

const HOLD = '/v1/connections/crm/hold';
const RELEASE = '/v1/connections/crm/release';
const WHY = { why: 'they migrate until noon' };

async function gate({ admission, clock }: ReturnType<typeof testApi>, key: AdmissionKey, ms: number): Promise<void> {
  const change = raiseGate(await admission.read(key), clock.now() + ms, clock.now());
  if (change) await admission.change(key, change);
}
const connectionOf = (body: unknown) => body as ConnectionItem & { accounts: { items: ConnectionItem[]; next?: string } };

describe('the connections', () => {
  it('are listed by name, each with its state', async () => {
    const world = testApi();
    await gate(world, { connection: 'crm' }, 60_000);
    const { body } = await world.call('GET', '/v1/connections');
    expect(body).toMatchObject({
      items: [
        { connection: 'billing', state: 'open', perAccount: false, rate: [], concurrency: { allowed: 5 } },
        {
          connection: 'crm',
          state: 'gated',
          gate: { until: '2026-01-01T00:01:00.100Z' },
          breaker: { state: 'closed', opens: 0, requests: 0, failures: 0 },
          budget: { retries: 0, allowed: 100, windowEnds: '2026-01-01T00:00:10.000Z' },
          rate: [{ requests: 10, per: 1_000, burst: 1, waiting: 0, nextAt: '2026-01-01T00:01:00.100Z' }],
        },
        { connection: 'shop', state: 'open', perAccount: true },
      ],
    });
    expect(body.next).toBeUndefined();
  });

  it('page', async () => {
    const world = testApi();
    const first = await world.call('GET', '/v1/connections', { query: { limit: '2' } });
    expect(first.body).toMatchObject({ items: [{}, {}], next: 'crm' });
    const last = await world.call('GET', '/v1/connections', { query: { limit: '2', after: first.body.next } });
    expect(last.body.items).toMatchObject([{ connection: 'shop' }]);
  });

  it('are told one by one, with those accounts of which something is kept', async () => {
    const world = testApi();
    await gate(world, { connection: 'crm', account: 'Müller & Co' }, 5_000);
    const body = connectionOf((await world.call('GET', '/v1/connections/crm')).body);
    expect(body).toMatchObject({ connection: 'crm', state: 'open', accounts: { items: [{ account: 'Müller & Co', state: 'gated' }] } });
    const one = await world.call('GET', '/v1/connections/crm', { query: { account: 'Müller & Co' } });
    expect(one).toMatchObject({ status: 200, body: { account: 'Müller & Co', state: 'gated' } });
    expect(one.body).not.toHaveProperty('accounts');
    const other = await world.call('GET', '/v1/connections/crm', { query: { account: 'another' } });
    expect(other).toMatchObject({ status: 200, body: { account: 'another', state: 'open' } });
  });

  it('page through their accounts, from wherever a page ends', async () => {
    const world = testApi();
    for (const account of [undefined, 'a', 'b', 'ç']) await gate(world, { connection: 'crm', ...(account ? { account } : {}) }, 5_000);
    const seen: Array<string | undefined> = [];
    let after: string | undefined;
    do {
      const query = { limit: '1', ...(after === undefined ? {} : { after }) };
      const { accounts } = connectionOf((await world.call('GET', '/v1/connections/crm', { query })).body);
      seen.push(...accounts.items.map(({ account }) => account));
      after = accounts.next;
    } while (after !== undefined);
    expect(seen).toEqual(['a', 'b', 'ç']);
  });

  it.each([
    ['GET', '/v1/connections/cmr'],
    ['POST', '/v1/connections/cmr/hold'],
    ['POST', '/v1/connections/cmr/release'],
  ])('that are not deployed are told with those that are: %s %s', async (method, path) => {
    const json = path.endsWith('hold') ? { json: WHY } : {};
    const unknown = await testApi().call(method, path, json);
    expect(unknown).toMatchObject({ status: 404, body: { code: 'E_UNKNOWN_CONNECTION' } });
    expect(unknown.body.detail).toBe('no connection "cmr" is deployed: there are billing, crm, shop');
  });
});

describe('a hold', () => {
  it('stops a connection, with who and why, and is told by everything that shows it', async () => {
    const world = testApi();
    const token = await world.putToken('ada');
    const held = await world.call('POST', HOLD, { json: WHY, token });
    const hold = { by: 'ada', ...WHY, since: '2026-01-01T00:00:00.000Z' };
    expect(held).toMatchObject({ status: 200, body: { connection: 'crm', state: 'held', hold } });
    expect(held.body).toMatchObject({ rate: [{ waiting: 0 }] });
    expect(connectionOf(held.body).rate[0]).not.toHaveProperty('nextAt');
    expect((await world.call('GET', '/v1/connections/crm')).body).toMatchObject({ state: 'held', hold });
    expect(world.events).toContainEqual({
      type: 'api.operated',
      requestId: 'request-1',
      what: 'hold',
      connection: 'crm',
      by: 'ada',
      ...WHY,
    });
  });

  it('of what is held takes the newest name and reason', async () => {
    const world = testApi();
    await world.call('POST', HOLD, { json: WHY });
    world.clock.advance(60_000);
    const again = await world.call('POST', HOLD, { json: { why: 'longer' }, token: await world.putToken('bob') });
    expect(again).toMatchObject({ status: 200, body: { hold: { by: 'bob', why: 'longer', since: '2026-01-01T00:01:00.000Z' } } });
  });

  it('of one account is of that alone', async () => {
    const world = testApi();
    const held = await world.call('POST', '/v1/connections/shop/hold', { json: { ...WHY, account: 'acme' } });
    expect(held).toMatchObject({ status: 200, body: { connection: 'shop', account: 'acme', state: 'held' } });
    const { body } = await world.call('GET', '/v1/connections/shop');
    expect(body).toMatchObject({ state: 'open', accounts: { items: [{ account: 'acme', state: 'held' }] } });
  });

  it('without an account is of all of them, and shown so', async () => {
    const world = testApi();
    await world.call('POST', '/v1/connections/shop/hold', { json: { ...WHY, account: 'acme' } });
    await world.call('POST', '/v1/connections/shop/release', { json: { account: 'acme' } });
    const held = await world.call('POST', '/v1/connections/shop/hold', { json: WHY });
    expect(held).toMatchObject({ status: 200, body: { connection: 'shop', state: 'held' } });
    const { body } = await world.call('GET', '/v1/connections/shop');
    expect(body).toMatchObject({ state: 'held', accounts: { items: [{ account: 'acme', state: 'held', hold: { why: WHY.why } }] } });
    expect((await world.call('GET', '/v1/connections/shop', { query: { account: 'zoe' } })).body).toMatchObject({ state: 'held' });
  });

  it.each([
    [undefined, ''],
    [{}, '/why'],
    [{ why: '' }, '/why'],
    [{ why: 'x'.repeat(201) }, '/why'],
    [{ why: 'two\nlines' }, '/why'],
    [{ ...WHY, account: '' }, '/account'],
    [{ ...WHY, until: 'noon' }, '/until'],
  ])('is refused with the place of the fault: %j', async (json, pointer) => {
    const world = testApi();
    const refused = await world.call('POST', HOLD, json === undefined ? {} : { json });
    expect(refused).toMatchObject({ status: 400, body: { code: 'E_REQUEST_INVALID', pointer } });
    expect((await world.call('GET', '/v1/connections/crm')).body).toMatchObject({ state: 'open' });
  });
});

describe('a release', () => {
  it('lets a connection go again, slowly at first; who did so is in the log', async () => {
    const world = testApi();
    await world.call('POST', HOLD, { json: WHY });
    const released = await world.call('POST', RELEASE, { json: { why: 'they are back' } });
    expect(released).toMatchObject({ status: 200, body: { state: 'slow-start', slowStart: { until: '2026-01-01T00:00:01.500Z' } } });
    expect(released.body).not.toHaveProperty('hold');
    expect(world.events).toContainEqual(
      expect.objectContaining({ type: 'api.operated', what: 'release', by: 'static token', why: 'they are back' }),
    );
    world.clock.advance(1_500);
    expect((await world.call('GET', '/v1/connections/crm')).body).toMatchObject({ state: 'open' });
  });

  it('leaves a gate as it is', async () => {
    const world = testApi();
    await gate(world, { connection: 'crm' }, 60_000);
    await world.call('POST', HOLD, { json: WHY });
    expect(await world.call('POST', RELEASE)).toMatchObject({ status: 200, body: { state: 'gated', gate: {} } });
  });

  it('of what nobody holds is refused with the state that it is in, and is no event', async () => {
    const world = testApi();
    await gate(world, { connection: 'crm' }, 60_000);
    const refused = await world.call('POST', RELEASE);
    expect(refused).toMatchObject({
      status: 409,
      body: { code: 'E_NOT_HELD', connectionState: 'gated', detail: 'nobody holds crm: it is gated' },
    });
    const account = await world.call('POST', RELEASE, { json: { account: 'acme' } });
    expect(account).toMatchObject({
      status: 409,
      body: { connectionState: 'open', detail: 'nobody holds the account "acme" of crm: it is open' },
    });
    expect(world.events.map(({ type }) => type)).not.toContain('api.operated');
  });
});

it('what is done to connections needs the scope to operate, what is seen of them that to read, and all of it a token for all tenants', async () => {
  const world = testApi();
  const reader = await world.putToken('reader', { scopes: ['read'] });
  const starter = await world.putToken('starter', { scopes: ['start'] });
  const tenants = await world.putToken('tenant', { tenant: 'acme' });
  for (const path of ['/v1/connections', '/v1/connections/crm']) {
    expect((await world.call('GET', path, { token: reader })).status).toBe(200);
    for (const token of [starter, tenants])
      expect(await world.call('GET', path, { token })).toMatchObject({ status: 403, body: { code: 'E_FORBIDDEN' } });
  }
  for (const [path, json] of [
    [HOLD, WHY],
    [RELEASE, {}],
  ] as const) {
    for (const token of [reader, starter, tenants]) expect(await world.call('POST', path, { token, json })).toMatchObject({ status: 403 });
  }
  expect((await world.call('GET', '/v1/connections/crm')).body).toMatchObject({ state: 'open' });
});
