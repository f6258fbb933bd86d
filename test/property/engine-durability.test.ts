/** What must be durable before what, over random programs, slow and failing stores, killed workers and signals at any moment. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Scope } from '../../src/engine/context.ts';
import { identify, mapScopes } from '../../src/engine/identity.ts';
import { decodeEntries, type Entry } from '../../src/engine/journal.ts';
import type { Admitted, Effect, Operation } from '../../src/engine/operation.ts';
import { sleep } from '../../src/engine/verbs.ts';
import { workflow } from '../../src/engine/workflow.ts';
import { runThroughChaos } from '../support/engine/chaos.ts';
import { noise } from '../support/engine/durable.ts';
import { again, createRig, done, type Rig } from '../support/engine/rig.ts';

const runs = { numRuns: Number(process.env.FUZZ_RUNS ?? 60) };

/** How a sending is held up before it goes: at once, by what is asked before it, or at the very last moment. */
type Held = { how: 'not' | 'asking' | 'before' | 'at last'; ms: number };
type Step = { effect: Effect; ms: number; pause: number; bytes: number; held: Held };
const step = fc.record({
  effect: fc.constantFrom<Effect>('safe', 'safe', 'idempotent', 'keyed', 'unsafe'),
  ms: fc.integer({ min: 0, max: 40 }),
  pause: fc.constantFrom(0, 0, 0, 5, 3_600_000),
  bytes: fc.constantFrom(10, 10, 10, 3_000, 40_000),
  held: fc.record({ how: fc.constantFrom('not', 'not', 'asking', 'before', 'at last'), ms: fc.constantFrom(0, 20, 700, 3_600_000) }),
});
const branches = fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 });

/** Runs branches side by side, notes what each operation may count on, and checks it at every sending. */
function watched(program: Step[][]) {
  let rig: Rig;
  let observed: string[] = [];
  const mayCountOn = new Map<string, string[]>();
  const made = new Map<string, number>();
  const heldUp = new Set<string>();
  let serial = 0;
  const definition = workflow({
    name: 'w',
    async run() {
      observed = [];
      mayCountOn.clear();
      const results = await Promise.all(
        program.map(async (steps, i) => {
          for (const [j, one] of steps.entries()) {
            if (one.pause > 0) await sleep(one.pause);
            const label = `${i}.${j}`;
            mayCountOn.set(label, [...observed]);
            const answer = rig.call(label, one.effect, {
              ms: one.ms,
              ...(one.held.how === 'not' ? {} : { admit: admit(label, one.held) }),
              answer: ({ clock }) => {
                if (one.held.how === 'at last' && !heldUp.has(label)) {
                  heldUp.add(label);
                  return { ...again(clock.now() + one.held.ms, 'nothing'), why: 'gate', place: label };
                }
                if (one.effect === 'unsafe') made.set(label, (made.get(label) ?? 0) + 1);
                return done(`${label}=${serial++} ${noise(one.bytes, label)}`);
              },
              unknown: async () => ({ type: 'done', value: JSON.stringify(`${label} happened`) }),
            });
            observed.push((await answer) as string);
          }
        }),
      );
      return results.length;
    },
  });
  const admit =
    (label: string, { how, ms }: Held): NonNullable<Operation['admit']> =>
    ({ clock, place }) => {
      const go: Admitted = { type: 'go', drop() {} };
      if (how === 'asking') return new Promise((answer) => clock.timer(Math.min(ms, 2_000), () => answer(go)));
      if (how !== 'before' || heldUp.has(label)) return go;
      if (place !== undefined && place !== label) throw new Error(`${label} was given the place of ${JSON.stringify(place)}`);
      heldUp.add(label);
      return { type: 'later', at: clock.now() + ms, why: 'rate', place: label };
    };
  rig = createRig({ workflows: [definition] });
  const check = (label: string, op: string, effect: Effect) => {
    if (effect === 'safe') return;
    const journal = rig.journal('w');
    const durable = new Set(
      journal.flatMap((entry) => (entry.k === 'done' && entry.value && 'text' in entry.value ? [entry.value.text] : [])),
    );
    for (const value of mayCountOn.get(label) ?? []) {
      if (!durable.has(JSON.stringify(value))) throw new Error(`${label} was sent before what its run had observed was durable`);
    }
    if (!journal.some((entry) => entry.k === 'start' && entry.op === op)) throw new Error(`${label} was sent before its START was durable`);
    const { lease } = rig.record('w');
    if (!lease || lease.until <= rig.clock.now()) throw new Error(`${label} was sent without a lease`);
  };
  return { rig, check, made };
}

test('no effect is sent before its START and everything its run had observed are durable, under a lease', async () => {
  await fc.assert(
    fc.asyncProperty(
      branches,
      fc.integer({ min: 1, max: 1e9 }),
      fc.nat({ max: 3 }),
      fc.nat({ max: 60 }),
      async (program, seed, kills, slow) => {
        const { rig, check, made } = watched(program.map((steps) => steps.map((one) => ({ ...one, bytes: Math.min(one.bytes, 3_000) }))));
        const faults: unknown[] = [];
        const chaos = runThroughChaos(rig, 'w', { seed, kills });
        const { before } = rig.faults;
        rig.faults.before = async (op, id) => {
          if (slow > 0 && ['create', 'replace', 'append'].includes(op)) await rig.delay(slow);
          return before?.(op, id);
        };
        const { send } = rig.watch;
        rig.watch.send = (one, operation) => {
          try {
            check(one.label, one.op, operation.effect);
          } catch (error) {
            faults.push(error);
          }
          send?.(one, operation);
        };
        const record = await chaos;
        expect(faults).toEqual([]);
        expect(record.status, JSON.stringify(record.outcome ?? record.reason)).toBe('succeeded');
        for (const [label, times] of made) expect(times, label).toBe(1);
      },
    ),
    runs,
  );
});

test('what a signal’s sender was told is there has been looked at before the run is put down or ends', async () => {
  await fc.assert(
    fc.asyncProperty(
      branches,
      fc.array(fc.nat({ max: 40 }), { minLength: 1, maxLength: 6 }),
      fc.boolean(),
      async (program, moments, large) => {
        let rig: Rig;
        const definition = workflow({
          name: 'w',
          async run() {
            await Promise.all(
              program.map(async (steps, i) => {
                for (const [j, one] of steps.entries()) {
                  if (one.pause > 0) await sleep(one.pause);
                  await rig.call(`${i}.${j}`, one.effect, { ms: one.ms, answer: () => done(noise(large ? 3_000 : 10, `${i}${j}`)) });
                }
              }),
            );
          },
        });
        rig = createRig({ workflows: [definition] });
        const id = rig.idOf('w');
        let calls = 0;
        let told = 0;
        /** How many signals had been read when the inbox was last read. */
        let looked = 0;
        const fates: string[] = [];
        let ended = false;
        rig.faults.before = async (op) => {
          if (op === 'deliver' || op === 'counter') return;
          calls += 1;
          if (moments.includes(calls)) {
            await rig.store.deliver(id, { key: `s${calls}`, at: rig.clock.now(), kind: 'signal', data: null }, rig.clock.now());
            if (!ended) told += 1;
          }
          if (op === 'inbox') looked = told;
        };
        rig.faults.after = (op) => {
          if (!['create', 'replace', 'append'].includes(op)) return;
          const run = rig.store.peek(id);
          if (!run || 'stub' in run) return;
          const over = run.endedAt !== undefined || rig.journal('w').at(-1)?.k === 'end';
          if (over && !ended) {
            ended = true;
            // A journaled end wins over what comes after it; until then everything must have been seen.
            if (op !== 'append' && looked < told) fates.push(`ended having seen ${looked} of ${told}`);
          }
          if (!over && run.status === 'waiting' && run.inboxSeen === run.inbox && looked < told)
            fates.push(`put down having seen ${looked} of ${told}`);
        };
        await rig.runToEnd('w');
        expect(fates).toEqual([]);
        expect(rig.record('w').status).toBe('succeeded');
      },
    ),
    runs,
  );
});

test('every write leaves an unfinished run with a due time, and a dense journal that only grows', async () => {
  await fc.assert(
    fc.asyncProperty(branches, fc.integer({ min: 1, max: 1e9 }), fc.nat({ max: 4 }), async (program, seed, kills) => {
      const { rig } = watched(program);
      let last: Entry[] = [];
      let final: string | undefined;
      const faults: string[] = [];
      const chaos = runThroughChaos(rig, 'w', { seed, kills });
      const { after } = rig.faults;
      rig.faults.after = (op, id) => {
        const run = rig.store.peek(rig.idOf('w'));
        if (run && !('stub' in run)) {
          if (run.endedAt === undefined && run.due === undefined) faults.push(`${op}: unfinished and without a due time`);
          if (run.endedAt !== undefined && run.due !== undefined) faults.push(`${op}: finished and still due`);
          if (final !== undefined && JSON.stringify(run.outcome) !== final) faults.push(`${op}: the end was written twice`);
          if (run.endedAt !== undefined) final = JSON.stringify(run.outcome);
          const segments = rig.store.peekSegments(run.id).sort((a, b) => a.first - b.first);
          let next = run.journalLength;
          for (const { first, count, data } of segments) {
            if (first !== next) faults.push(`${op}: a gap at ${next}`);
            if (decodeEntries(data).length !== count) faults.push(`${op}: a segment that says ${count}`);
            next += count;
          }
          if (segments.length > 0 && !run.spilled) faults.push(`${op}: segments of a run that is not spilled`);
          const now = rig.journal('w');
          if (JSON.stringify(now.slice(0, last.length)) !== JSON.stringify(last)) faults.push(`${op}: the journal was rewritten`);
          last = now;
        }
        return after?.(op, id);
      };
      await chaos;
      expect(faults).toEqual([]);
    }),
    runs,
  );
});

test('a run that two workers are at, whose clocks differ, ends once, and its unsafe effects were sent once', async () => {
  await fc.assert(
    fc.asyncProperty(branches, fc.array(fc.nat({ max: 25 }), { minLength: 1, maxLength: 4 }), async (program, moments) => {
      const { rig, made } = watched(program);
      let calls = 0;
      const intruders: Promise<unknown>[] = [];
      let stop = false;
      rig.faults.before = async (op) => {
        if (stop || op === 'load') return;
        calls += 1;
        if (!moments.includes(calls)) return;
        // A second worker, whose clock says that the lease is over: it takes the run over while this one is at it.
        const { ms } = rig.skew;
        rig.skew.ms = 10 * 60_000;
        intruders.push(rig.invoke([rig.message('w')]));
        await new Promise((next) => setImmediate(next));
        await new Promise((next) => setImmediate(next));
        rig.skew.ms = ms;
      };
      const first = rig.invoke([rig.message('w')]);
      await first;
      await Promise.all(intruders);
      stop = true;
      rig.clock.advance(30 * 60_000);
      const record = await rig.wakeToEnd('w');
      expect(record.status, JSON.stringify(record.outcome ?? record.reason)).toBe('succeeded');
      for (const [label, times] of made) expect(times, label).toBe(1);
    }),
    runs,
  );
});

test('no two operations of a run share an id or a key, whatever they are called and however maps are nested', () => {
  const name = fc.oneof(
    fc.constantFrom('a', 'a #1', 'a #1 #2', '/0[0] a', 'b', ''),
    fc.string({ maxLength: 200 }),
    fc.stringMatching(/^a( #\d){0,3}$/),
  );
  const place = fc.array(fc.nat({ max: 2 }), { maxLength: 3 });
  fc.assert(
    fc.property(fc.array(fc.record({ name, place, again: fc.nat({ max: 3 }) }), { maxLength: 40 }), (issued) => {
      const root: Scope = { path: '', ordinals: new Map() };
      const scopes = new Map<string, Scope>();
      const scopeAt = (path: readonly number[]): Scope => {
        const key = path.join('/');
        const known = scopes.get(key);
        if (known) return known;
        const scope = path.length === 0 ? root : mapScopes(scopeAt(path.slice(0, -1)))(path.at(-1) as number);
        scopes.set(key, scope);
        return scope;
      };
      const ids = new Set<string>();
      const keys = new Set<string>();
      let count = 0;
      for (const { name: label, place: path, again } of issued) {
        for (let i = 0; i <= again; i++) {
          const operation = { kind: 'step', identity: `step ${label}`, label } as unknown as Operation;
          const { id, keyMaterial } = identify(operation, scopeAt(path), 'run');
          ids.add(id);
          keys.add(keyMaterial);
          count += 1;
        }
      }
      expect([ids.size, keys.size]).toEqual([count, count]);
    }),
    { numRuns: 500 },
  );
});
