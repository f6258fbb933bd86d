import { createConfig, lintFromString } from '@redocly/openapi-core';
import { describe, expect, it } from 'vitest';
import { PROBLEMS } from '../../src/api/problem.ts';
import { ROUTES } from '../../src/api/routes.ts';
import { testApi } from '../support/api.ts';

type Operation = {
  operationId: string;
  security?: unknown[];
  parameters: Array<{ name: string; in: string; required: boolean; schema: Record<string, unknown> }>;
  responses: Record<string, { content?: Record<string, unknown> }>;
};

async function fetched() {
  const { call } = testApi();
  const reply = await call('GET', '/openapi.json');
  expect(reply.status).toBe(200);
  return reply.body as unknown as { openapi: string; servers: unknown; paths: Record<string, Record<string, Operation>> };
}

describe('the OpenAPI document', () => {
  it('passes the recommended rules of a linter', async () => {
    const config = await createConfig({ extends: ['recommended'] });
    const problems = await lintFromString({ source: JSON.stringify(await fetched()), absoluteRef: 'openapi.json', config });
    expect(problems.map(({ ruleId, message, location }) => `${ruleId}: ${message} (${location[0]?.pointer})`)).toEqual([]);
  });

  it('has every route, with a name of its own', async () => {
    const { openapi, paths } = await fetched();
    expect(openapi).toBe('3.1.0');
    const operations = Object.values(paths).flatMap((path) => Object.values(path));
    expect(operations).toHaveLength(ROUTES.length);
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(ROUTES.length);
  });

  it('documents every problem as application/problem+json, and asks for a token everywhere but at /healthz', async () => {
    const { paths } = await fetched();
    for (const [path, methods] of Object.entries(paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        const what = `${method} ${path}`;
        expect(Object.keys(operation.responses), what).toContain('500');
        for (const [status, { content = {} }] of Object.entries(operation.responses)) {
          if (Number(status) >= 400) expect(Object.keys(content), `${what} ${status}`).toEqual(['application/problem+json']);
        }
        expect(operation.security, what).toEqual(path === '/healthz' ? [] : undefined);
        expect('401' in operation.responses, what).toBe(path !== '/healthz');
      }
    }
  });

  it('documents every code that there is, but the one of methods that it does not have', async () => {
    const text = JSON.stringify(await fetched());
    const absent = Object.keys(PROBLEMS).filter((code) => !text.includes(`"${code}"`));
    expect(absent).toEqual(['E_METHOD_NOT_ALLOWED']);
  });

  it('says of a parameter what validates it', async () => {
    const { paths } = await fetched();
    expect(paths['/v1/runs']?.get?.parameters.find(({ name }) => name === 'limit')).toMatchObject({
      in: 'query',
      required: false,
      schema: { type: 'integer', minimum: 1, maximum: 200, default: 50 },
    });
    expect(paths['/v1/runs/{run}']?.get?.parameters[0]).toMatchObject({
      in: 'path',
      required: true,
      schema: { type: 'string', pattern: '^run_[0-9a-f]{32}$' },
    });
  });

  it('needs a token, and names the stage of the API as its server', async () => {
    const { call } = testApi();
    expect((await call('GET', '/openapi.json', { token: null })).status).toBe(401);
    const event = { requestContext: { requestId: 'request-1', path: '/prod/openapi.json' } as never };
    const { body } = await call('GET', '/openapi.json', { event });
    expect(body).toMatchObject({ servers: [{ url: '/prod' }] });
    expect(await fetched()).toMatchObject({ servers: [{ url: '/' }] });
  });
});
