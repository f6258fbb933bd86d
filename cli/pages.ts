/** Reading on through pages, which may be short or empty and still have a next one. */
import type { Page } from './api-types.ts';

/** The most that the API gives at once. */
const PAGE = 200;

/** `next`: there may be more than `limit`. */
export async function collect<T>(
  limit: number,
  read: (query: { limit: number; after: string | undefined }) => Promise<Page<T>>,
): Promise<Page<T>> {
  const items: T[] = [];
  let after: string | undefined;
  do {
    const page: Page<T> = await read({ limit: Math.min(PAGE, limit - items.length), after });
    items.push(...page.items);
    after = page.next;
  } while (after !== undefined && items.length < limit);
  return { items, ...(after === undefined ? {} : { next: after }) };
}
