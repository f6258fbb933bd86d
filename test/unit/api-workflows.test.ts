import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import * as mini from 'zod/mini';
import { pageOf, WorkflowItem } from '../../src/api/schemas.ts';
import { workflow } from '../../src/engine/workflow.ts';
import { anything, onboard, testApi } from '../support/api.ts';

describe('the workflows', () => {
  it('are listed with versions, description and input schema', async () => {
    const { call } = testApi();
    const reply = await call('GET', '/v1/workflows');
    expect(reply.status).toBe(200);
    expect(pageOf(WorkflowItem).parse(reply.body)).toEqual({
      items: [
        {
          name: 'onboard',
          version: 2,
          versions: [2, 1],
          description: 'Takes a customer on board',
          input: expect.objectContaining({
            type: 'object',
            required: ['domain', 'seats'],
            properties: expect.objectContaining({ domain: { type: 'string' } }),
          }),
          links: { self: '/v1/workflows/onboard', runs: '/v1/workflows/onboard/runs' },
        },
        {
          name: 'anything',
          version: 1,
          versions: [1],
          links: { self: '/v1/workflows/anything', runs: '/v1/workflows/anything/runs' },
        },
      ],
    });
  });

  it('are shown one by one', async () => {
    const { call } = testApi();
    const { items } = (await call('GET', '/v1/workflows')).body;
    expect((await call('GET', '/v1/workflows/onboard')).body).toEqual(items[0]);
  });

  it.each([
    ['zod/mini', mini.object({ a: mini.string() }), { type: 'object', properties: { a: { type: 'string' } } }],
    [
      'zod, before its transforms',
      z.object({ at: z.string().transform((text) => new Date(text)) }),
      { properties: { at: { type: 'string' } } },
    ],
    ['zod, open where JSON Schema has no word', z.object({ n: z.bigint() }), { properties: { n: {} } }],
    ['another library that speaks Standard JSON Schema', standard({ type: 'number' }), { type: 'number' }],
  ])('tell their input from a schema of %s', async (_, input, expected) => {
    const { call } = testApi({ workflows: [{ ...anything, input }] });
    expect((await call('GET', '/v1/workflows/anything')).body.input).toMatchObject(expected);
  });

  it('leave out the input when the library cannot tell', async () => {
    const { call } = testApi({
      workflows: [
        { ...anything, input: standard(undefined) },
        { ...onboard, input: standard(new Error('no')) },
      ],
    });
    for (const item of (await call('GET', '/v1/workflows')).body.items) expect(item).not.toHaveProperty('input');
  });

  it('that share a name are shown by the newest', async () => {
    const two = workflow({
      name: 'one',
      version: 1,
      previous: [workflow({ name: 'one', version: 5, run: async () => 5 })],
      run: async () => 1,
    });
    const { call } = testApi({ workflows: [two] });
    expect((await call('GET', '/v1/workflows/one')).body).toMatchObject({ version: 5, versions: [5, 1] });
    expect((await call('GET', '/v1/workflows')).body.items).toMatchObject([{ version: 5, versions: [5, 1] }]);
  });
});

function standard(answer: Record<string, unknown> | Error | undefined) {
  return {
    '~standard': {
      version: 1 as const,
      vendor: 'test',
      validate: (value: unknown) => ({ value }),
      ...(answer === undefined
        ? {}
        : {
            jsonSchema: {
              input: () => {
                if (answer instanceof Error) throw answer;
                return answer;
              },
            },
          }),
    },
  };
}
