import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeEntries, type Entry, isDelivered } from '../../src/engine/journal.ts';
import type { RunRecord } from '../../src/engine/ports.ts';
import { map, sleep } from '../../src/engine/verbs.ts';
import { workflow } from '../../src/engine/workflow.ts';
import { createWorld, type World } from '../support/engine/world.ts';

type Program = (world: World) => Promise<unknown>;

/** Chains beside each other, each ending in an effect made of what all have read. */
const chains: Program = async (world) => {
  const seen: string[] = [];
  const chain = async (name: string) => {
    const first = await world.call(`read ${name}1`);
    seen.push(first);
    const second = await world.call(`read ${name}2 after ${seen.length}`);
    seen.push(second);
    return world.call(`write ${name} of ${seen.join()}`, name === 'b' ? 'keyed' : 'unsafe');
  };
  return { results: await Promise.all(['a', 'b', 'c'].map(chain)), seen };
};

/** A race, then another way for each winner. */
const race: Program = async (world) => {
  const winner = await Promise.race([world.call('left'), world.call('right')]);
  const side = winner.startsWith('left') ? 'L' : 'R';
  const [one, two] = await Promise.all([world.call(`then ${side} ${winner}`, 'unsafe'), world.call(`other ${side}`)]);
  const any = await Promise.any([world.call('bad', 'safe', { fail: true }), world.call('good')]);
  return { winner, one, two, any };
};

/** A pool over identical calls; what an item does depends on what its identical call answered. */
const pool: Program = async (world) => {
  const results = await map(
    [1, 2, 3, 4, 5, 6],
    async (item) => {
      const same = await world.call('same');
      const odd = Number(same.split('=')[1]) % 2 === 1;
      return odd ? world.call(`odd ${item}`, 'keyed') : world.call(`even ${item}`, 'idempotent');
    },
    { concurrency: 3 },
  );
  return results;
};

/** Waits, failures, and effects after them. */
const waits: Program = async (world) => {
  const settled = await Promise.allSettled([
    world.call('flaky', 'safe', { parkMs: 30_000, times: 2 }),
    world.call('doomed', 'unsafe', { fail: true }),
    world.call('limited', 'unsafe', { parkMs: 10_000 }),
  ]);
  await sleep('1 h');
  const last = await world.call(`last of ${settled.map((result) => result.status).join()}`, 'keyed');
  await sleep(100);
  return { settled: settled.map((result) => (result.status === 'fulfilled' ? result.value : result.reason.message)), last };
};

/** Completions without an issue between them, observed at different depths of microtasks. */
const depths: Program = async (world) => {
  const order: string[] = [];
  const deep = async (name: string, depth: number) => {
    const value = await world.call(name);
    for (let i = 0; i < depth; i++) await null;
    order.push(value);
  };
  await Promise.all([deep('a', 9), deep('b', 0), deep('c', 4), deep('d', 1)]);
  await world.call(`told ${order.join()}`, 'unsafe');
  await sleep('10 m');
  return { order, told: await world.call(`told again ${order.join()}`, 'keyed') };
};

/** More than an item holds: the journal spills into segments. */
const large: Program = async (world) => {
  const sizes: number[] = [];
  for (let i = 0; i < 4; i++) {
    const [left, right] = await Promise.all([
      world.call(`${'x'.repeat(900)} ${i}`),
      world.call(`write ${i} after ${sizes.join()}`, i % 2 === 0 ? 'unsafe' : 'keyed'),
    ]);
    sizes.push(left.length + right.length);
    if (i === 2) await sleep('1 m');
  }
  return sizes;
};

const programs: Record<string, Program> = { chains, race, pool, waits, depths, large };

async function journalOf(world: World, record: RunRecord): Promise<Entry[]> {
  const inline = record.journal ? decodeEntries(record.journal) : [];
  return [...inline, ...world.store.peekSegments(record.id).flatMap((segment) => decodeEntries(segment.data))];
}

for (const [name, program] of Object.entries(programs)) {
  test(`a run of ${name} ends, sends no effect twice, and observed what it acted on, however its workers die`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          seed: fc.integer({ min: 1, max: 2 ** 31 }),
          crashes: fc.integer({ min: 0, max: 4 }),
          crash: fc.constantFrom(0.02, 0.1, 0.3),
          lostAnswers: fc.constantFrom(0, 0.1),
          duplicates: fc.constantFrom(0, 0.5),
          maxDeliveries: fc.constantFrom(undefined, 1, 3),
        }),
        async ({ seed, crashes, crash, lostAnswers, duplicates, maxDeliveries }) => {
          let world: World;
          const definition = workflow({ name: 'program', run: () => program(world) });
          world = createWorld({
            seed,
            workflows: [definition],
            crash,
            lostAnswers,
            duplicates,
            ...(maxDeliveries ? { maxDeliveries } : {}),
          });
          const record = await world.runToEnd('program', null, 'k', { crashes });
          expect(record.status, JSON.stringify(record.outcome ?? record.reason)).toBe('succeeded');
          for (const [label, times] of world.api.effects) expect(times, label).toBe(1);
          for (const [op, times] of world.api.sent) expect(times, op).toBe(1);
          const entries = await journalOf(world, record);
          if (process.env.FUZZ_STATS) console.log(name, world.lives.length, world.lives.filter((l) => l.dead).length, entries.length);
          await replaysAlike(world, definition, record, entries);
        },
      ),
      { numRuns: Number(process.env.FUZZ_RUNS ?? 60) },
    );
  });
}

/** Invariant 1: the same journal, the same run, and no request. */
async function replaysAlike(world: World, definition: ReturnType<typeof workflow>, record: RunRecord, entries: Entry[]): Promise<void> {
  const { execute } = await import('../../src/engine/execution.ts');
  const { openLineage } = await import('../../src/engine/lineage.ts');
  world.calm();
  const calls = world.api.calls;
  const ports = world.portsFor();
  const { outcome: _outcome, endedAt: _endedAt, ...open } = record;
  let value: string | undefined;
  const lineage = {
    ...openLineage({
      record: { ...open, status: 'running' },
      exists: true,
      entries,
      ports,
      owner: 'replay',
      leaseUntil: world.clock.now() + 1_000_000,
    }),
    finish: async (_entries: readonly Entry[], finish: { outcome: { value: string } | object }) => {
      value = 'value' in finish.outcome ? (finish.outcome.value as string) : JSON.stringify(finish.outcome);
      return 'finished' as const;
    },
  };
  const ending = await execute({
    workflow: definition,
    input: null,
    lineage,
    entries,
    inbox: [],
    deadline: world.clock.now() + 900_000,
    clock: ports.clock,
    entropy: ports.entropy,
    observe: () => {},
    services: ports.services,
    payloads: ports.payloads,
    slot: async () => () => {},
    deliverLate: () => {},
  });
  expect(ending).toEqual({ type: 'finished' });
  expect(world.api.calls).toBe(calls);
  const stored = record.outcome && 'value' in record.outcome && 'text' in record.outcome.value ? record.outcome.value.text : undefined;
  expect(value).toBe(stored);
  expect(entries.filter(isDelivered).length).toBeGreaterThan(0);
}
