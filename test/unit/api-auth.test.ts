import { describe, expect, it } from 'vitest';
import { bearerToken, tokenCheck } from '../../src/api/auth.ts';
import { sha256, TOKEN, testApi } from '../support/api.ts';

/** As the API asks it of an `Authorization` header. */
function headerCheck(hashes: readonly string[]): (header: string | undefined) => boolean {
  const check = tokenCheck(hashes);
  return (header) => {
    const token = bearerToken(header);
    return token !== undefined && check(token);
  };
}

describe('the token check', () => {
  const check = headerCheck([sha256('first'), sha256('second')]);

  it.each([
    ['the first token', 'Bearer first', true],
    ['the second token', 'Bearer second', true],
    ['the scheme in any case', 'bearer second', true],
    ['more than one space', 'Bearer   second', true],
    ['no header', undefined, false],
    ['an empty header', '', false],
    ['no token', 'Bearer ', false],
    ['another token', 'Bearer third', false],
    ['the beginning of a token', 'Bearer firs', false],
    ['a token and more', 'Bearer first second', false],
    ['another scheme', 'Basic first', false],
    ['the token alone', 'first', false],
    ['the hash itself', `Bearer ${sha256('first')}`, false],
  ])('given %s answers as it should', (_, header, expected) => {
    expect(check(header)).toBe(expected);
  });

  it('lets nobody in while there is no token', () => {
    expect(headerCheck([])('Bearer ')).toBe(false);
    expect(headerCheck([])('Bearer anything')).toBe(false);
  });

  it('does not take the hash of nothing for a missing token', () => {
    expect(headerCheck([sha256('')])(undefined)).toBe(false);
    expect(headerCheck([sha256('')])('Bearer ')).toBe(false);
  });

  it('takes hashes in upper case', () => {
    expect(headerCheck([sha256('first').toUpperCase()])('Bearer first')).toBe(true);
  });

  it.each(['', 'first', sha256('first').slice(1), `${sha256('first')}0`, 'g'.repeat(64)])('refuses %j as a hash at once', (hash) => {
    expect(() => tokenCheck([sha256('x'), hash])).toThrow(/token hash 2 of 2 is not the SHA-256/);
  });

  it('looks at every hash, whichever matches', () => {
    const hashes = Array.from({ length: 200 }, (_, i) => sha256(`token-${i}`));
    const many = headerCheck(hashes);
    expect(many('Bearer token-0')).toBe(true);
    expect(many('Bearer token-199')).toBe(true);
    expect(many('Bearer token-200')).toBe(false);
  });
});

describe('an API without the right token', () => {
  it.each(['/v1/workflows', '/v1/workflows/onboard', '/v1/runs', '/v1/runs/run_0', '/v1/dead-letters', '/v1/nothing', '/'])(
    'answers 401 at %s and tells nothing else',
    async (path) => {
      const { call } = testApi();
      const missing = await call('GET', path, { token: null });
      expect(missing.status).toBe(401);
      expect(missing.body.code).toBe('E_UNAUTHORIZED');
      expect(missing.headers['www-authenticate']).toBe('Bearer realm="holdfast"');
      const wrong = await call('GET', path, { token: `${TOKEN}x` });
      expect(wrong.status).toBe(401);
      expect(wrong.headers['www-authenticate']).toBe('Bearer realm="holdfast", error="invalid_token"');
    },
  );

  it('does not look at the body or the stores', async () => {
    const touched: string[] = [];
    const { call } = testApi({ faults: { before: (op) => void touched.push(op) } });
    expect((await call('POST', '/v1/workflows/onboard/runs', { token: null, body: '{' })).status).toBe(401);
    expect(touched).toEqual([]);
  });

  it('still tells that it lives', async () => {
    const { call } = testApi();
    expect(await call('GET', '/healthz', { token: null })).toMatchObject({ status: 200, body: { status: 'ok' } });
    expect((await call('POST', '/healthz', { token: null })).status).toBe(405);
  });

  it('reads the header in any case, and from the multi-value headers', async () => {
    const { call } = testApi();
    expect((await call('GET', '/v1/runs', { token: null, headers: { AUTHORIZATION: `Bearer ${TOKEN}` } })).status).toBe(200);
    const event = { headers: {}, multiValueHeaders: { authorization: [`Bearer ${TOKEN}`] } };
    expect((await call('GET', '/v1/runs', { token: null, event })).status).toBe(200);
  });
});
