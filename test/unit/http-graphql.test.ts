import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { workflow } from '../../src/engine/workflow.ts';
import type { CallError } from '../../src/http/errors.ts';
import { operationOf } from '../../src/http/graphql/graphql-document.ts';
import { failure, type Harness, harness } from '../support/http.ts';
import { resultOf, runOver } from '../support/http-run.ts';

let world: Harness;
beforeEach(async () => {
  world = await harness();
});
afterEach(() => world.close());

const body = (value: unknown) => ({ body: JSON.stringify(value) });
const sent = () => world.server.received.map((request) => JSON.parse(request.body) as unknown);

describe('the operation that a document means', () => {
  it.each([
    ['{ viewer { login } }', undefined, { type: 'query' }],
    ['query { a }', undefined, { type: 'query' }],
    ['query Viewer { a }', undefined, { type: 'query', name: 'Viewer' }],
    ['mutation Pay($a: Int = 1) @x(y: {z: "}"}) { pay(a: $a) { id } }', undefined, { type: 'mutation', name: 'Pay' }],
    ['mutation($a: In = {b: {c: 1}}) { pay(a: $a) { id } }', undefined, { type: 'mutation' }],
    ['# mutation M { a }\nquery Q { b }', undefined, { type: 'query', name: 'Q' }],
    ['query Q { a(x: "mutation M { b }") { c } }', undefined, { type: 'query', name: 'Q' }],
    ['query Q { a(x: """ } mutation M { b \\""" } """) { c } }', undefined, { type: 'query', name: 'Q' }],
    ['query Q { a(x: "\\"}") }', undefined, { type: 'query', name: 'Q' }],
    ['\uFEFFquery,Q{a}', undefined, { type: 'query', name: 'Q' }],
    ['fragment mutation on User { id } query Q { ...mutation }', undefined, { type: 'query', name: 'Q' }],
    ['query mutation { mutation: query }', undefined, { type: 'query', name: 'mutation' }],
    ['query @mutation { a }', undefined, { type: 'query' }],
    ['query Q { ...F } fragment F on User { query mutation }', undefined, { type: 'query', name: 'Q' }],
    ['query A { a } mutation B { b }', 'B', { type: 'mutation', name: 'B' }],
    ['query A { a } mutation B { b }', 'A', { type: 'query', name: 'A' }],
    ['subscription S { a } query A { a }', 'A', { type: 'query', name: 'A' }],
  ])('of %s (%s) is %j', (document, name, operation) => {
    expect(operationOf(document, name, 'graphql api')).toEqual(operation);
  });

  it.each([
    ['', undefined, 'has no operation'],
    ['fragment F on User { id }', undefined, 'has no operation'],
    ['subscription S { a }', undefined, 'is a subscription'],
    ['query A { a } mutation B { b }', undefined, 'must say which of the operations is meant: A, B'],
    ['query A { a }', 'B', "is none of the document's operations: A"],
    ['query A { a', undefined, 'ends in the middle'],
    ['query A', undefined, 'ends in the middle'],
    ['query A { a(x: "1) }', undefined, 'is not closed'],
    ['type A { a: Int }', undefined, 'is not a GraphQL document'],
    ['select 1', undefined, 'is not a GraphQL document'],
    ['} query A { a }', undefined, 'is not a GraphQL document'],
    [7, undefined, 'must be a GraphQL document'],
  ])('of %j (%s) is none: it %s', (document, name, problem) => {
    expect(() => operationOf(document as string, name, 'graphql api')).toThrow(
      expect.objectContaining({ code: 'E_BAD_OPTION', message: expect.stringContaining(problem) as string }) as Error,
    );
  });

  it('is a query only where a query is written, whatever stands in texts and comments', () => {
    const noise = fc.string({ unit: fc.constantFrom('mutation', 'query', ' ', '{', '}', '(', ')', '#', 'a', '@', '…'), maxLength: 30 });
    fc.assert(
      fc.property(noise, fc.constantFrom<'query' | 'mutation'>('query', 'mutation'), (text, type) => {
        const document = `# ${text}\n${type} Q { a(x: ${JSON.stringify(text)}, y: """${text}""") }`;
        expect(operationOf(document, undefined, 'x')).toEqual({ type, name: 'Q' });
      }),
    );
  });
});

describe('a GraphQL call', () => {
  it('posts query and variables, and resolves with the data of the operation', async () => {
    world.server.script(body({ data: { viewer: { login: 'ada' } } }));
    const schema = z.object({ viewer: z.object({ login: z.string() }) });
    const reply = await world.connect().graphql('query Me($n: Int) { viewer { login } }', { n: 1 }, { schema });
    expect([reply.status, reply.data.viewer.login, reply.errors]).toEqual([200, 'ada', undefined]);
    expect(sent()).toEqual([{ query: 'query Me($n: Int) { viewer { login } }', variables: { n: 1 } }]);
    expect(world.server.received[0]).toMatchObject({ method: 'POST', url: '/graphql' });
  });

  it('goes to the path of the connection, and names the operation', async () => {
    await failure(
      world.connect({ graphql: '/admin/api/graphql.json' }).graphql('query A { a } query B { b }', undefined, { operationName: 'B' }),
    );
    expect(world.server.received[0]?.url).toBe('/admin/api/graphql.json');
    expect(sent()).toEqual([{ query: 'query A { a } query B { b }', operationName: 'B' }]);
  });

  it('that reads is made again when its connection broke', async () => {
    world.server.script({ reset: 'after-effect' }, body({ data: { a: 1 } }));
    expect((await world.connect().graphql('{ a }')).data).toEqual({ a: 1 });
  });

  it('that changes something is not, unless the API honours a key', async () => {
    world.server.script({ reset: 'after-effect' });
    expect(await failure(world.connect().graphql('mutation { a }'))).toMatchObject({ code: 'E_UNKNOWN_OUTCOME' });
    const fates = () => world.server.script({ reset: 'after-effect' }, body({ data: { a: 1 } }));
    fates();
    await world.connect({ idempotencyKey: { header: 'Idempotency-Key' } }).graphql('mutation { a }');
    const keys = world.server.received.slice(1).map(({ headers }) => headers['idempotency-key']);
    expect(keys).toEqual([keys[0], keys[0]]);
    expect(keys[0]).toBeDefined();
    fates();
    await world.connect().graphql('mutation { a }', {}, { effects: 'idempotent' });
  });

  it('that changes something is not safe because a route says so of its path', async () => {
    world.server.script({ reset: 'after-effect' });
    const crm = world.connect({ routes: [{ method: 'POST', path: '/graphql', effects: 'safe' }] });
    expect(await failure(crm.graphql('mutation { a }'))).toMatchObject({ code: 'E_UNKNOWN_OUTCOME' });
  });

  it('fails with the errors of a 200, in their words, with the data that came', async () => {
    world.server.script(
      body({
        data: { a: null },
        errors: [
          { message: 'Field "b" is gone', extensions: { code: 'GONE' }, path: ['b'] },
          { message: 'two' },
          { message: 'three' },
          { message: 'four' },
        ],
      }),
    );
    const error = await failure<CallError>(world.connect().graphql('query Q { a b }'));
    expect(error).toMatchObject({
      code: 'E_CALL_FAILED',
      status: 200,
      detail: { error: { code: 'GONE' } },
      reply: { data: { data: { a: null } } },
    });
    expect(error.message).toBe('POST crm query Q: answered 200: Field "b" is gone; two; three; and 1 more (GONE)');
    expect(world.server.received).toHaveLength(1);
  });

  it('keeps what the errors say within bounds', async () => {
    world.server.script(body({ errors: [{ message: 'x'.repeat(10_000) }] }));
    expect((await failure(world.connect().graphql('{ a }'))).message.length).toBeLessThan(400);
  });

  it('with data beside errors is a reply where that is asked for, and only where there is data', async () => {
    const errors = [{ message: 'half' }];
    world.server.script(body({ data: { a: 1, b: null }, errors }));
    expect(await world.connect().graphql('{ a b }', {}, { partial: 'reply' })).toMatchObject({ data: { a: 1, b: null }, errors });
    expect(await failure(world.connect().graphql('{ a b }'))).toMatchObject({ code: 'E_CALL_FAILED' });
    world.server.script(body({ data: { a: null }, errors }));
    expect(await failure(world.connect().graphql('{ a }', {}, { partial: 'reply' }))).toMatchObject({ code: 'E_CALL_FAILED' });
  });

  it.each([
    [
      'Shopify',
      { errors: [{ message: 'Throttled', extensions: { code: 'THROTTLED' } }], extensions: { cost: { requestedQueryCost: 752 } } },
    ],
    ['GitHub', { errors: [{ type: 'RATE_LIMITED', message: 'API rate limit exceeded for user ID 1.' }] }],
    ['Linear', { errors: [{ message: 'Rate limit', extensions: { code: 'RATELIMITED' } }], data: null }],
  ])('waits where %s says that it is too fast', async (_, throttled) => {
    world.server.script(body(throttled), body({ data: { a: 1 } }));
    expect((await world.connect().graphql('mutation { a }')).data).toEqual({ a: 1 });
    expect(world.waits[0]).toBeGreaterThanOrEqual(2_000);
  });

  it('that changes something is not sent again when a part of it was done', async () => {
    const half = body({ data: { a: { id: 1 }, b: null }, errors: [{ message: 'Throttled', extensions: { code: 'THROTTLED' } }] });
    world.server.script(half);
    expect(await failure(world.connect().graphql('mutation { a b }'))).toMatchObject({ code: 'E_CALL_FAILED' });
    world.server.script(half, body({ data: { a: 1, b: 2 } }));
    await world.connect().graphql('{ a b }');
  });

  it.each([
    ['{"ok":true}', 'application/json'],
    ['<html>', 'text/html'],
    ['null', 'application/json'],
    ['not json', 'application/json'],
    ['', 'application/json'],
  ])('fails where the answer is none: %s', async (text, type) => {
    world.server.script({ body: text, headers: { 'content-type': type } });
    expect((await failure(world.connect().graphql('{ a }'))).message).toBe(
      'POST crm query (without a name): answered 200: it is no GraphQL reply: it has neither data nor errors',
    );
  });

  it('reads errors of other statuses too, and the connection’s own', async () => {
    world.server.script({
      status: 400,
      headers: { 'content-type': 'application/graphql-response+json' },
      ...body({ errors: [{ message: 'Syntax Error' }] }),
    });
    const crm = world.connect({
      readError: () => ({ message: 'own' }),
      successWhen: ({ data }) => (data as { data?: { fine?: boolean } }).data?.fine !== false,
    });
    expect((await failure(crm.graphql('{ a }'))).message).toContain('answered 400: Syntax Error');
    world.server.script({ status: 401, body: '{}' });
    expect((await failure(crm.graphql('{ a }'))).message).toContain('answered 401: own');
    world.server.script(body({ data: { fine: false } }));
    expect(await failure(crm.graphql('{ a }'))).toMatchObject({ code: 'E_CALL_FAILED' });
  });

  it.each([
    ['query', ['subscription { a }']],
    ['operationName', ['query A { a }', {}, { operationName: 'B' }]],
    ['partial', ['{ a }', {}, { partial: 'maybe' }]],
  ])('says which part is wrong: %s', async (field, args) => {
    const [query, variables, options] = args as [string, object?, object?];
    const wrong = await failure<CallError>(world.connect().graphql(query, variables as never, options as never));
    expect(wrong).toMatchObject({ code: 'E_BAD_OPTION', detail: { field } });
  });
});

describe('an option of graphql() that there is not', () => {
  // `json` was dropped and `query` put into the URL; others were told as if `operationName` were none.
  it.each([{ opName: 'A' }, { json: {} }, { query: { a: 1 } }, { as: 'text' }])(
    'is told, with those that there are: %j',
    async (option) => {
      const error = await failure(world.connect().graphql('{ a }', {}, option as never));
      const [name] = Object.keys(option);
      expect(error).toMatchObject({
        code: 'E_BAD_OPTION',
        message: expect.stringMatching(new RegExp(`: ${name} is not an option; there are .*operationName, partial`)) as string,
      });
      expect(sent()).toEqual([]);
    },
  );
});

describe('GraphQL in a run', () => {
  it('is replayed as it was, told apart by query and variables, and keyed by the operation', async () => {
    const nine = { data: { n: 9 }, errors: [{ message: 'nine' }] };
    world.server.script(...[{ data: { n: 1 } }, { data: { n: 2 } }, { data: { n: 3 } }, { data: { n: 4 } }, nine, nine].map(body));
    const crm = world.connect({ idempotencyKey: { header: 'Idempotency-Key' } });
    const seen: string[] = [];
    const ask = workflow({
      name: 'ask',
      async run() {
        const all = [await crm.graphql('query Q($n: Int) { n }', { n: 1 }), await crm.graphql('query Q($n: Int) { n }', { n: 2 })];
        const a = await crm.graphql('mutation A { a }');
        const b = await crm.graphql('mutation B { a }');
        const error = await crm.graphql('query Q($n: Int) { n }', { n: 9 }).catch((thrown: CallError) => thrown);
        const partial = await crm.graphql('query P($n: Int) { n }', { n: 9 }, { partial: 'reply' });
        seen.push(JSON.stringify([all[0]?.data, all[1]?.data, a.data, b.data, (error as CallError).message, partial.data, partial.errors]));
        return 'ended';
      },
    });
    const run = runOver(world.runtime, ask, 1);
    expect(resultOf(await run.toTheEnd(40))).toBe('ended');
    expect(new Set(seen).size).toBe(1);
    expect(seen[0]).toBe('[{"n":1},{"n":2},{"n":3},{"n":4},"POST crm query Q: answered 200: nine",{"n":9},[{"message":"nine"}]]');
    expect(world.server.received).toHaveLength(6);
    const mutations = world.server.received.filter(({ headers }) => headers['idempotency-key'] !== undefined);
    expect(mutations).toHaveLength(2);
    expect(new Set(mutations.map(({ headers }) => headers['idempotency-key'])).size).toBe(2);
  });
});
