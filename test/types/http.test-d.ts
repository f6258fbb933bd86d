/** What a user's editor knows of a reply. Checked by tsc alone. */
import { describe, expectTypeOf, it } from 'vitest';
import * as z from 'zod';
import * as mini from 'zod/mini';
import { connection } from '../../src/http/connection.ts';
import type { Reply, StoredBody } from '../../src/http/reply.ts';
import { applied, reconcile } from '../../src/http/unknown.ts';

const crm = connection({ name: 'crm', baseUrl: 'https://api.crm.example' });
const Company = z.object({ name: z.string() });
type Company = { name: string };

describe('the type of a reply', () => {
  it('is unknown without a schema, and what `as` says', async () => {
    expectTypeOf(await crm.get('/')).toEqualTypeOf<Reply<unknown>>();
    expectTypeOf((await crm.get('/', { as: 'text' })).data).toEqualTypeOf<string>();
    expectTypeOf((await crm.get('/', { as: 'bytes' })).data).toEqualTypeOf<Uint8Array>();
    expectTypeOf((await crm.get('/', { as: 'json' })).data).toEqualTypeOf<unknown>();
    expectTypeOf((await crm.get('/', { as: 'file' })).data).toEqualTypeOf<StoredBody>();
    expectTypeOf((await crm.post('/', { body: (await crm.get('/', { as: 'file' })).data, as: 'file' })).data).toEqualTypeOf<StoredBody>();
  });

  it('is inferred from a Standard Schema, transformations included', async () => {
    expectTypeOf((await crm.get('/', { schema: Company })).data).toEqualTypeOf<Company>();
    expectTypeOf((await crm.post('/', { json: {}, schema: mini.object({ id: mini.number() }) })).data).toEqualTypeOf<{ id: number }>();
    expectTypeOf((await crm.request('PUT', '/', { schema: z.string().transform(Number) })).data).toEqualTypeOf<number>();
    expectTypeOf((await crm.for('acme').get('/', { schema: Company })).data).toEqualTypeOf<Company>();
  });

  it('is a union by status where there is a schema for each', async () => {
    const reply = await crm.get('/', { schema: { 200: Company, 404: z.object({ title: z.string() }) } });
    expectTypeOf(reply).toEqualTypeOf<Reply<Company, 200> | Reply<{ title: string }, 404>>();
    if (reply.status === 404) expectTypeOf(reply.data).toEqualTypeOf<{ title: string }>();
    else expectTypeOf(reply.data).toEqualTypeOf<Company>();
  });

  it('is not checked for statuses that are merely accepted, until they are told apart', async () => {
    const reply = await crm.get('/', { schema: Company, acceptStatus: [404, 409] });
    expectTypeOf(reply.data).toEqualTypeOf<unknown>();
    if (reply.status !== 404 && reply.status !== 409) expectTypeOf(reply.data).toEqualTypeOf<Company>();
  });
});

describe('options', () => {
  it('that make no sense are errors where they are written', () => {
    const wrong = [
      // @ts-expect-error a GET has no body
      () => crm.get('/', { json: {} }),
      // @ts-expect-error no such option
      () => crm.get('/', { shema: Company }),
      // @ts-expect-error no such effect
      () => crm.post('/', { effects: 'harmless' }),
      // @ts-expect-error no such value
      () => crm.get('/', { query: { a: { b: 1 } } }),
      // @ts-expect-error a secret is given by reference
      () => connection({ name: 'a', baseUrl: 'https://a.example', auth: 'Bearer abc' }),
      // @ts-expect-error a reconciler answers applied(), notApplied() or cannotTell()
      () => crm.post('/', { onUnknown: reconcile(async () => true) }),
      // @ts-expect-error a body is no number
      () => crm.post('/', { body: 7 }),
      // @ts-expect-error a form with a date in it
      () => crm.post('/', { multipart: { at: new Date() } }),
      // @ts-expect-error a schema for each status, or one
      () => crm.get('/', { schema: { 200: 'Company' } }),
    ];
    expectTypeOf(wrong).toBeArray();
    expectTypeOf(crm.fetch).toExtend<(input: string | URL | Request, init?: RequestInit) => Promise<Response>>();
    expectTypeOf(reconcile(() => applied({ data: 1 }))).toBeObject();
  });
});
