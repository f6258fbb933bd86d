/** What people are shown has no credential in it that a name or a form gives away, and everything else. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { REDACTED, redactHeaders, redactJson, redactText } from '../../src/engine/redaction.ts';

const S = 'hunter2-Hunter2.hunter2';

describe('a text', () => {
  test.each([
    `https://ada:${S}@api.example/x`,
    `postgres://${S}@db.example:5432/x`,
    `GET https://api.example/x?a=1&access_token=${S}&b=2`,
    `https://api.example/cb?code=${S}`,
    `https://maps.example/json?key=${S}`,
    `https://blob.example/f?sv=2024&sig=${encodeURIComponent(`${S}+/=`)}&se=1`,
    `https://bucket.example/f?X-Amz-Signature=${S}&X-Amz-Security-Token=${S}`,
    `https://api.example/x?client%5Fsecret=${S}`,
    `grant_type=refresh_token&refresh_token=${S}&client_secret=${S}`,
    `password=${S}`,
    `authorization: Bearer ${S}`,
    `it said Basic ${Buffer.from(`ada:${S}`).toString('base64')} is wrong`,
    `{"access_token":"${S}","token_type":"bearer","expires_in":3600}`,
    `{ "user": {"Password" : "${S}\\"quoted\\"${S}"} }`,
    JSON.stringify({ log: JSON.stringify({ apiKey: S, list: [{ client_secret: S }] }) }),
    `{"private_key":"${S}`.concat('","x":1}'),
  ])('%s', (text) => {
    const shown = redactText(text);
    expect(shown).toContain(REDACTED);
    expect(shown).not.toContain('hunter2');
    expect(shown).not.toContain(Buffer.from(`ada:${S}`).toString('base64'));
  });

  test.each([
    'the connection broke (ECONNRESET)',
    'GET crm /companies/acme answered 404 after 1 attempt',
    'https://api.example/x?page=2&next_page_token=abc&limit=10',
    '{"total_tokens":12,"max_tokens":5,"next_token":"abc","nextPageToken":"abc"}',
    '{"code":"E_CALL_FAILED","key":"order-1","state":"open"}',
    'Basic information and Token counts, Bearer of news',
    'https://api.example/users/a@b.example',
    'mail ada@example.com: a = b',
    'sorted by key=value pairs'.replace('key=', 'name='),
  ])('that has none stays as it is: %s', (text) => {
    expect(redactText(text)).toBe(text);
  });
});

test('members and headers are known by their names, whatever their case and separators', () => {
  expect(
    redactJson({ apiKey: S, API_KEY: 7, 'x-api-key': S, passwords: 'no', has_password: true, credentials: { user: 'a' }, password: null }),
  ).toEqual({
    apiKey: REDACTED,
    API_KEY: REDACTED,
    'x-api-key': REDACTED,
    passwords: 'no',
    has_password: true,
    credentials: REDACTED,
    password: null,
  });
  const limits = { 'x-ratelimit-remaining-tokens': '5', 'x-request-id': 'r', 'content-type': 'application/json' };
  expect(
    redactHeaders({ ...limits, authorization: S, 'X-Shop-Access-Token': S, 'proxy-authorization': S, cookie: S, 'x-session-id': S }),
  ).toEqual({
    ...limits,
    authorization: REDACTED,
    'X-Shop-Access-Token': REDACTED,
    'proxy-authorization': REDACTED,
    cookie: REDACTED,
    'x-session-id': REDACTED,
  });
});

test('whatever the text, it takes no time, and once is enough', () => {
  const piece = fc.constantFrom(
    '"',
    '\\"',
    'token',
    '=',
    ':',
    '&',
    '?',
    '://',
    '@',
    ' ',
    'Bearer ',
    'x',
    '{',
    '}',
    '\\',
    '%20',
    'password',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      const once = redactText(pieces.join(''));
      expect(redactText(once)).toBe(once);
    }),
    { numRuns: 2_000 },
  );
  for (const hostile of [
    '"'.repeat(100_000),
    '\\"a'.repeat(50_000),
    'a://'.repeat(50_000),
    `"token":"${'\\'.repeat(100_001)}`,
    'a='.repeat(100_000),
  ]) {
    const began = performance.now();
    redactText(hostile);
    expect(performance.now() - began).toBeLessThan(1_000);
  }
});

test('takes tokens out of fragments, where OAuth puts them, too', () => {
  expect(redactText('Location: https://app/cb#access_token=SECRET1&state=SECRET2&token_type=bearer')).not.toContain('SECRET');
  expect(redactHeaders({ location: 'https://app/cb?a=1#access_token=SECRET1' })).toEqual({
    location: `https://app/cb?a=1#access_token=${REDACTED}`,
  });
});
