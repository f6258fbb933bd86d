import { describe, expect, test } from 'vitest';
import { type Duration, milliseconds } from '../../src/engine/duration.ts';
import { HoldfastError, toErrorData } from '../../src/engine/errors.ts';
import { canonicalJson, encodeJson, type Json, pointer } from '../../src/engine/json.ts';

function codeOf(act: () => unknown): { code: string; message: string; pointer: unknown } {
  try {
    act();
  } catch (error) {
    if (error instanceof HoldfastError) return { code: error.code, message: error.message, pointer: error.detail.pointer };
    throw error;
  }
  throw new Error('it did not throw');
}

function deep(levels: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < levels; i++) value = i % 2 === 0 ? [value] : { a: value };
  return value;
}

describe('durations', () => {
  test.each<[Duration, number]>([
    [0, 0],
    [250, 250],
    [0.5, 0.5],
    ['250ms', 250],
    ['30s', 30_000],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['3 days', 259_200_000],
    ['1 week', 604_800_000],
    ['1.5h', 5_400_000],
    [' 2 min ', 120_000],
    ['10 hrs', 36_000_000],
    ['0s', 0],
  ])('%s is %d ms', (value, ms) => {
    expect(milliseconds(value, 'x')).toBe(ms);
  });

  test.each([
    [-1],
    [Number.NaN],
    [Number.POSITIVE_INFINITY],
    ['-1s'],
    [''],
    ['5'],
    ['s'],
    ['5 S'],
    ['5 M'],
    ['1e3s'],
    ['1h30m'],
    ['5 constructor'],
    ['5 __proto__'],
    ['5 valueof'],
    ['5 fortnights'],
    [`${'9'.repeat(400)}s`],
    ['11 years'],
    [10 * 365 * 86_400_000 + 1],
    [null as unknown as string],
    [undefined as unknown as string],
    [{} as unknown as string],
    [10n as unknown as number],
    [new Date() as unknown as number],
  ])('%s is none', (value) => {
    const error = codeOf(() => milliseconds(value, 'sleep'));
    expect(error.code).toBe('E_BAD_DURATION');
    expect(error.message).toMatch(/^sleep: /);
  });
});

describe('what can be kept as JSON', () => {
  test.each<[string, unknown]>([
    ['text', 'x'],
    ['nothing', null],
    ['nested', { a: [1, { b: null }], c: true }],
    ['an object without a prototype', Object.assign(Object.create(null) as object, { a: 1 })],
    ['one thing at two places', ((one) => ({ a: one, b: one }))({ x: 1 })],
    ['a key called __proto__', JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}')],
    ['lone surrogates', '\ud800'],
    ['500 levels', deep(500)],
  ])('%s comes back as it was', (_name, value) => {
    const back = JSON.parse(encodeJson(value, 'it') as string) as unknown;
    expect(canonicalJson(back as Json)).toBe(canonicalJson(value as Json));
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  const cyclic: Record<string, unknown> = { a: [] };
  (cyclic.a as unknown[]).push(cyclic);
  test.each<[string, unknown, string, string]>([
    ['a function', { a: { b: () => 1 } }, '/a/b', 'a function'],
    ['a symbol', [Symbol('x')], '/0', 'a symbol'],
    ['a BigInt', { 'a/b': { '~': 1n } }, '/a~1b/~0', 'a bigint'],
    ['NaN', [1, [Number.NaN]], '/1/0', 'NaN'],
    ['Infinity', Number.NEGATIVE_INFINITY, '/', '-Infinity'],
    ['a date', { when: new Date(0) }, '/when', 'a Date'],
    ['a map', { m: new Map() }, '/m', 'a Map'],
    ['a promise', { p: Promise.resolve() }, '/p', 'a Promise'],
    ['a class instance', [new (class Money {})()], '/0', 'a Money'],
    ['an error', { e: new Error('x') }, '/e', 'a Error'],
    ['bytes', { b: new Uint8Array(2) }, '/b', 'a Uint8Array'],
    ['a hole', { list: [1, undefined, 3] }, '/list/1', 'undefined in an array'],
    ['a cycle', cyclic, '/a/0', 'a cycle'],
    ['what says how it is to be written', { toJSON: () => 'other' }, '/toJSON', 'a function'],
    ['501 levels', deep(502), '/', 'nesting deeper than 500 levels'],
    ['a hundred thousand levels', deep(100_000), '/', 'nesting deeper than 500 levels'],
  ])('%s is refused with its place', (_name, value, place, found) => {
    const error = codeOf(() => encodeJson(value, 'the result'));
    expect(error.code).toBe('E_NOT_SERIALISABLE');
    expect(error.message).toContain(found);
    expect(error.message).toContain(`at ${place}`);
    expect(String(error.pointer)).toContain(place === '/' ? '/' : place);
  });

  test('undefined is nothing, and undefined members are left out', () => {
    expect(encodeJson(undefined, 'it')).toBeUndefined();
    expect(encodeJson({ a: undefined, b: 1 }, 'it')).toBe('{"b":1}');
  });

  test('the canonical text tells different values apart and equal ones not', () => {
    expect(canonicalJson({ b: 1, a: [{ d: 1, c: undefined }] })).toBe('{"a":[{"d":1}],"b":1}');
    expect(canonicalJson({ a: '1' })).not.toBe(canonicalJson({ a: 1 }));
    expect(canonicalJson(['a,b'])).not.toBe(canonicalJson(['a', 'b']));
    expect(canonicalJson(JSON.parse('{"__proto__":1}') as Json)).toBe('{"__proto__":1}');
    expect(canonicalJson({})).not.toBe(canonicalJson([]));
  });

  test('a pointer escapes as RFC 6901 says', () => {
    expect(pointer(['a/b', '~', 0, ''])).toBe('/a~1b/~0/0/');
    expect(pointer([])).toBe('/');
  });
});

describe('errors as data', () => {
  const hostile = new Error('x');
  Object.defineProperty(hostile, 'message', {
    get() {
      throw new Error('no');
    },
  });
  test.each<[string, unknown]>([
    ['an error whose message throws', hostile],
    [
      'a proxy that throws',
      new Proxy(
        {},
        {
          get: () => {
            throw new Error('no');
          },
        },
      ),
    ],
    ['nothing', undefined],
    ['an object without a prototype', Object.create(null)],
    ['a symbol', Symbol('x')],
    ['an error whose name and message are not texts', Object.assign(new Error(), { name: 5, message: { a: 1 } })],
    ['an error with an endless message', new Error('x'.repeat(5_000_000))],
    ['a text of any length', 'x'.repeat(5_000_000)],
  ])('%s becomes data of bounded size', (_name, thrown) => {
    const data = toErrorData(thrown);
    expect(data.code).toBe('E_WORKFLOW_FAILED');
    expect(typeof data.message).toBe('string');
    expect(JSON.stringify(data).length).toBeLessThan(20_000);
  });
});

test.each<[string, object]>([
  ['a cycle', ((one: Record<string, unknown>) => Object.assign(one, { one }))({})],
  ['a BigInt', { n: 1n }],
  ['more than an item takes', { text: 'x'.repeat(1_000_000) }],
])('details that cannot be kept are left out: %s', (_name, detail) => {
  const data = toErrorData(new HoldfastError('E_CALL_FAILED', 'no', { detail: detail as never }));
  expect(data).toMatchObject({ code: 'E_CALL_FAILED', message: 'no', detail: {} });
  expect(toErrorData(new HoldfastError('E_CALL_FAILED', 'no', { detail: { status: 503 } })).detail).toEqual({ status: 503 });
});
