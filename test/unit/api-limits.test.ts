import { describe, expect, it } from 'vitest';
import { testApi } from '../support/api.ts';

const RUN = `run_${'0'.repeat(32)}`;

describe('HEAD', () => {
  it.each(['/v1/runs', '/v1/workflows', '/v1/dead-letters', '/healthz', '/openapi.json'])(
    'answers as GET does, without a body: %s',
    async (path) => {
      const { call } = testApi();
      const [get, head] = [await call('GET', path), await call('HEAD', path)];
      expect(head).toMatchObject({ status: get.status, headers: get.headers, body: undefined });
    },
  );

  it('tells of problems by their status alone', async () => {
    const { call } = testApi();
    expect(await call('HEAD', `/v1/runs/${RUN}`)).toMatchObject({ status: 404, body: undefined });
    expect((await call('HEAD', '/v1/runs', { token: null })).status).toBe(401);
    expect((await call('HEAD', '/v1/workflows/anything/runs')).status).toBe(405);
  });
});

describe('OPTIONS', () => {
  it.each([
    ['/v1/runs', 'GET, HEAD, OPTIONS'],
    [`/v1/runs/${RUN}`, 'GET, DELETE, HEAD, OPTIONS'],
    ['/v1/dead-letters/redrive', 'POST, OPTIONS'],
    ['/healthz', 'GET, HEAD, OPTIONS'],
  ])('tells which methods there are at %s, and does nothing', async (path, allow) => {
    const { call, store } = testApi();
    const reply = await call('OPTIONS', path);
    expect(reply).toMatchObject({ status: 204, headers: { allow }, body: undefined });
    expect(store.writes()).toBe(0);
  });

  it('tells nothing without a token, or where there is nothing', async () => {
    const { call } = testApi();
    expect((await call('OPTIONS', '/v1/runs', { token: null })).status).toBe(401);
    expect((await call('OPTIONS', '/v1/nothing')).status).toBe(404);
  });
});

describe('a request without measure', () => {
  it.each<[string, Parameters<ReturnType<typeof testApi>['call']>, number, string]>([
    ['a path', ['GET', `/v1/runs/${'x'.repeat(8_200)}`], 414, 'E_URL_TOO_LONG'],
    ['a query', ['GET', '/v1/runs', { query: { after: 'x'.repeat(8_200) } }], 414, 'E_URL_TOO_LONG'],
    ['a parameter again and again', ['GET', '/v1/runs', { query: { after: Array(3_000).fill('x') } }], 414, 'E_URL_TOO_LONG'],
    ['a header', ['GET', '/v1/runs', { headers: { 'X-Much': 'x'.repeat(33_000) } }], 431, 'E_HEADERS_TOO_LARGE'],
    [
      'headers',
      ['GET', '/v1/runs', { headers: Object.fromEntries(Array.from({ length: 4_000 }, (_, i) => [`X-${i}`, 'xxxx'])) }],
      431,
      'E_HEADERS_TOO_LARGE',
    ],
    ['a body', ['POST', `/v1/runs/${RUN}/cancel`, { body: `{"why":"${'x'.repeat(300_000)}"}` }], 413, 'E_BODY_TOO_LARGE'],
    ['a depth', ['POST', `/v1/runs/${RUN}/cancel`, { body: '['.repeat(10_000) + ']'.repeat(10_000) }], 400, 'E_BODY_MALFORMED'],
  ])('is refused: %s', async (_, sent, status, code) => {
    const { call, store } = testApi();
    const reply = await call(...sent);
    expect(reply).toMatchObject({ status, body: { code } });
    expect(store.writes()).toBe(0);
  });

  it('is refused before its token is looked at', async () => {
    const asked: string[] = [];
    const { call } = testApi({ tokenFaults: { before: (op) => void asked.push(op) } });
    const token = `hf_${'x'.repeat(43)}`;
    expect((await call('GET', '/v1/runs', { token, headers: { 'X-Much': 'x'.repeat(33_000) } })).status).toBe(431);
    expect(asked).toEqual([]);
  });
});

describe('a list that somebody pages through', () => {
  it('tells of each run once while others begin', async () => {
    const { call, clock, putRun } = testApi();
    const before: string[] = [];
    for (let i = 0; i < 25; i++) {
      before.push((await putRun()).id);
      // Some in one and the same millisecond.
      if (i % 3 === 0) clock.advance(1);
    }
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const { body } = await call('GET', '/v1/runs', { query: { limit: '4', ...(after === undefined ? {} : { after }) } });
      seen.push(...body.items.map(({ id }) => id));
      after = body.next;
      clock.advance(1);
      await putRun();
    } while (after !== undefined);
    expect(seen.sort()).toEqual(before.sort());
  });

  it('tells of each dead letter once while others come, and those that it stood at go', async () => {
    const { call, clock, store } = testApi();
    const put = (id: string) =>
      store.putDeadLetter({ id, body: '{}', reason: { code: 'E_MESSAGE_MALFORMED', message: 'no' }, firstSeen: clock.now() });
    const before = Array.from({ length: 9 }, (_, i) => `old-${i}`);
    for (const id of before) await put(id);
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const { body } = await call('GET', '/v1/dead-letters', { query: { limit: '2', ...(after === undefined ? {} : { after }) } });
      seen.push(...body.items.map(({ id }) => id));
      after = body.next;
      clock.advance(1);
      await put(`new-${seen.length}`);
      await call('DELETE', `/v1/dead-letters/${body.items.at(-1)?.id}`);
    } while (after !== undefined);
    expect(seen.sort()).toEqual(before);
  });
});

describe('health', () => {
  it('says what is deployed, where that is known', async () => {
    expect((await testApi({ version: '0.1.0-abc' }).call('GET', '/healthz')).body).toEqual({ status: 'ok', version: '0.1.0-abc' });
    expect((await testApi().call('GET', '/healthz')).body).toEqual({ status: 'ok' });
  });
});
