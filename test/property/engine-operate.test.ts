/** Cancelling and redriving random programs while workers are killed: effects stay effects, and every run ends. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Effect } from '../../src/engine/operation.ts';
import { sleep } from '../../src/engine/verbs.ts';
import { runThroughChaos } from '../support/engine/chaos.ts';
import { operatorOf } from '../support/engine/operator.ts';
import { done, failed, type Rig } from '../support/engine/rig.ts';
import { rigOf } from '../support/engine/scenario.ts';

const runs = { numRuns: Number(process.env.FUZZ_RUNS ?? 60) };

type Step = { effect: Effect; ms: number; pause: number; fails: number };
const step: fc.Arbitrary<Step> = fc.record({
  effect: fc.constantFrom<Effect>('safe', 'idempotent', 'keyed', 'unsafe'),
  ms: fc.integer({ min: 0, max: 40 }),
  pause: fc.constantFrom(0, 0, 0, 5, 3_600_000),
  /** How often it fails finally before it succeeds. */
  fails: fc.constantFrom(0, 0, 0, 0, 1, 2),
});
const branches = fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 });

/** Branches side by side; `made` counts the effects that happened, as the API knows them: once for each key. */
function program(steps: readonly Step[][]) {
  const made = new Map<string, number>();
  const failures = new Map<string, number>();
  const byKey = new Set<string>();
  const rig: Rig = rigOf(async (r) =>
    Promise.all(
      steps.map(async (branch, i) => {
        for (const [j, one] of branch.entries()) {
          if (one.pause > 0) await sleep(one.pause);
          const label = `${i}.${j}`;
          const happened = () => made.has(label);
          await r.call(label, one.effect, {
            ms: one.ms,
            answer: (env) => {
              const known = one.effect !== 'safe' && one.effect !== 'unsafe' && byKey.has(env.keyMaterial);
              const failedSoFar = failures.get(label) ?? 0;
              if (!known && failedSoFar < one.fails) {
                failures.set(label, failedSoFar + 1);
                return failed(`${label} failed`);
              }
              byKey.add(env.keyMaterial);
              if (!known) made.set(label, (made.get(label) ?? 0) + 1);
              return done(label);
            },
            // The truth is asked of the API, as a reconciler does.
            unknown: async () => (happened() ? { type: 'done', value: JSON.stringify(label) } : { type: 'resend' }),
          });
        }
        return i;
      }),
    ),
  );
  const repeated = () =>
    steps
      .flatMap((branch, i) => branch.map((one, j) => ({ label: `${i}.${j}`, one })))
      .filter(({ label, one }) => one.effect !== 'safe' && (made.get(label) ?? 0) > 1);
  return { rig, made, repeated };
}

test('a run that is redriven until it succeeds has made every effect once', async () => {
  await fc.assert(
    fc.asyncProperty(branches, fc.integer({ min: 1, max: 1e9 }), fc.nat({ max: 3 }), async (steps, seed, kills) => {
      const { rig, made, repeated } = program(steps);
      let record = await runThroughChaos(rig, 'w', { seed, kills });
      for (let round = 0; record.status === 'failed' && round < 40; round++) {
        await operatorOf(rig).redrive();
        record = await runThroughChaos(rig, 'w', { seed: seed + round + 1, kills });
      }
      expect(record.status, JSON.stringify(record.outcome ?? record.reason)).toBe('succeeded');
      expect(repeated()).toEqual([]);
      for (const [i, branch] of steps.entries()) for (const j of branch.keys()) expect(made.get(`${i}.${j}`)).toBeGreaterThan(0);
    }),
    runs,
  );
});

test('a run that is cancelled at any moment ends, and sends nothing twice', async () => {
  await fc.assert(
    fc.asyncProperty(
      branches,
      fc.integer({ min: 1, max: 1e9 }),
      fc.nat({ max: 3 }),
      fc.nat({ max: 12 }),
      async (steps, seed, kills, moment) => {
        const { rig, repeated } = program(steps);
        let events = 0;
        let asked = false;
        const chaos = runThroughChaos(rig, 'w', { seed, kills });
        const { before } = rig.faults;
        rig.faults.before = async (op, id) => {
          events += 1;
          const there = rig.store.peek(rig.idOf('w'));
          if (!asked && events >= moment && there && !('stub' in there) && there.endedAt === undefined) {
            asked = true;
            await operatorOf(rig).cancel();
          }
          return before?.(op, id);
        };
        const record = await chaos;
        const known = ['succeeded', 'failed', 'cancelled'];
        expect(known, JSON.stringify(record.reason)).toContain(record.status);
        expect(repeated()).toEqual([]);
        if (record.status === 'failed') expect(rig.error('w').message).toMatch(/failed$/);
      },
    ),
    runs,
  );
});
