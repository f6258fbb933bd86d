import { expect, test } from 'vitest';
import { buildCall } from '../../src/http/call.ts';
import { makeCore } from '../../src/http/core.ts';
import { callOperation } from '../../src/http/operation.ts';
import { readReply, type StoredReply, storeTold } from '../../src/http/reply.ts';

const read = (text: string) => readReply(JSON.parse(text) as StoredReply);

test('a reply that a person tells reads like one that was received', () => {
  const json = read(storeTold({ status: 201, headers: { 'X-Id': '7' }, data: { id: 7 } }));
  expect([json.status, json.data, json.headers.get('x-id')]).toEqual([201, { id: 7 }, '7']);
  expect(read(storeTold({ status: 200, data: 'as it is', headers: { 'content-type': 'text/plain' } })).data).toBe('as it is');
  expect(read(storeTold({ status: 204 })).data).toBeUndefined();
});

test('an id tells of the query whether it is another, and nothing of what it holds', () => {
  const core = makeCore({ name: 'crm', baseUrl: 'https://api.crm.example' });
  const ids = ['?email=a@b.example&api_key=s3cret', '?email=c@d.example', ''].map(
    (query) => callOperation(buildCall(core, 'GET', `/users${query}`, {})).identity,
  );
  expect(new Set(ids).size).toBe(3);
  expect(ids.join()).not.toMatch(/example|s3cret|api_key/);
});

test('runs that an older engine began keep the ids that their journals have', () => {
  const core = makeCore({ name: 'crm', baseUrl: 'https://api.crm.example' });
  expect(callOperation(buildCall(core, 'GET', '/users?page=2', {}), 1).identity).toBe('GET crm /users?page=2');
});
