import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { HoldfastError, toErrorData } from '../../src/engine/errors.ts';
import type { Json } from '../../src/engine/json.ts';
import { fingerprint, MAX_MESSAGE_BYTES, newRecord, parseStartMessage, prepareStart, runId } from '../../src/engine/start.ts';
import { registry, workflow } from '../../src/engine/workflow.ts';

function codeOf(act: () => unknown): { code: string; message: string; pointer: unknown } {
  try {
    act();
  } catch (error) {
    if (error instanceof HoldfastError) return { code: error.code, message: error.message, pointer: error.detail.pointer };
    throw error;
  }
  throw new Error('it did not throw');
}

describe('start messages', () => {
  const body = (fields: object) => JSON.stringify({ workflow: 'w', ...fields });
  test.each<[string, string, string, string | undefined]>([
    ['not JSON', '{', 'E_MESSAGE_MALFORMED', '/'],
    ['nothing', '', 'E_MESSAGE_MALFORMED', '/'],
    ['null', 'null', 'E_MESSAGE_MALFORMED', '/'],
    ['a list', '[]', 'E_MESSAGE_MALFORMED', '/'],
    ['a text', '"w"', 'E_MESSAGE_MALFORMED', '/'],
    ['no workflow', '{}', 'E_MESSAGE_MALFORMED', '/workflow'],
    ['an empty workflow', '{"workflow":""}', 'E_MESSAGE_MALFORMED', '/workflow'],
    ['a workflow that is no text', '{"workflow":1}', 'E_MESSAGE_MALFORMED', '/workflow'],
    ['a workflow by inheritance only', '{"__proto__":{"workflow":"w"}}', 'E_MESSAGE_MALFORMED', '/__proto__'],
    ['a key that is no text', body({ idempotencyKey: 5 }), 'E_MESSAGE_MALFORMED', '/idempotencyKey'],
    ['an empty key', body({ idempotencyKey: '' }), 'E_MESSAGE_MALFORMED', '/idempotencyKey'],
    ['a tenant that is null', body({ tenant: null }), 'E_MESSAGE_MALFORMED', '/tenant'],
    ['an unknown field', body({ 'in/put': 1 }), 'E_MESSAGE_MALFORMED', '/in~1put'],
    [
      'what is nested beyond sense',
      body({ input: JSON.parse(`${'['.repeat(1_000)}${']'.repeat(1_000)}`) as Json }),
      'E_MESSAGE_MALFORMED',
      '/',
    ],
    ['__proto__ beside it', '{"workflow":"w","__proto__":{"tenant":"x"}}', 'E_MESSAGE_MALFORMED', '/__proto__'],
    ['a byte too long', body({ input: 'x'.repeat(MAX_MESSAGE_BYTES - 26) }), 'E_MESSAGE_TOO_LARGE', undefined],
    ['too long in bytes, not in characters', body({ input: '語'.repeat(MAX_MESSAGE_BYTES / 2) }), 'E_MESSAGE_TOO_LARGE', undefined],
  ])('%s is refused', (_name, text, code, place) => {
    const error = codeOf(() => parseStartMessage(text));
    expect(error.code).toBe(code);
    expect(error.pointer).toBe(place);
  });

  test('the largest message is taken', () => {
    const frame = body({ input: '' }).length;
    expect(parseStartMessage(body({ input: 'x'.repeat(MAX_MESSAGE_BYTES - frame) })).workflow).toBe('w');
  });

  test('only what is there is in the request', () => {
    expect(parseStartMessage('{"workflow":"w"}')).toEqual({ workflow: 'w' });
    expect(parseStartMessage('{"workflow":"w","input":null}')).toEqual({ workflow: 'w', input: null });
  });

  const known = registry([
    workflow({ name: 'w', run: async () => null }),
    workflow({ name: 'strict', input: z.object({ list: z.array(z.object({ 'a/b': z.number() })) }), run: async () => null }),
  ]);
  const refusal = async (request: Parameters<typeof prepareStart>[1], key = 'k') => {
    const error = (await prepareStart(known, request, key).catch((thrown: unknown) => thrown)) as HoldfastError;
    return { code: error.code, pointer: error.detail.pointer, message: error.message };
  };

  test('what is not deployed is refused with what is', async () => {
    expect(await refusal({ workflow: 'other' })).toMatchObject({
      code: 'E_UNKNOWN_WORKFLOW',
      pointer: '/workflow',
      message: expect.stringContaining('w, strict') as string,
    });
    for (const name of ['__proto__', 'constructor', 'toString'])
      expect((await refusal({ workflow: name })).code).toBe('E_UNKNOWN_WORKFLOW');
  });

  test('an input is refused with the pointer of the field at fault', async () => {
    expect(await refusal({ workflow: 'strict', input: { list: [{ 'a/b': 1 }, { 'a/b': 'x' }] } })).toMatchObject({
      code: 'E_INPUT_INVALID',
      pointer: '/input/list/1/a~1b',
    });
    expect((await refusal({ workflow: 'strict' })).code).toBe('E_INPUT_INVALID');
  });

  test('an input with thousands of faults is refused with the first of them', async () => {
    const error = await prepareStart(
      known,
      { workflow: 'strict', input: { list: Array.from({ length: 5_000 }, () => ({ 'a/b': 'x' })) } },
      'k',
    ).catch((thrown: unknown) => toErrorData(thrown));
    expect(error).toMatchObject({ code: 'E_INPUT_INVALID', detail: { pointer: '/input/list/0/a~1b' } });
    expect(JSON.stringify(error).length).toBeLessThan(20_000);
  });

  test.each(['', ' ', 'a b', 'x'.repeat(65), 'é', 'a/b', 'a\n'])('%j is no tenant', async (tenant) => {
    expect(await refusal({ workflow: 'w', tenant })).toMatchObject({ code: 'E_MESSAGE_MALFORMED', pointer: '/tenant' });
  });

  test('a key has at most 255 characters', async () => {
    expect(await refusal({ workflow: 'w', idempotencyKey: 'x'.repeat(256) })).toMatchObject({ pointer: '/idempotencyKey' });
    expect((await prepareStart(known, { workflow: 'w', idempotencyKey: 'x'.repeat(255) }, 'k')).key).toHaveLength(255);
  });

  test('an input as deep as a message allows is refused or kept, and brings nothing down', async () => {
    const input = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`) as Json;
    expect((await refusal({ workflow: 'w', input })).code).toBe('E_NOT_SERIALISABLE');
  });

  test('no two of tenant, workflow and key make one id by standing together', () => {
    const ids = [
      runId('a', 'b', 'c'),
      runId('ab', '', 'c'),
      runId('a', 'bc', ''),
      runId('', 'ab', 'c'),
      runId('a', 'b', 'c1:'),
      runId('a', 'b1:c', ''),
      runId('é', 'b', 'c'),
    ];
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^run_[0-9a-f]{32}$/);
  });

  test('the fingerprint is of the input as a value, and of the workflow', () => {
    expect(fingerprint('w', { a: 1, b: 2 })).toBe(fingerprint('w', { b: 2, a: 1 }));
    expect(fingerprint('w', { a: 1 })).not.toBe(fingerprint('w', { a: '1' }));
    expect(fingerprint('w', { a: 1 })).not.toBe(fingerprint('v', { a: 1 }));
  });

  test('a new run is queued, due, and has its input as it was sent', async () => {
    const start = await prepareStart(known, { workflow: 'w', input: { z: 1, a: 2 } }, 'key');
    expect(newRecord(start, { now: 1_000, nonce: 'n' })).toMatchObject({
      status: 'queued',
      due: 901_000,
      createdAt: 1_000,
      crashes: 0,
      inbox: 0,
      key: 'key',
      input: { text: '{"z":1,"a":2}' },
      spilled: false,
    });
  });
});

describe('workflows', () => {
  test('an older version is found while it is registered, and a new run begins with the newest', () => {
    const one = workflow({ name: 'w', run: async () => 1 });
    const two = workflow({ name: 'w', version: 2, previous: [one], run: async () => 2 });
    const both = registry([two]);
    expect(both.latest('w')).toBe(two);
    expect(both.find('w', 1)).toBe(one);
    expect(both.find('w', 3)).toBeUndefined();
    expect(both.find('__proto__', 1)).toBeUndefined();
    expect(both.all()).toEqual([two]);
  });

  test.each<[string, () => unknown, string]>([
    [
      'a name twice',
      () => registry([workflow({ name: 'w', run: async () => 1 }), workflow({ name: 'w', version: 2, run: async () => 1 })]),
      'E_DUPLICATE_WORKFLOW',
    ],
    [
      'a version twice',
      () => {
        const one = workflow({ name: 'w', run: async () => 1 });
        return registry([workflow({ name: 'w', previous: [one], run: async () => 1 })]);
      },
      'E_DUPLICATE_WORKFLOW',
    ],
    [
      'a stranger as predecessor',
      () => registry([workflow({ name: 'w', previous: [workflow({ name: 'v', run: async () => 1 })], run: async () => 1 })]),
      'E_BAD_OPTION',
    ],
    ['no name', () => workflow({ name: '', run: async () => 1 }), 'E_BAD_OPTION'],
    ['a name in capitals', () => workflow({ name: 'W', run: async () => 1 }), 'E_BAD_OPTION'],
    ['a name of 65 characters', () => workflow({ name: 'w'.repeat(65), run: async () => 1 }), 'E_BAD_OPTION'],
    ['version 0', () => workflow({ name: 'w', version: 0, run: async () => 1 }), 'E_BAD_OPTION'],
    ['version 1.5', () => workflow({ name: 'w', version: 1.5, run: async () => 1 }), 'E_BAD_OPTION'],
    ['no function', () => workflow({ name: 'w', run: 5 as never }), 'E_BAD_OPTION'],
    ['no schema', () => workflow({ name: 'w', input: {} as never, run: async () => 1 }), 'E_BAD_OPTION'],
    ['another policy', () => workflow({ name: 'w', onDivergence: 'ignore' as never, run: async () => 1 }), 'E_BAD_OPTION'],
  ])('%s is an error at start-up', (_name, act, code) => {
    expect(codeOf(act).code).toBe(code);
  });
});
