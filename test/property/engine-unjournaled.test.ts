/**
 * User code does things between its operations that nothing records. Its replays may then be unlike what was: that must be
 * found out, and the run be paused. What must never be is an effect that is made a second time, or a result that is another.
 */
import { webcrypto } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { execute } from '../../src/engine/execution.ts';
import { openLineage } from '../../src/engine/lineage.ts';
import { map, sleep } from '../../src/engine/verbs.ts';
import { type Workflow, workflow } from '../../src/engine/workflow.ts';
import { seededEntropy } from '../../src/testing/index.ts';
import { runThroughChaos } from '../support/engine/chaos.ts';
import { createRig, done, type Rig } from '../support/engine/rig.ts';

/** What the API did, by the place in the program that asked for it. */
type Api = { made: Map<string, Set<string>>; values: Map<string, string>; serial: number; chance: () => number };
type Program = (world: { rig: Rig; api: Api }) => Promise<unknown>;

/** Real asynchronous work, on other threads, that takes as long as it takes, and never as long as the last time. */
async function digest({ api }: { api: Api }, text: string): Promise<string> {
  const rounds = Math.floor(api.chance() * 8);
  let hash = await sha(text);
  for (let i = 0; i < rounds; i++) hash = await sha(text.padEnd(20_000 * rounds));
  return rounds === 0 ? hash : sha(text);
}

async function sha(text: string): Promise<string> {
  return Buffer.from(await webcrypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
    .toString('hex')
    .slice(0, 6);
}

const read = ({ rig, api }: { rig: Rig; api: Api }, label: string) =>
  rig.call(label, 'safe', { ms: 1 + (api.serial % 7), answer: () => done(`${label}=${api.serial++}`) }) as Promise<string>;

/** An effect that the API makes once for a key, and can be asked about. `slot` is the place in the program. */
function effect({ rig, api }: { rig: Rig; api: Api }, slot: string, what: string, kind: 'keyed' | 'unsafe'): Promise<string> {
  return rig.call(`${slot} ${what}`, kind, {
    ms: 3,
    answer: (env) => {
      const known = api.values.get(env.keyMaterial) ?? `${slot}=${api.serial++}`;
      api.values.set(env.keyMaterial, known);
      const made = api.made.get(slot) ?? new Set();
      made.add(env.keyMaterial);
      api.made.set(slot, made);
      return done(known);
    },
    unknown: async (env) => {
      const known = api.values.get(env.keyMaterial);
      return known === undefined ? { type: 'resend' } : done(known);
    },
  }) as Promise<string>;
}

const programs: Record<string, Program> = {
  'chains with work between their links': async (w) => {
    const order: string[] = [];
    const chain = async (name: string) => {
      order.push(`${name}${await digest(w, await read(w, `read ${name}`))}`);
      order.push(await read(w, `again ${name}`));
      await digest(w, name);
      return effect(w, name, `after ${order.join()}`, name === 'b' ? 'keyed' : 'unsafe');
    };
    return Promise.all([chain('a'), chain('b'), chain('c')]);
  },
  'an order that nothing but the work decided': async (w) => {
    const order: string[] = [];
    await Promise.all(
      ['a', 'b', 'c', 'd'].map(async (name) => {
        await read(w, name);
        await digest(w, name);
        order.push(name);
      }),
    );
    const first = await effect(w, 'first', order.join(), 'unsafe');
    await sleep('1h');
    return [order, first, await effect(w, 'second', `${order.join()} ${first}`, 'keyed')];
  },
  'a race between work and a call': async (w) => {
    const winner = await Promise.race([read(w, 'call').then(() => 'call'), digest(w, 'work').then(() => 'work')]);
    const made = await effect(w, 'effect', winner, 'unsafe');
    return [winner, made, await read(w, `after ${winner}`)];
  },
  'a pool over identical calls': async (w) =>
    map(
      [1, 2, 3, 4, 5],
      async (item) => {
        const same = await read(w, 'same');
        const hash = await digest(w, same);
        return effect(w, `item ${item}`, hash, item % 2 === 0 ? 'keyed' : 'unsafe');
      },
      { concurrency: 2 },
    ),
};

for (const [name, program] of Object.entries(programs)) {
  test(`${name}: a replay that is unlike is found out, and no effect is made twice`, async () => {
    const outcomes: string[] = [];
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          seed: fc.integer({ min: 1, max: 2 ** 31 }),
          kills: fc.integer({ min: 0, max: 3 }),
          maxDeliveries: fc.constantFrom(undefined, 1, 2),
        }),
        async ({ seed, kills, maxDeliveries }) => {
          const api: Api = { made: new Map(), values: new Map(), serial: 0, chance: seed % 3 === 0 ? () => 0 : seededEntropy(seed).random };
          let rig: Rig;
          const definition = workflow({ name: 'w', run: () => program({ rig, api }) });
          rig = createRig({ workflows: [definition], realMs: 1, ...(maxDeliveries ? { maxDeliveries } : {}) });
          const record = await runThroughChaos(rig, 'w', { seed, kills });
          outcomes.push(record.status);
          for (const [slot, keys] of api.made) expect([...keys], slot).toHaveLength(1);
          if (record.status === 'paused') {
            expect(record.reason?.code).toBe('E_DIVERGED');
            return;
          }
          if (record.status === 'failed') {
            // Virtual time may run ahead of real work, for longer than an invocation lasts.
            expect(rig.error('w').code).toBe('E_STALLED');
            return;
          }
          expect(record.status, JSON.stringify(record.outcome)).toBe('succeeded');
          await replaysAlikeOrNotAtAll(rig, definition, rig.value('w'));
        },
      ),
      { numRuns: Number(process.env.FUZZ_RUNS ?? 40) },
    );
    // Were it always found out, the test would show nothing about those that succeed, and the other way round it would not be hard.
    if (process.env.FUZZ_STATS) console.log(name, outcomes.filter((o) => o === 'succeeded').length, outcomes.length);
    expect(outcomes).toContain('succeeded');
  });
}

/** The finished journal once more: the same result without a request, or a divergence; nothing else. */
async function replaysAlikeOrNotAtAll(rig: Rig, definition: Workflow, value: unknown): Promise<void> {
  const entries = rig.journal('w').filter((entry) => entry.k !== 'end');
  const { outcome: _outcome, endedAt: _endedAt, ...record } = rig.record('w');
  const ports = rig.ports();
  const written: string[] = [];
  const lineage: ReturnType<typeof openLineage> = {
    ...openLineage({
      record: { ...record, status: 'running' },
      exists: true,
      entries,
      ports,
      owner: 'replay',
      leaseUntil: rig.clock.now() + 1e6,
    }),
    async finish(_entries, finish) {
      written.push('value' in finish.outcome ? finish.outcome.value : finish.outcome.error.code);
      return 'finished';
    },
    async park(_entries, park) {
      written.push(`${park.status} ${park.reason?.code}`);
      return 'parked';
    },
  };
  const sent = rig.sent.length;
  let over = false;
  void execute({
    workflow: definition,
    input: null,
    lineage,
    entries,
    inbox: [],
    deadline: rig.clock.now() + 900_000,
    lasts: 900_000,
    clock: ports.clock,
    entropy: ports.entropy,
    observe: () => {},
    services: {},
    payloads: ports.payloads,
    slot: async () => () => {},
    deliverLate: () => {},
  }).then(() => {
    over = true;
  });
  await rig.settle(() => over);
  const reads = rig.sent.slice(sent).filter(({ op }) => !op.includes('safe '));
  expect(reads).toEqual([]);
  expect(written).toHaveLength(1);
  const allowed = [JSON.stringify(value), 'paused E_DIVERGED', 'E_STALLED'];
  expect(allowed).toContain(written[0]);
}
