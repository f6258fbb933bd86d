/** Any sequence of operations gets the same answers from the store on DynamoDB and from the one in memory. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../src/aws/clock.ts';
import { dynamoRunStore } from '../../src/aws/run-store.ts';
import type { RunRecord, RunStatus, RunStore, RunSummary } from '../../src/engine/ports.ts';
import { memoryRunStore, seededEntropy } from '../../src/testing/index.ts';
import { type Emulators, startEmulators } from '../support/aws-emulators.ts';
import { NOW, run } from '../support/contracts/records.ts';

let aws: Emulators;
beforeAll(async () => {
  aws = await startEmulators();
});
afterAll(() => aws.stop());

// Few ids, nonces and counters, so that operations meet.
const id = fc.constantFrom('run_a', 'run_b');
const nonce = fc.constantFrom('n1', 'n2', 'n3');
const key = fc.constantFrom('k1', 'k2');
const small = fc.nat({ max: 2 });
const at = small.map((minutes) => NOW + minutes * 60_000);

const record: fc.Arbitrary<RunRecord> = fc
  .record({
    id,
    nonce,
    status: fc.constantFrom<RunStatus>('queued', 'running', 'waiting', 'paused', 'succeeded', 'failed', 'cancelled'),
    inbox: small,
    createdAt: fc.constantFrom(NOW, NOW - 3_600_000),
    due: fc.option(at, { nil: undefined }),
    wakeAt: fc.option(at, { nil: undefined }),
    leaseUntil: fc.option(at, { nil: undefined }),
    journal: fc.option(fc.uint8Array({ minLength: 1, maxLength: 5 }), { nil: undefined }),
    value: fc.option(fc.json(), { nil: undefined }),
  })
  .map(({ due, wakeAt, leaseUntil, journal, value, ...fields }) => {
    const { due: _, ...base } = run(fields.id);
    return {
      ...base,
      ...fields,
      ...(due === undefined ? {} : { due }),
      ...(wakeAt === undefined ? {} : { wakeAt }),
      ...(leaseUntil === undefined ? {} : { lease: { owner: 'w', until: leaseUntil } }),
      ...(journal === undefined ? {} : { journal }),
      ...(value === undefined ? {} : { outcome: { value: { text: value } } }),
    };
  });

type Operation = { name: string; on: (store: RunStore) => Promise<unknown> };
const named = <T>(name: string, arbitrary: fc.Arbitrary<T>, on: (store: RunStore, input: T) => Promise<unknown>): fc.Arbitrary<Operation> =>
  arbitrary.map((input) => ({ name: `${name} ${JSON.stringify(input)}`, on: (store) => on(store, input) }));

const operation = fc.oneof(
  { weight: 3, arbitrary: named('create', record, (store, input) => store.create(input)) },
  {
    weight: 6,
    arbitrary: named('replace', fc.tuple(record, nonce, fc.boolean()), (store, [next, expected, anyInbox]) =>
      store.replace(next, expected, { anyInbox }),
    ),
  },
  {
    weight: 2,
    arbitrary: named('append', fc.tuple(id, small, small, nonce), (store, [to, incarnation, first, by]) =>
      store.append(to, { incarnation, life: NOW, first, count: 1, nonce: by, data: new Uint8Array([first]) }),
    ),
  },
  {
    weight: 3,
    arbitrary: named('deliver', fc.tuple(id, key, at), (store, [to, about, now]) =>
      store.deliver(to, { key: about, at: now, kind: 'signal', data: { now } }, now),
    ),
  },
  { weight: 2, arbitrary: named('pushDue', fc.tuple(id, at, at), (store, [of, from, to]) => store.pushDue(of, from, to)) },
);

async function everything(store: RunStore): Promise<unknown> {
  const ids = ['run_a', 'run_b'];
  const listed: RunSummary[] = [];
  let after: string | undefined;
  do {
    const page = await store.list({}, { limit: 1, now: NOW, ...(after === undefined ? {} : { after }) });
    listed.push(...page.items);
    // Behind a page without items there is only an empty past.
    after = page.items.length === 0 ? undefined : page.next;
  } while (after !== undefined);
  return {
    runs: Object.fromEntries(await store.load(ids)),
    inboxes: await Promise.all(ids.map((of) => store.inbox(of))),
    segments: await Promise.all(
      ids.flatMap((of) => [0, 1, 2].map((incarnation) => store.segments({ id: of, incarnation, createdAt: NOW }))),
    ),
    due: await store.due(Number.MAX_SAFE_INTEGER, 100),
    listed,
  };
}

/** Bytes compare by content whatever class holds them. */
const plain = (value: unknown): unknown =>
  value instanceof Uint8Array
    ? [...value]
    : Array.isArray(value)
      ? value.map(plain)
      : value !== null && typeof value === 'object'
        ? Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]))
        : value;

test('any sequence of writes is answered alike and leaves the same behind', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 25 }), async (operations) => {
      const memory = memoryRunStore();
      const table = await aws.createRunsTable();
      const clock = systemClock();
      const dynamo = dynamoRunStore({ clock, entropy: seededEntropy(1), client: aws.clients.dynamodb, table, retentionDays: 30 });
      for (const { name, on } of operations) {
        expect(plain(await on(dynamo)), name).toEqual(plain(await on(memory)));
      }
      expect(plain(await everything(dynamo))).toEqual(plain(await everything(memory)));
    }),
    { numRuns: 40 },
  );
});
