import { describe, expect, it } from 'vitest';
import type { TokenScope } from '../../src/engine/ports.ts';
import { memoryTokenStore } from '../../src/testing/memory-token-store.ts';
import { sha256, TOKEN, testApi } from '../support/api.ts';
import { tokenStoreContract } from '../support/contracts/token-store.ts';

const RUN = `run_${'0'.repeat(32)}`;
const START = '/v1/workflows/anything/runs';

describe('the token store in memory', () => tokenStoreContract(async () => memoryTokenStore()));

describe('a token of the store', () => {
  it('is taken, and its name stands with what its bearer did', async () => {
    const { call, putRun, putToken, store } = testApi();
    const token = await putToken('Grace');
    const run = await putRun({ status: 'waiting' });
    expect((await call('POST', `/v1/runs/${run.id}/cancel`, { token, json: { why: 'ordered twice' } })).status).toBe(202);
    expect(await store.inbox(run.id)).toMatchObject([{ kind: 'cancel', data: { by: 'Grace', why: 'ordered twice' } }]);
  });

  it('is refused when it is unknown, without a word of why', async () => {
    const { call } = testApi();
    const reply = await call('GET', '/v1/runs', { token: `hf_${'x'.repeat(43)}` });
    expect(reply).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer realm="holdfast", error="invalid_token"' } });
  });

  it('is refused from the moment at which it expires, also when it is remembered', async () => {
    const { call, clock, putToken } = testApi();
    const token = await putToken('short', { expiresAt: clock.now() + 1_000 });
    expect((await call('GET', '/v1/runs', { token })).status).toBe(200);
    clock.advance(999);
    expect((await call('GET', '/v1/runs', { token })).status).toBe(200);
    clock.advance(1);
    expect((await call('GET', '/v1/runs', { token })).status).toBe(401);
  });

  it('is looked up once a minute, so that one that is revoked is refused within it', async () => {
    const asked: string[] = [];
    const { call, clock, putToken, tokens } = testApi({ tokenFaults: { before: (op, id) => void (op === 'find' && asked.push(id)) } });
    const token = await putToken('Grace');
    for (let i = 0; i < 5; i++) await call('GET', '/v1/runs', { token });
    expect(asked).toEqual([sha256(token)]);
    await tokens.remove(sha256(token));
    clock.advance(59_999);
    expect((await call('GET', '/v1/runs', { token })).status).toBe(200);
    clock.advance(1);
    expect((await call('GET', '/v1/runs', { token })).status).toBe(401);
  });

  it('that is not there is remembered as that for no longer', async () => {
    const asked: string[] = [];
    const { call, clock, putToken } = testApi({ tokenFaults: { before: (op, id) => void (op === 'find' && asked.push(id)) } });
    const token = `hf_${sha256('late').slice(0, 43)}`;
    for (let i = 0; i < 5; i++) expect((await call('GET', '/v1/runs', { token })).status).toBe(401);
    expect(asked).toHaveLength(1);
    await putToken('late');
    clock.advance(60_000);
    expect((await call('GET', '/v1/runs', { token })).status).toBe(200);
  });

  it('is not looked up when it cannot be one, and made-up ones fill no memory', async () => {
    const asked: string[] = [];
    const { call } = testApi({ tokenFaults: { before: (op, id) => void (op === 'find' && asked.push(id)) } });
    for (const token of ['x', 'hf_', `hf_${'x'.repeat(42)}`, `hf_${'x'.repeat(44)}`, `hf_${'x'.repeat(42)}=`])
      await call('GET', '/v1/runs', { token });
    expect(asked).toEqual([]);
    const made = (i: number) => `hf_${String(i).padStart(43, '0')}`;
    for (let i = 0; i <= 1_000; i++) await call('GET', '/v1/runs', { token: made(i) });
    expect(asked).toHaveLength(1_001);
    await call('GET', '/v1/runs', { token: made(1_000) });
    expect(asked).toHaveLength(1_001);
    // The oldest had to go for the newest.
    await call('GET', '/v1/runs', { token: made(0) });
    expect(asked).toHaveLength(1_002);
  });

  it('cannot be told while the table is away: 503 with the time to come again, and never 401', async () => {
    let isAway = true;
    const { call, putToken, events } = testApi({
      tokenFaults: {
        before: (op) => {
          if (op === 'find' && isAway) throw new Error('AccessDenied to table connections');
        },
      },
    });
    const token = await putToken('Grace');
    const reply = await call('GET', '/v1/runs', { token });
    expect(reply).toMatchObject({ status: 503, headers: { 'retry-after': '2' }, body: { code: 'E_UNAVAILABLE' } });
    expect(JSON.stringify(reply.body)).not.toContain('connections');
    expect(events[0]).toMatchObject({ type: 'api.fault', error: { message: 'AccessDenied to table connections' } });
    // Those of the configuration need no table.
    expect((await call('GET', '/v1/runs', { token: TOKEN })).status).toBe(200);
    isAway = false;
    expect((await call('GET', '/v1/runs', { token })).status).toBe(200);
  });
});

describe('the scopes of a token', () => {
  const REQUESTS: Array<[string, string, TokenScope]> = [
    ['GET', '/v1/runs', 'read'],
    ['HEAD', '/v1/runs', 'read'],
    ['GET', `/v1/runs/${RUN}`, 'read'],
    ['GET', `/v1/runs/${RUN}/journal`, 'read'],
    ['GET', '/v1/workflows', 'read'],
    ['GET', '/v1/workflows/anything', 'read'],
    ['GET', '/v1/dead-letters', 'read'],
    ['GET', '/openapi.json', 'read'],
    ['POST', START, 'start'],
    ['POST', '/v1/workflows/anything/batches', 'start'],
    ['POST', '/v1/workflows/anything/batches/uploads', 'start'],
    ['POST', `/v1/runs/${RUN}/cancel`, 'operate'],
    ['POST', `/v1/runs/${RUN}/resume`, 'operate'],
    ['POST', `/v1/runs/${RUN}/redrive`, 'operate'],
    ['POST', `/v1/runs/${RUN}/calls/1/settle`, 'operate'],
    ['DELETE', `/v1/runs/${RUN}`, 'operate'],
    ['POST', '/v1/dead-letters/redrive', 'operate'],
    ['DELETE', '/v1/dead-letters/x', 'operate'],
  ];

  it.each(REQUESTS)('%s %s needs the scope %s, and no other will do', async (method, path, scope) => {
    const { call, putToken } = testApi();
    const right = await putToken('right', { scopes: [scope] });
    expect((await call(method, path, { token: right })).status).not.toBe(403);
    const others = (['read', 'start', 'operate'] as const).filter((other) => other !== scope);
    const wrong = await putToken('wrong', { scopes: others });
    const reply = await call(method, path, { token: wrong });
    expect(reply.status).toBe(403);
    expect(reply.headers['www-authenticate']).toBe(`Bearer realm="holdfast", error="insufficient_scope", scope="${scope}"`);
    if (method !== 'HEAD') expect(reply.body).toMatchObject({ code: 'E_FORBIDDEN', detail: expect.stringContaining(`"${scope}"`) });
  });

  it('are not asked for before it is known whether there is such a path', async () => {
    const { call, putToken } = testApi();
    const token = await putToken('none', { scopes: [] });
    expect((await call('GET', '/v1/nothing', { token })).status).toBe(404);
    expect((await call('GET', '/healthz', { token })).status).toBe(200);
  });
});

describe('a token of one tenant', () => {
  async function world() {
    const t = testApi();
    const token = await t.putToken('CI of acme', { tenant: 'acme' });
    const mine = await t.putRun({ tenant: 'acme', status: 'paused' });
    const other = await t.putRun({ tenant: 'umbrella', status: 'paused' });
    const letter = (id: string, tenant?: string) => ({
      id,
      body: '{"workflow":"anything"}',
      reason: { code: 'E_UNKNOWN_WORKFLOW', message: 'no' },
      firstSeen: t.clock.now(),
      ...(tenant === undefined ? {} : { tenant }),
    });
    for (const [id, tenant] of [['mine', 'acme'], ['other', 'umbrella'], ['nobody']] as const)
      await t.store.putDeadLetter(letter(id, tenant));
    const call = (method: string, path: string, sent: Parameters<typeof t.call>[2] = {}) => t.call(method, path, { token, ...sent });
    return { ...t, call, callAsAll: t.call, mine, other };
  }

  it('sees its runs alone', async () => {
    const { call, mine } = await world();
    expect((await call('GET', '/v1/runs')).body.items.map(({ id }) => id)).toEqual([mine.id]);
    expect((await call('GET', '/v1/runs', { query: { tenant: 'acme' } })).body.items).toHaveLength(1);
    expect((await call('GET', `/v1/runs/${mine.id}`)).status).toBe(200);
  });

  it.each([
    ['GET', ''],
    ['GET', '/journal'],
    ['POST', '/cancel'],
    ['POST', '/resume'],
    ['POST', '/redrive'],
    ['DELETE', ''],
  ])('is told that a run of another tenant does not exist: %s %s', async (method, verb) => {
    const { call, other, store } = await world();
    const reply = await call(method, `/v1/runs/${other.id}${verb}`);
    expect(reply).toMatchObject({ status: 404, body: { code: 'E_UNKNOWN_RUN' } });
    expect(reply.body.detail).toBe(`there is no run ${other.id}: it never was, or its time to be kept is over`);
    expect(store.peek(other.id)).toEqual(other);
  });

  it('may not ask for another tenant', async () => {
    const { call } = await world();
    expect(await call('GET', '/v1/runs', { query: { tenant: 'umbrella' } })).toMatchObject({
      status: 403,
      body: { code: 'E_FORBIDDEN', errors: [{ parameter: 'tenant' }] },
    });
    expect((await call('GET', '/v1/dead-letters', { query: { tenant: 'umbrella' } })).status).toBe(403);
    expect(await call('POST', '/v1/dead-letters/redrive', { json: { filter: { tenant: 'umbrella' } } })).toMatchObject({
      status: 403,
      body: { pointer: '/filter/tenant' },
    });
  });

  it.each([START, '/v1/workflows/anything/batches', '/v1/workflows/anything/batches/uploads'])(
    'may not start for another one: %s',
    async (path) => {
      const { call, store, starts } = await world();
      const headers = { 'Holdfast-Tenant': 'umbrella', 'Content-Type': path === START ? 'application/json' : 'application/x-ndjson' };
      const before = store.writes();
      expect(await call('POST', path, { headers, body: '{}' })).toMatchObject({
        status: 403,
        body: { code: 'E_FORBIDDEN', errors: [{ header: 'Holdfast-Tenant' }] },
      });
      expect(store.writes()).toBe(before);
      expect(starts.sent).toEqual([]);
    },
  );

  it('starts runs of its own, named or not', async () => {
    const { call, store, starts } = await world();
    for (const headers of [{}, { 'Holdfast-Tenant': 'acme' }]) {
      const { body } = await call('POST', START, { headers });
      expect(store.peek(body.id)).toMatchObject({ tenant: 'acme' });
    }
    await call('POST', '/v1/workflows/anything/batches', { headers: { 'Content-Type': 'application/x-ndjson' }, body: '1' });
    expect(starts.sent).toMatchObject([{ tenant: 'acme' }]);
  });

  it('sees and handles its dead letters alone, and none that belongs to nobody', async () => {
    const { call, callAsAll, store } = await world();
    expect((await call('GET', '/v1/dead-letters')).body.items.map(({ id }) => id)).toEqual(['mine']);
    for (const id of ['other', 'nobody']) expect((await call('DELETE', `/v1/dead-letters/${id}`)).status).toBe(404);
    const { body } = await call('POST', '/v1/dead-letters/redrive', { json: { ids: ['mine', 'other', 'nobody'] } });
    expect(body).toMatchObject({
      redriven: [{ id: 'mine' }],
      refused: [
        { id: 'other', code: 'E_UNKNOWN_DEAD_LETTER' },
        { id: 'nobody', code: 'E_UNKNOWN_DEAD_LETTER' },
      ],
    });
    expect((await call('POST', '/v1/dead-letters/redrive', { json: { filter: {} } })).body).toMatchObject({ redriven: [], refused: [] });
    expect((await store.deadLetters(['mine', 'other', 'nobody'])).map(({ id }) => id).sort()).toEqual(['nobody', 'other']);
    expect((await callAsAll('GET', '/v1/dead-letters')).body.items).toHaveLength(2);
  });
});
