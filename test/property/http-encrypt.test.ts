/** Whatever an API sends and whatever paths are named: what is kept shows nothing of it, and what comes back is what was sent, byte for byte. */
import { createSecretKey } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { StoredReply } from '../../src/http/reply.ts';
import type { HttpRuntime } from '../../src/http/runtime.ts';
import { sealReply } from '../../src/http/secrecy/encrypt.ts';
import { findRanges } from '../../src/http/secrecy/json-ranges.ts';
import { seal, unseal } from '../../src/http/secrecy/seal.ts';
import { SEALED_MARK, vault } from '../../src/http/secrecy/vault.ts';

const runs = {
  numRuns: Number(process.env.FUZZ_RUNS ?? 1_000),
  ...(process.env.FUZZ_SEED === undefined ? {} : { seed: Number(process.env.FUZZ_SEED) }),
};
const key = createSecretKey('the deployment key', 'utf8');
const purpose = 'reply run_1 GET crm /';
const place = {
  run: { id: 'run_1', tenant: 't', workflow: 'w' },
  op: 'GET crm /',
  services: { http: { unseal: async (why, box) => unseal(key, why, box) } satisfies Partial<HttpRuntime> },
};

async function there(stored: StoredReply, paths: readonly (readonly string[])[]): Promise<string> {
  return sealReply(JSON.stringify(stored), paths, async (text) => seal(key, purpose, text));
}

async function back(kept: string): Promise<StoredReply> {
  const replies = vault();
  await replies.load(kept, place);
  return JSON.parse(replies.open(kept)) as StoredReply;
}

const NAMES = ['a', 'b', 'token', 'ünï', '‹sealed›', 'a"b', ''];
/** JSON as no `JSON.stringify` would write it: blanks, spellings, numbers beyond doubles, names twice, the very mark. */
const blank = fc.constantFrom('', '', ' ', '\n\t', '\r\n  ');
const name = fc.constantFrom(...NAMES.map((one) => JSON.stringify(one)), '"\\u0061"', '"to\\u006ben"');
const scalar = fc.oneof(
  fc.constantFrom(
    '1',
    '-0',
    '1e400',
    '12345678901234567890.123456789012345678901',
    'true',
    'false',
    'null',
    '"‹sealed›"',
    '"\\"}}"',
    '"\\\\"',
  ),
  fc.string({ unit: 'grapheme' }).map((text) => JSON.stringify(text)),
);
const { json } = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    fc
      .array(fc.tuple(blank, name, blank, blank, tie('json'), blank), { maxLength: 5 })
      .map((all) => `{${all.map(([a, n, b, c, v, d]) => `${a}${n}${b}:${c}${v}${d}`).join(',')}}`),
    fc.array(fc.tuple(blank, tie('json'), blank), { maxLength: 5 }).map((all) => `[${all.map((one) => one.join('')).join(',')}]`),
  ),
}));
const path = fc.array(fc.constantFrom('*', 'a', 'b', 'token'), { maxLength: 4 });

test('what is opened is what was sealed, whatever the body and the paths', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.tuple(blank, json, blank).map((parts) => parts.join('')),
        fc.string({ unit: 'grapheme' }),
      ),
      fc.array(path, { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      async (text, paths, truncated) => {
        const stored: StoredReply = { status: 200, headers: { 'x-a': '"}}' }, text, ...(truncated ? { truncated } : {}) };
        expect(await back(await there(stored, paths))).toEqual(stored);
      },
    ),
    runs,
  );
});

/** The slow and obvious way: what the paths name, by the parsed body. */
function named(value: unknown, paths: readonly (readonly string[])[]): unknown[] {
  if (paths.some((one) => one.length === 0)) return [value];
  if (Array.isArray(value))
    return value.flatMap((item) =>
      named(
        item,
        paths.map((one) => (one[0] === '*' ? one.slice(1) : one)),
      ),
    );
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) =>
    named(
      item,
      paths.filter(([step]) => step === '*' || step === key).map((one) => one.slice(1)),
    ),
  );
}

test('exactly what the paths name is found', () => {
  const value = fc.jsonValue({ depthSize: 'medium' }).filter((one) => typeof one === 'object' && one !== null);
  const known = fc.letrec((tie) => ({
    body: fc.oneof(
      { depthSize: 'small' },
      fc.integer(),
      fc.string(),
      fc.dictionary(fc.constantFrom('a', 'b', 'token'), tie('body'), { noNullPrototype: true }),
      fc.array(tie('body')),
    ),
  })).body;
  fc.assert(
    fc.property(
      fc.oneof(value, known),
      fc.array(
        path.filter(({ length }) => length > 0),
        { minLength: 1, maxLength: 4 },
      ),
      (body, paths) => {
        if (typeof body !== 'object' || body === null) return;
        const text = JSON.stringify(body, null, 1);
        const found = findRanges(text, paths)?.map(([start, end]) => JSON.parse(text.slice(start, end)) as unknown);
        const plain = JSON.parse(text) as unknown;
        expect(found).toEqual(named(plain, paths));
      },
    ),
    runs,
  );
});

test('nothing of what is named can be read in what is kept', async () => {
  await fc.assert(
    fc.asyncProperty(json, fc.constantFrom('[*]', 'deep.token', '*'), fc.uuid(), async (other, _how, secret) => {
      const text = `{"other":${other},"token":"${secret}","list":[{"token":{"in":"${secret}"}}, {"token":[1,"${secret}"]}]}`;
      const kept = await there({ status: 200, headers: {}, text }, [['token'], ['list', 'token']]);
      expect(kept).not.toContain(secret);
      const stored = JSON.parse(kept) as StoredReply;
      const shown = JSON.parse(stored.text ?? '') as unknown;
      expect(shown).toMatchObject({ token: SEALED_MARK, list: [{ token: SEALED_MARK }, { token: SEALED_MARK }] });
    }),
    runs,
  );
});
