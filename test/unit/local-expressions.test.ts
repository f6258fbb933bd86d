/** A remembered expression must mean exactly what the grammar says, whatever the values. */
import { createRequire } from 'node:module';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { remembering } from '../../local/aws/expressions.ts';

const grammar = (name: string) => createRequire(import.meta.url)(`dynalite/db/${name}`).parse as Parameters<typeof remembering>[0];

const conditions = [
  'attribute_not_exists(pk)',
  'attribute_not_exists(pk) OR (attribute_exists(#a) AND #b = :x AND c <= :y)',
  '#a = :x AND begins_with(#b, :y)',
  'NOT contains(#a, :x) AND size(#b) > :y',
  '#a IN (:x, :y) OR :x <> #b',
  '#a BETWEEN :x AND :y',
  'attribute_type(#a, :x) AND #b = :y',
  '#a.#b[2].c = :x AND :y = d',
  '(#a = :x)) AND',
  '#a = :gone',
  '#a = :x',
];
const updates = [
  'SET #a = :x, #b = if_not_exists(c, :y) REMOVE d',
  'SET #a = #a + :x ADD #b :y',
  'SET #a.e = list_append(#b, :x) DELETE f :y',
  'SET #a :x',
];
const projections = ['#a, #b.c[1], d', 'd', '#a,,'];

const value = fc.oneof(
  fc.string().map((S) => ({ S })),
  fc.integer().map((N) => ({ N: String(N) })),
  fc.boolean().map((BOOL) => ({ BOOL })),
  fc.constant({ SS: ['a', 'b'] }),
  fc.constant({ L: [{ S: 'a' }] }),
  fc.constantFrom('S', 'N', 'X').map((S) => ({ S })),
);

test.each([
  ['conditionParser', conditions],
  ['updateParser', updates],
  ['projectionParser', projections],
] as const)('%s: remembered or not, the outcome is the same', (name, expressions) => {
  const plain = grammar(name);
  const remembered = remembering(plain);
  fc.assert(
    fc.property(fc.constantFrom(...expressions), value, value, fc.constantFrom('n', 'm'), (text, x, y, a) => {
      const outcome = (parse: typeof plain) => {
        const context = {
          attrNames: { '#a': a, '#b': 'b' },
          attrVals: { ':x': x, ':y': y },
          unusedAttrNames: { '#a': true, '#b': true } as Record<string, true>,
          unusedAttrVals: { ':x': true, ':y': true } as Record<string, true>,
          isReserved: () => false,
          compare: (_: string, p: object, q: object) => JSON.stringify(p) > JSON.stringify(q),
        };
        try {
          return { parsed: JSON.stringify(parse(text, { context })), names: context.unusedAttrNames, values: context.unusedAttrVals };
        } catch (error) {
          return { thrown: (error as Error).message };
        }
      };
      expect(outcome(remembered)).toEqual(outcome(plain));
    }),
    { numRuns: 2_000 },
  );
});

test('what was filled in for one request is not seen by the next', () => {
  const parse = remembering(grammar('conditionParser'));
  const at = (S: string) =>
    parse('#a = :x', {
      context: {
        attrNames: { '#a': 'n' },
        attrVals: { ':x': { S } },
        unusedAttrNames: {},
        unusedAttrVals: {},
        isReserved: () => false,
      } as never,
    });
  const [first, second] = [at('1'), at('2')];
  Object.assign((second as { expression: object }).expression, { type: 'changed' });
  expect(JSON.stringify(first)).toContain('"1"');
  expect(JSON.stringify(at('3'))).toContain('"3"');
  expect(JSON.stringify(at('3'))).not.toContain('changed');
});
