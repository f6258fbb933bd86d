/** What a user's editor knows of lists, polling, GraphQL and profiles. Checked by tsc alone. */
import { describe, expectTypeOf, it } from 'vitest';
import * as z from 'zod';
import { type Connection, connection } from '../../src/http/connection.ts';
import type { GraphqlError } from '../../src/http/graphql/graphql.ts';
import { byCursor, byFunction, byLink, byNextUrl, byOffset } from '../../src/http/paging/paging.ts';
import type { Profile } from '../../src/http/profile.ts';
import { stripe } from '../../src/http/profiles/index.ts';
import type { Reply } from '../../src/http/reply.ts';

const crm = connection({ name: 'crm', baseUrl: 'https://api.crm.example' });
const Contact = z.object({ id: z.string() });
const Page = z.object({ contacts: z.array(Contact), next: z.string().nullable(), total: z.number() });
type Contact = { id: string };
type Page = z.infer<typeof Page>;

describe('the items of pages()', () => {
  it('are what `items` gives', () => {
    expectTypeOf(crm.pages('/contacts', { schema: Page, items: (reply) => reply.data.contacts, next: byLink() })).toEqualTypeOf<
      AsyncIterable<Contact>
    >();
    expectTypeOf(
      crm.pages('/contacts', {
        schema: Page,
        items: ({ data }) => data.contacts,
        next: byCursor({ from: ({ data }: Reply<Page>) => data.next }),
      }),
    ).toEqualTypeOf<AsyncIterable<Contact>>();
    expectTypeOf(
      crm.pages('/contacts', {
        schema: Page,
        items: ({ data }) => new Set([data.next]),
        next: byOffset({ limit: 10, total: ({ data }: Reply<Page>) => data.total }),
      }),
    ).toEqualTypeOf<AsyncIterable<string | null>>();
  });

  it('are those of the list that the schema says a page is', () => {
    expectTypeOf(crm.pages('/contacts', { schema: z.array(Contact), next: byLink() })).toEqualTypeOf<AsyncIterable<Contact>>();
    expectTypeOf(crm.pages('/contacts', { next: byLink() })).toEqualTypeOf<AsyncIterable<unknown>>();
    expectTypeOf(crm.pages('/contacts')).toEqualTypeOf<AsyncIterable<unknown>>();
  });

  it('cannot be read out of what is not there', () => {
    const wrong = [
      // @ts-expect-error no such field
      () => crm.pages('/', { schema: Page, items: ({ data }) => data.people, next: byLink() }),
      // @ts-expect-error no such field
      () => crm.pages('/', { schema: Page, items: ({ data }) => data.contacts, next: byNextUrl(({ data }: Reply<Page>) => data.after) }),
      // @ts-expect-error a way to the next page is made by byLink() and its kin
      () => crm.pages('/', { next: 'link' }),
      // @ts-expect-error it reads what another schema gives
      () => crm.pages('/', { schema: z.array(Contact), next: byCursor({ from: ({ data }: Reply<Page>) => data.next }) }),
      // @ts-expect-error a cursor is a text or a number
      () => byCursor({ from: () => ({}) }),
      // @ts-expect-error what the next request differs in
      () => byFunction(() => ({ cursor: 'a' })),
    ];
    expectTypeOf(wrong).toBeArray();
  });
});

describe('the reply of poll()', () => {
  it('is typed by its schema, for `until` too', async () => {
    const Job = z.object({ state: z.string() });
    expectTypeOf(await crm.poll('/jobs/1', { schema: Job, until: ({ data }) => data.state === 'done' || 'failed' })).toEqualTypeOf<
      Reply<{ state: string }>
    >();
    expectTypeOf(await crm.poll(await crm.get('/'))).toEqualTypeOf<Reply<unknown>>();
    const wrong = [
      // @ts-expect-error no such verdict
      () => crm.poll('/', { until: () => 'done' }),
      // @ts-expect-error its time is one for all
      () => crm.poll('/', { timeout: { total: '1s' } }),
    ];
    expectTypeOf(wrong).toBeArray();
  });
});

describe('the reply of graphql()', () => {
  it('has the data that its schema says, and errors', async () => {
    const reply = await crm.graphql('{ a }', { n: 1 }, { schema: Contact, partial: 'reply' });
    expectTypeOf(reply.data).toEqualTypeOf<Contact>();
    expectTypeOf(reply.errors).toEqualTypeOf<readonly GraphqlError[] | undefined>();
    expectTypeOf((await crm.graphql('{ a }')).data).toEqualTypeOf<unknown>();
    const wrong = [
      // @ts-expect-error a query has no schemas by status
      () => crm.graphql('{ a }', {}, { schema: { 200: Contact } }),
      // @ts-expect-error no such choice
      () => crm.graphql('{ a }', {}, { partial: 'ignore' }),
    ];
    expectTypeOf(wrong).toBeArray();
  });
});

describe('profiles', () => {
  it('are for connections, and a key has one place', () => {
    const made = { name: 'a', baseUrl: 'https://a.example' };
    expectTypeOf(connection({ ...made, profile: stripe })).toEqualTypeOf<Connection>();
    expectTypeOf(stripe).toEqualTypeOf<Profile>();
    const wrong = [
      // @ts-expect-error by reference, not by name
      () => connection({ ...made, profile: 'stripe' }),
      // @ts-expect-error a header or a field
      () => connection({ ...made, idempotencyKey: { header: 'A', field: 'b' } }),
      // @ts-expect-error a field has no format
      () => connection({ ...made, idempotencyKey: { field: 'b', format: 'raw' } }),
    ];
    expectTypeOf(wrong).toBeArray();
  });
});
