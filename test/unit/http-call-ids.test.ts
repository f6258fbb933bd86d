/** Ids of calls stand in journals, logs, metrics and spans: what a query holds is in none, and with `hidePath` neither is what a path holds. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildCall } from '../../src/http/call.ts';
import { makeCore } from '../../src/http/core.ts';
import { callOfFetch } from '../../src/http/fetch.ts';
import { callOperation } from '../../src/http/operation.ts';
import type { BodyOptions } from '../../src/http/options.ts';
import { failure, type Harness, harness } from '../support/http.ts';

const core = makeCore({
  name: 'crm',
  baseUrl: 'https://crm.example',
  idempotencyKey: { header: 'Idempotency-Key' },
  routes: [{ path: '/people/:ssn', hidePath: true }],
});
const operation = (path: string, options: BodyOptions = {}, method = 'GET', engine?: number) =>
  callOperation(buildCall(core, method, path, options), engine);

let world: Harness;
beforeEach(async () => {
  world = await harness();
});
afterEach(() => world.close());

describe('the id of a call', () => {
  it('has a hash of the query in place of the query', () => {
    const { identity, label } = operation('/files', { query: { token: 'hunter2' } });
    expect(`${identity} ${label}`).not.toContain('hunter2');
    expect(identity).not.toBe(operation('/files', { query: { token: 'hunter3' } }).identity);
  });

  it('has a hash of the path, too, where that is hidden', () => {
    const { identity, label } = operation('/people/hunter2');
    expect(`${identity} ${label}`).not.toContain('hunter2');
    expect(label).toBe('GET crm ‹hidden path›');
    expect(identity).not.toBe(operation('/people/hunter3').identity);
    expect(operation('/people/hunter2', { label: 'one person' }).label).toBe('GET crm one person');
  });

  it('has none of it for fetch, and in runs of version 1, either', async () => {
    const call = await callOfFetch(core, 'https://crm.example/people/hunter2?a=hunter2');
    const { identity, label } = callOperation(call, 1);
    expect(`${identity} ${label}`).not.toContain('hunter2');
  });

  it('does not depend on the label', () => {
    expect(operation('/files/7', { label: 'one file' }).identity).toBe(operation('/files/7').identity);
  });

  it('changes no idempotency key', () => {
    const keys = [true, false].map((hidePath) => operation('/files/7', { hidePath, json: {} }, 'POST').keyIdentity);
    expect(new Set(keys)).toEqual(new Set(['POST crm /files/7']));
  });
});

it('a hidden path is in no error, of the call or of its options', async () => {
  const crm = world.connect({ hidePath: true });
  world.server.script({ status: 404 });
  for (const options of [{}, { as: 'xml' as never }, { typo: 1 } as never, { json: {} }]) {
    const error = await failure(crm.request('GET', '/people/hunter2', options));
    expect(JSON.stringify([error.message, error])).not.toContain('hunter2');
  }
});
