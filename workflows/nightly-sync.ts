/**
 * Every company of the CRM gets, each night, what the public register says of it: read page by page, looked up concurrently,
 * written back once. A record takes three journal entries and 2 KB of a run's 10,000 and 20 MB, so one run is good for 3,000 records;
 * for more, start one for each part of the list.
 */
import { CallError, map, SchemaError, workflow } from 'holdfast';
import * as z from 'zod/mini';
import { crm } from '../connections/crm.ts';
import { registry } from '../connections/registry.ts';

const Page = z.object({ items: z.array(z.object({ domain: z.string() })), next: z.nullable(z.string()) });
const Entry = z.object({ industry: z.string(), employees: z.number(), founded: z.number() });

export const nightlySync = workflow({
  name: 'nightly-sync',
  description: 'Writes what the public register says of each company into the CRM.',
  input: z.strictObject({
    // Said by whoever starts it, and not read off a clock: the run may still be going on after midnight.
    night: z.string().check(z.regex(/^\d{4}-\d\d-\d\d$/, 'must be a date such as 2026-10-10')),
    pageSize: z._default(z.int().check(z.minimum(1), z.maximum(100)), 50),
    concurrency: z._default(z.int().check(z.minimum(1), z.maximum(50)), 16),
  }),
  async run({ night, pageSize, concurrency }) {
    const failed: Failure[] = [];
    let read = 0;
    let after: string | null = null;
    do {
      const page: z.infer<typeof Page> = (await crm.get('/companies', { query: { after, limit: pageSize }, schema: Page })).data;
      const failures = await map(page.items, ({ domain }) => syncOne(domain, night), { concurrency });
      failed.push(...failures.filter((failure) => failure !== undefined));
      read += page.items.length;
      after = page.next;
    } while (after !== null);
    return { night, read, written: read - failed.length, failed };
  },
});

type Failure = { domain: string; code: string; status: number | null; message: string };

/** A record that fails finally, after all its attempts, is told in the result; the others go on. */
async function syncOne(domain: string, night: string): Promise<Failure | undefined> {
  try {
    const { data: entry } = await registry.get(`/companies/${domain}`, { schema: Entry });
    await crm.post('/profiles', { json: { domain, night, ...entry } }); // keyed: after a crash it goes out again with the same key
    return undefined;
  } catch (error) {
    // Anything else is not the record's: a bug of ours, or the run is being cancelled.
    if (!(error instanceof CallError || error instanceof SchemaError)) throw error;
    return { domain, code: error.code, status: error.status ?? null, message: error.message };
  }
}
