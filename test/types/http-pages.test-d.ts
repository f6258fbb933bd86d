/** What a user's editor knows of the items of a list. Checked by tsc alone. */
import { describe, expectTypeOf, it } from 'vitest';
import * as z from 'zod';
import { connection } from '../../src/http/connection.ts';
import { byCursor, byFunction, byLink, byNextUrl, byOffset } from '../../src/http/paging.ts';
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
