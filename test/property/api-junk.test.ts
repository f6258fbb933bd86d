import type { APIGatewayProxyEvent } from 'aws-lambda';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { runId } from '../../src/engine/start.ts';
import { TOKEN, testApi } from '../support/api.ts';

const RUN = `run_${'0'.repeat(32)}`;
/** A run that is there. */
const KNOWN = runId('default', 'anything', 'known');
const junk = fc.oneof(fc.string({ unit: 'binary' }), fc.anything());
const segment = fc.oneof(
  fc.constantFrom(
    'v1',
    'runs',
    'workflows',
    'onboard',
    'anything',
    'journal',
    'cancel',
    'redrive',
    'calls',
    '7',
    'settle',
    'batches',
    'uploads',
    'dead-letters',
    'openapi.json',
    'healthz',
    RUN,
    '',
    '..',
    '%',
    '%00',
    '__proto__',
  ),
  fc.string({ unit: 'binary', maxLength: 12 }),
);
const path = fc.oneof(
  fc.constantFrom(
    '/v1/runs',
    '/v1/workflows/onboard/runs',
    '/v1/workflows/anything/runs',
    '/v1/workflows/anything/batches',
    `/v1/runs/${RUN}/journal`,
    '/v1/dead-letters',
    '/v1/dead-letters/redrive',
    '/v1/dead-letters/x',
    ...[KNOWN, RUN].flatMap((run) => ['/cancel', '/resume', '/redrive', '/calls/0/settle', ''].map((verb) => `/v1/runs/${run}${verb}`)),
  ),
  fc.array(segment, { maxLength: 6 }).map((parts) => `/${parts.join('/')}`),
);
const parameter = fc.oneof(
  fc.constantFrom('after', 'limit', 'wait', 'status', 'workflow', 'tenant', '__proto__', 'constructor', 'toString'),
  fc.string(),
);
const header = fc.oneof(
  fc.constantFrom('Content-Type', 'Idempotency-Key', 'Holdfast-Tenant', 'traceparent', 'Prefer', '__proto__'),
  fc.string(),
);
const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('application/json', 'application/x-ndjson', '', '0', '5', 'MDAwMDAwMDAwMDAwMDAwIw'),
);

const wellFormed = fc.record({
  httpMethod: fc.constantFrom('GET', 'POST', 'POST', 'DELETE', 'get', 'PUT', 'HEAD', 'OPTIONS', '', 'X'),
  path,
  headers: fc.dictionary(header, text).map((headers) => ({ ...headers, Authorization: `Bearer ${TOKEN}` })),
  queryStringParameters: fc.option(fc.dictionary(parameter, text)),
  multiValueQueryStringParameters: fc.option(fc.dictionary(parameter, fc.array(text))),
  body: fc.oneof(
    fc.constant(null),
    fc.json({ maxDepth: 6 }),
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      '{}',
      '{"why":"x"}',
      '{"filter":{}}',
      '{"ids":["a"]}',
      '{"outcome":"failed"}',
      '{"outcome":"happened","value":{}}',
      '{}\n\n[]',
    ),
    fc.constant('['.repeat(90_000) + ']'.repeat(90_000)),
  ),
  isBase64Encoded: fc.boolean(),
  requestContext: fc.oneof(fc.constant({ requestId: 'r', path: '/prod/v1/runs' }), junk),
});
const malformed = fc.record(
  {
    httpMethod: junk,
    path: fc.oneof(path, junk),
    headers: fc.oneof(fc.constant({ authorization: `Bearer ${TOKEN}` }), junk),
    multiValueHeaders: fc.oneof(fc.dictionary(header, junk), junk),
    queryStringParameters: fc.oneof(fc.dictionary(parameter, junk), junk),
    multiValueQueryStringParameters: fc.oneof(fc.dictionary(parameter, junk), junk),
    body: junk,
    isBase64Encoded: junk,
    requestContext: junk,
  },
  { requiredKeys: [] },
);

it.each([
  ['requests as anybody may send them', wellFormed],
  ['events that no gateway would send', fc.oneof(malformed, fc.anything())],
])('never answers with a fault of its own: %s', async (_, events) => {
  const { api, call, clock, putRun, whileTimePasses } = testApi();
  await putRun({}, 'known');
  clock.advance(1);
  await fc.assert(
    fc.asyncProperty(events, async (event) => {
      const result = await whileTimePasses(api(event as APIGatewayProxyEvent));
      expect(result.statusCode).toBeGreaterThanOrEqual(200);
      expect(result.statusCode).toBeLessThan(500);
      // Empty: HEAD, and 204.
      if (result.body !== '') expect(() => JSON.parse(result.body)).not.toThrow();
      if (result.statusCode >= 400) expect(result.headers?.['content-type']).toBe('application/problem+json');
    }),
    { numRuns: 2_000 },
  );
  expect((await call('GET', '/healthz')).status).toBe(200);
});
