import { describe, expect, it } from 'vitest';
import { HoldfastError } from '../../src/engine/errors.ts';
import { onboard, testApi } from '../support/api.ts';

const RUN = `run_${'0'.repeat(32)}`;

describe('a request that cannot be answered', () => {
  it.each([
    ['an unknown path', 'GET', '/v1/nothing', 404, 'E_UNKNOWN_ROUTE'],
    ['the root', 'GET', '/', 404, 'E_UNKNOWN_ROUTE'],
    ['a trailing slash', 'GET', '/v1/runs/', 404, 'E_UNKNOWN_ROUTE'],
    ['a path in another case', 'GET', '/V1/runs', 404, 'E_UNKNOWN_ROUTE'],
    ['a path that goes on', 'GET', `/v1/runs/${RUN}/journal/1`, 404, 'E_UNKNOWN_ROUTE'],
    ['a broken escape', 'GET', '/v1/runs/%E0%A4%A', 404, 'E_UNKNOWN_ROUTE'],
    ['an unknown workflow', 'GET', '/v1/workflows/nothing', 404, 'E_UNKNOWN_WORKFLOW'],
    ['a workflow named as a member of objects', 'GET', '/v1/workflows/__proto__', 404, 'E_UNKNOWN_WORKFLOW'],
    ['a start of an unknown workflow', 'POST', '/v1/workflows/nothing/runs', 404, 'E_UNKNOWN_WORKFLOW'],
    ['an unknown run', 'GET', `/v1/runs/${RUN}`, 404, 'E_UNKNOWN_RUN'],
    ['the journal of an unknown run', 'GET', `/v1/runs/${RUN}/journal`, 404, 'E_UNKNOWN_RUN'],
    ['what is no run id', 'GET', '/v1/runs/17', 404, 'E_UNKNOWN_RUN'],
    ['a run id in upper case', 'GET', `/v1/runs/${`run_${'A'.repeat(32)}`}`, 404, 'E_UNKNOWN_RUN'],
    ['a run id with an escape', 'GET', '/v1/runs/run_%2F..', 404, 'E_UNKNOWN_RUN'],
    ['the journal of what is no run id', 'GET', '/v1/runs/x/journal', 404, 'E_UNKNOWN_RUN'],
    ['another method', 'DELETE', '/v1/runs', 405, 'E_METHOD_NOT_ALLOWED'],
    ['no method', '', '/v1/runs', 405, 'E_METHOD_NOT_ALLOWED'],
  ])('given %s', async (_, method, path, status, code) => {
    const { call } = testApi();
    expect(await call(method, path)).toMatchObject({ status, body: { code } });
  });

  it.each([
    ['GET', '/v1/workflows/onboard/runs', 'POST, OPTIONS'],
    ['POST', '/v1/runs', 'GET, HEAD, OPTIONS'],
    ['PUT', `/v1/runs/${RUN}`, 'GET, DELETE, HEAD, OPTIONS'],
    ['DELETE', '/v1/dead-letters/redrive', 'POST, OPTIONS'],
    ['HEAD', '/v1/dead-letters/redrive', 'POST, OPTIONS'],
    ['POST', '/healthz', 'GET, HEAD, OPTIONS'],
  ])('names the methods there are for %s %s', async (method, path, allow) => {
    const { call } = testApi();
    const reply = await call(method, path);
    expect(reply.status).toBe(405);
    expect(reply.headers.allow).toBe(allow);
  });

  it.each<[string, string, Record<string, string | string[]>, string, RegExp]>([
    ['an unknown parameter', '/v1/runs', { colour: 'red' }, 'colour', /"colour" is not a parameter/],
    ['a parameter where there are none', '/v1/workflows', { limit: '1' }, 'limit', /"limit" is not a parameter/],
    ['a parameter of health', '/healthz', { x: '1' }, 'x', /"x" is not a parameter/],
    ['a parameter named as a member of objects', '/v1/runs', { constructor: '1' }, 'constructor', /"constructor" is not/],
    ['a parameter twice', '/v1/runs', { status: ['failed', 'queued'] }, 'status', /"status" is given twice/],
    ['no limit', '/v1/runs', { limit: '0' }, 'limit', /"limit" must be a whole number from 1 to 200/],
    ['an empty limit', '/v1/runs', { limit: '' }, 'limit', /whole number from 1 to 200/],
    ['a large limit', '/v1/runs', { limit: '201' }, 'limit', /whole number from 1 to 200/],
    ['half a limit', '/v1/runs', { limit: '1.5' }, 'limit', /whole number from 1 to 200/],
    ['a limit in words', '/v1/dead-letters', { limit: 'all' }, 'limit', /whole number from 1 to 200/],
    ['a status that is none', '/v1/runs', { status: 'done' }, 'status', /must be one of queued, running/],
    ['an empty status', '/v1/runs', { status: '' }, 'status', /must be one of queued, running/],
    ['a workflow that cannot be', '/v1/runs', { workflow: 'No Name' }, 'workflow', /must be the name of a workflow/],
    ['a tenant that cannot be', '/v1/runs', { tenant: 'a b' }, 'tenant', /must be 1–64 characters/],
    ['a cursor of no list', '/v1/runs', { after: 'bm9uc2Vuc2U' }, 'after', /not a cursor of this list/],
    ['a cursor in other letters', '/v1/runs', { after: '§' }, 'after', /must be the "next" of an earlier answer/],
    ['an empty cursor', '/v1/dead-letters', { after: '' }, 'after', /must be the "next" of an earlier answer/],
    ['a cursor of no dead letters', '/v1/dead-letters', { after: 'bm9uc2Vuc2U' }, 'after', /not a cursor of this list/],
    ['too long a wait', `/v1/runs/${RUN}`, { wait: '21' }, 'wait', /"wait" must be a whole number from 0 to 20/],
    ['a negative wait', `/v1/runs/${RUN}`, { wait: '-1' }, 'wait', /whole number from 0 to 20/],
    ['a bad place in a journal', `/v1/runs/${RUN}/journal`, { after: 'x' }, 'after', /whole number from 0/],
    ['a large page of a journal', `/v1/runs/${RUN}/journal`, { limit: '1001' }, 'limit', /whole number from 1 to 1000/],
  ])('names the query parameter: %s', async (_, path, query, parameter, detail) => {
    const { call } = testApi();
    const reply = await call('GET', path, { query });
    expect(reply.status).toBe(400);
    expect(reply.body.code).toBe('E_REQUEST_INVALID');
    expect(reply.body.detail).toMatch(detail);
    expect(reply.body.errors[0]).toEqual({ parameter, message: expect.any(String) });
  });

  it('names every parameter at fault', async () => {
    const { call } = testApi();
    const reply = await call('GET', '/v1/runs', { query: { limit: 'x', status: 'y', a: '1', b: '2' } });
    expect(reply.body.errors.map((error: { parameter: string }) => error.parameter).sort()).toEqual(['a', 'b', 'limit', 'status']);
  });

  it('does not ask the store for what has not the form of a run id', async () => {
    const asked: string[] = [];
    const { call } = testApi({ faults: { before: (op) => void asked.push(op) } });
    await call('GET', '/v1/runs/17');
    expect(asked).toEqual([]);
  });
});

describe('a fault of ours', () => {
  const broken = () =>
    testApi({
      faults: {
        before: () => {
          throw new Error('secret table name');
        },
      },
    });

  it('is a 500 that tells nothing of the inside, and is reported with the request id', async () => {
    const { call, events } = broken();
    const reply = await call('GET', `/v1/runs/${RUN}`);
    expect(reply.status).toBe(500);
    expect(reply.body.code).toBe('E_INTERNAL');
    expect(JSON.stringify(reply.body)).not.toContain('secret');
    expect(events).toMatchObject([
      { type: 'api.fault', requestId: 'request-1', method: 'GET', error: { message: 'secret table name' } },
      { type: 'api.answered', requestId: 'request-1', status: 500, code: 'E_INTERNAL' },
    ]);
  });

  it('is a 500 too when a store speaks our own error language about itself', async () => {
    const { call } = testApi({
      faults: {
        before: () => {
          throw new HoldfastError('E_REQUEST_INVALID', 'secret');
        },
      },
    });
    const reply = await call('GET', '/v1/runs');
    expect(reply.status).toBe(500);
    expect(JSON.stringify(reply.body)).not.toContain('secret');
  });

  it('in the schema of a workflow does not reach the caller', async () => {
    const throwing = {
      ...onboard,
      input: {
        '~standard': {
          version: 1 as const,
          vendor: 'test',
          validate: () => {
            throw new Error('secret');
          },
        },
      },
    };
    const { call } = testApi({ workflows: [throwing] });
    const reply = await call('POST', '/v1/workflows/onboard/runs', { json: {} });
    expect(reply.status).toBe(500);
    expect(JSON.stringify(reply.body)).not.toContain('secret');
  });
});

describe('what is observed of a request', () => {
  it('names the run it was about', async () => {
    const { call, events, putRun } = testApi();
    const run = await putRun();
    const reply = await call('GET', `/v1/runs/${run.id}`);
    expect(reply.headers['x-request-id']).toBe('request-1');
    expect(events).toEqual([
      { type: 'api.answered', requestId: 'request-1', method: 'GET', path: `/v1/runs/${run.id}`, status: 200, run: run.id, ms: 0 },
    ]);
  });
});
