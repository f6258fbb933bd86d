/** Lists of any shape, walked over by runs that are put down at random: every page is asked for once, and the items are those of the list. */
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { workflow } from '../../src/engine/workflow.ts';
import { byLink } from '../../src/http/paging/paging.ts';
import { type Harness, harness } from '../support/http.ts';
import { resultOf, runOver } from '../support/http-run.ts';

const RUNS = Math.min(200, Number(process.env.FUZZ_RUNS ?? 25));

let world: Harness;
beforeEach(async () => {
  world = await harness();
});
afterEach(() => world.close());

/** Page `n` has so many items and is followed by page `next`: itself, an earlier one, a later one, or none. */
const shape = fc.array(fc.record({ items: fc.nat(3), next: fc.option(fc.nat(7)) }), { minLength: 1, maxLength: 6 });

/** What a walk over it must come to. */
function expected(pages: readonly { items: number; next: number | null }[]): { items: string[]; asked: number[]; endless: boolean } {
  const items: string[] = [];
  const asked: number[] = [];
  for (let at = 0; ; ) {
    asked.push(at);
    const page = pages[at];
    for (let item = 0; item < (page?.items ?? 0); item++) items.push(`${at}.${item}`);
    // The first page is asked for without a number, so that its own link looks like another page once.
    if (page === undefined || page.next === null) return { items, asked, endless: false };
    at = page.next;
    if (asked.slice(1).includes(at)) return { items, asked, endless: true };
  }
}

it('walks over any list as it is, and over none for ever', async () => {
  await fc.assert(
    fc.asyncProperty(shape, fc.constantFrom(undefined, 1, 2), async (pages, maxDeliveries) => {
      world.server.received.length = 0;
      world.server.script((request) => {
        const at = Number(new URL(request.url, 'http://x').searchParams.get('page') ?? 0);
        const { items, next } = pages[at] ?? { items: 0, next: null };
        return {
          body: JSON.stringify(Array.from({ length: items }, (_, item) => `${at}.${item}`)),
          headers: next === null ? {} : { link: `</x?page=${next}>; rel="next"` },
        };
      });
      const crm = world.connect();
      const seen: string[] = [];
      const walk = workflow({
        name: 'walk',
        async run() {
          seen.length = 0;
          for await (const item of crm.pages('/x', { next: byLink() })) seen.push(item as string);
          return seen;
        },
      });
      const run = await runOver(world.runtime, walk, maxDeliveries).toTheEnd(30);
      const { items, asked, endless } = expected(pages);
      expect(seen).toEqual(items);
      if (endless) expect(resultOf(run)).toMatchObject({ code: 'E_PAGING' });
      else expect(resultOf(run)).toEqual(items);
      expect(world.server.received.map(({ url }) => Number(/page=(\d+)/.exec(url)?.[1] ?? 0))).toEqual(asked);
    }),
    { numRuns: RUNS },
  );
});
