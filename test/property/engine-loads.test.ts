/** Results whose values are fetched before their delivery, each time as slowly as it happens to be: a replay stays what was. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { currentRun } from '../../src/engine/context.ts';
import type { Operation } from '../../src/engine/operation.ts';
import { map, sleep } from '../../src/engine/verbs.ts';
import { workflow } from '../../src/engine/workflow.ts';
import { seededEntropy } from '../../src/testing/index.ts';
import { runThroughChaos } from '../support/engine/chaos.ts';
import { createRig, done, type Rig } from '../support/engine/rig.ts';

type World = { rig: Rig; chance: () => number; unfetched: number };

/** A read whose result is only half in the journal: the other half is there when it is delivered, or the test fails. */
async function read(world: World, label: string): Promise<string> {
  const { rig, chance } = world;
  const here = currentRun();
  if (!here) throw new Error('no run');
  let fetched: string | undefined;
  const operation: Operation = {
    kind: 'call',
    identity: `read ${label}`,
    label,
    effect: 'safe',
    timeout: 5_000,
    async attempt() {
      await new Promise<void>((next) => rig.clock.timer(1 + Math.floor(chance() * 20), next));
      return done(`${label}=${Math.floor(chance() * 1e9)}`);
    },
    load(value) {
      // Some have all that they need.
      if (label.endsWith('0')) fetched = value;
      const slow = Math.floor(chance() * 4);
      if (fetched !== undefined) return undefined;
      const loaded = slow === 0 ? Promise.resolve() : new Promise<void>((next) => rig.clock.timer(slow * 3_000, next));
      return loaded.then(() => {
        fetched = value;
      });
    },
  };
  const text = await here.run.issue(operation);
  if (fetched !== text) world.unfetched += 1;
  fetched = undefined;
  return JSON.parse(text as string) as string;
}

const write = ({ rig }: World, label: string, kind: 'keyed' | 'unsafe' = 'keyed') => rig.call(label, kind, { ms: 3 });

const programs: Record<string, (world: World) => Promise<unknown>> = {
  async beside(world) {
    const seen: string[] = [];
    await Promise.all(
      ['a', 'b0', 'c', 'd'].map(async (name) => {
        seen.push(await read(world, name));
        seen.push(await read(world, `${name} after ${seen.length}`));
      }),
    );
    await write(world, `told ${seen.join()}`);
    await sleep('1h');
    return seen;
  },
  async race(world) {
    const winner = await Promise.race([read(world, 'left'), read(world, 'right')]);
    await write(world, `won ${winner}`);
    return [winner, await read(world, `after ${winner}`)];
  },
  async pool(world) {
    return map(
      [1, 2, 3, 4, 5],
      async (item) => {
        const same = await read(world, 'same');
        return write(world, `item ${item} of ${same}`, item % 2 === 0 ? 'keyed' : 'unsafe');
      },
      { concurrency: 2 },
    );
  },
};

for (const [name, program] of Object.entries(programs)) {
  test(`${name}: however slow the loads are, nothing diverges, and what was to be fetched is there when it is delivered`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          seed: fc.integer({ min: 1, max: 2 ** 31 }),
          kills: fc.integer({ min: 0, max: 3 }),
          maxDeliveries: fc.constantFrom(undefined, 1, 2),
        }),
        async ({ seed, kills, maxDeliveries }) => {
          let world: World;
          const definition = workflow({ name: 'w', run: () => program(world) });
          const rig = createRig({ workflows: [definition], ...(maxDeliveries ? { maxDeliveries } : {}) });
          world = { rig, chance: seededEntropy(seed).random, unfetched: 0 };
          const record = await runThroughChaos(rig, 'w', { seed, kills });
          const unknown = record.status === 'paused' && record.reason?.code === 'E_UNKNOWN_OUTCOME';
          // An unsafe call that a kill interrupted is nobody's to make again.
          if (!unknown) expect(record.status, JSON.stringify(record.outcome ?? record.reason)).toBe('succeeded');
          expect(world.unfetched).toBe(0);
        },
      ),
      { numRuns: Number(process.env.FUZZ_RUNS ?? 40) },
    );
  });
}
