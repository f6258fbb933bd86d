/**
 * Random programs, whose workers are killed, doubled and slow, and whose operators cancel, resume, settle and redrive at any
 * moment, sometimes dying half-way: what was effected is counted by the API, and what the code was told must be the truth.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CancelledError, HoldfastError } from '../../src/engine/errors.ts';
import { readHistory } from '../../src/engine/history.ts';
import type { Entry } from '../../src/engine/journal.ts';
import { cancelRun, deleteRun, redriveRun, resumeRun, type Settlement, settleCall } from '../../src/engine/operate.ts';
import type { Effect, Verdict } from '../../src/engine/operation.ts';
import type { RunRecord } from '../../src/engine/ports.ts';
import { readJournal } from '../../src/engine/read-journal.ts';
import { map, now, sleep } from '../../src/engine/verbs.ts';
import { seededEntropy } from '../../src/testing/index.ts';
import { again, done, failed, HOUR, MINUTE, NEVER, type Rig } from '../support/engine/rig.ts';
import { rigOf } from '../support/engine/scenario.ts';

const runs = {
  numRuns: Number(process.env.FUZZ_RUNS ?? 150),
  ...(process.env.FUZZ_SEED === undefined ? {} : { seed: Number(process.env.FUZZ_SEED) }),
};

type Step = {
  effect: Effect;
  ms: number;
  pause: number;
  /** Answers in order, then it succeeds. `lost`: applied, and no answer; `none`: not applied, and no answer. */
  answers: Array<'fail' | 'soon' | 'late' | 'lost' | 'none' | 'slow'>;
  onUnknown: 'ask' | 'pause' | 'throw';
  tolerant: boolean;
  bytes: number;
};
type Plan = { branches: Step[][]; mode: 'all' | 'settled' | 'map'; undo: Effect; deliveries: number | undefined; calm: boolean };

const step: fc.Arbitrary<Step> = fc.record({
  effect: fc.constantFrom<Effect>('safe', 'idempotent', 'keyed', 'unsafe', 'unsafe'),
  ms: fc.constantFrom(0, 5, 40, 4_000),
  pause: fc.constantFrom(0, 0, 0, 1_500, 10 * HOUR),
  answers: fc.array(fc.constantFrom('fail', 'soon', 'late', 'lost', 'none', 'slow'), { maxLength: 5 }),
  onUnknown: fc.constantFrom('ask', 'pause', 'pause', 'throw'),
  tolerant: fc.boolean(),
  bytes: fc.constantFrom(0, 0, 2_500),
});
const plan: fc.Arbitrary<Plan> = fc.record({
  branches: fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 }),
  mode: fc.constantFrom('all', 'settled', 'map'),
  undo: fc.constantFrom<Effect>('idempotent', 'keyed', 'unsafe'),
  deliveries: fc.constantFrom(undefined, undefined, 1, 2),
  /** No worker dies and every answer comes: nobody need ever be asked what became of anything. */
  calm: fc.boolean(),
});

type Told = 'done' | 'failed' | 'cancelled' | 'perhaps' | 'unknown';

function world({ branches, mode, undo, deliveries, calm }: Plan) {
  const api = {
    /** How often each took effect. */
    made: new Map<string, number>(),
    keys: new Set<string>(),
    asked: new Map<string, number>(),
    flying: new Map<string, number>(),
  };
  const slept: number[] = [];
  /** What mended code does no more. */
  const dropped = new Set<string>();
  const count = (of: Map<string, number>, label: string, by = 1) => void of.set(label, (of.get(label) ?? 0) + by);
  const unknown: Verdict = { type: 'unknown', error: { code: 'E_UNKNOWN_OUTCOME', name: 'UnknownOutcomeError', message: 'sent?' } };

  async function call(r: Rig, label: string, one: Step): Promise<unknown> {
    const value = `${label}${'x'.repeat(one.bytes)}`;
    const apply = (key: string) => {
      if (one.effect === 'safe') return;
      if (one.effect === 'keyed' && api.keys.has(key)) return;
      api.keys.add(key);
      count(api.made, label);
    };
    return r.call(label, one.effect, {
      ms: one.ms,
      answer: async (env) => {
        const nth = api.asked.get(label) ?? 0;
        count(api.asked, label);
        // What a key has done is answered so for ever.
        const what = one.effect === 'keyed' && api.keys.has(env.keyMaterial) ? undefined : one.answers[nth];
        const lost = one.effect === 'unsafe' ? unknown : again(r.clock.now() + 1_000);
        // The first request with this key is still being worked on.
        if (one.effect === 'keyed' && (api.flying.get(label) ?? 0) > 0) return again(r.clock.now() + MINUTE);
        switch (calm && (what === 'lost' || what === 'none' || what === 'slow') ? 'soon' : what) {
          case 'fail':
            return failed(`${label} failed`);
          case 'soon':
            return again(r.clock.now() + 1_500);
          case 'late':
            return again(r.clock.now() + 5 * HOUR, 'throttle');
          case 'none':
            return lost;
          case 'lost':
            apply(env.keyMaterial);
            return lost;
          case 'slow':
            // The process is frozen for longer than its lease, with the request on its way.
            count(api.flying, label);
            await r.delay(5 * MINUTE);
            count(api.flying, label, -1);
        }
        apply(env.keyMaterial);
        return done(value);
      },
      unknown: async (env) => {
        if (one.onUnknown === 'throw') return { type: 'fail', error: { code: 'E_UNKNOWN_OUTCOME', message: `${label} may have happened` } };
        if (one.onUnknown === 'pause') return { type: 'pause', error: { code: 'E_UNKNOWN_OUTCOME', message: `${label}?` } };
        if ((api.flying.get(label) ?? 0) > 0) return again(env.clock.now() + MINUTE, 'nothing');
        return api.made.has(label) ? done(value) : { type: 'resend' };
      },
    });
  }

  const rig: Rig = rigOf(
    async (r) => {
      const branch = async (steps: readonly Step[], i: number) => {
        try {
          for (const [j, one] of steps.entries()) {
            if (one.pause > 0) {
              await sleep(one.pause);
              if (one.pause > HOUR) slept.push(now());
            }
            if (dropped.has(`${i}.${j}`)) continue;
            try {
              await call(r, `${i}.${j}`, one);
            } catch (error) {
              if (!one.tolerant || error instanceof CancelledError) throw error;
            }
          }
        } catch (error) {
          if (error instanceof CancelledError)
            await call(r, `undo ${i}`, { effect: undo, ms: 5, pause: 0, answers: [], onUnknown: 'pause', tolerant: false, bytes: 0 });
          throw error;
        }
        return i;
      };
      if (mode === 'all') return Promise.all(branches.map(branch));
      if (mode === 'map') return map(branches, branch, { concurrency: 2 });
      const all = await Promise.allSettled(branches.map(branch));
      for (const one of all) if (one.status === 'rejected') throw one.reason;
      return 'settled';
    },
    deliveries === undefined ? {} : { maxDeliveries: deliveries },
  );

  const effectOf = (label: string): Effect => {
    const [, i, j] = /^(\d+)\.(\d+)$/.exec(label) ?? [];
    return i === undefined ? undo : (branches[Number(i)]?.[Number(j)]?.effect ?? 'safe');
  };
  return { rig, api, slept, dropped, effectOf };
}

/** One action of an operator through ports of his own process, which may die after so many calls. */
async function act(
  rig: Rig,
  calls: number,
  what: (ports: Parameters<typeof cancelRun>[0]) => Promise<unknown>,
): Promise<'ok' | 'refused' | 'died'> {
  let left = calls;
  let die = () => {};
  const died = new Promise<'died'>((over) => {
    die = () => over('died');
  });
  const mortal = <P extends object>(port: P): P =>
    new Proxy(port, {
      get(target, name, receiver) {
        const member = Reflect.get(target, name, receiver) as unknown;
        if (typeof member !== 'function') return member;
        return async (...args: unknown[]) => {
          if (left-- <= 0) {
            die();
            return NEVER;
          }
          return (await member.apply(target, args)) as unknown;
        };
      },
    });
  const { clock, entropy } = rig;
  const answered = what({ store: mortal(rig.store), payloads: mortal(rig.payloads), wake: mortal(rig.wake), clock, entropy }).then(
    () => 'ok' as const,
    (error: unknown) => {
      if (error instanceof HoldfastError && error.code === 'E_NOT_APPLICABLE') return 'refused' as const;
      throw error;
    },
  );
  return Promise.race([answered, died]);
}

async function live(given: Plan, seed: number, kills: number, eager: number) {
  const w = world(given);
  const { rig, api } = w;
  const chance = seededEntropy(seed);
  const dice = (below: number) => Math.floor(chance.random() * below);
  const id = rig.idOf('w');
  const there = (): RunRecord | undefined => {
    const found = rig.store.peek(id);
    return found && !('stub' in found) ? found : undefined;
  };
  const log: string[] = [];
  const cancels: Array<{ at: number; incarnation: number; killsLeft: number }> = [];
  const about = { by: 'ops' };
  let operating = 0;
  let budget = 6;

  /** An operator who tells the truth, and says nothing of what may still be on its way. */
  async function operate(run: RunRecord, tired = false): Promise<void> {
    operating += 1;
    try {
      const calls = !tired && dice(4) === 0 ? dice(4) : Number.POSITIVE_INFINITY;
      const kind =
        run.status === 'failed'
          ? 'redrive'
          : tired
            ? 'settle'
            : (['cancel', 'resume', 'settle', 'settle', 'redrive', 'delete'] as const)[dice(6)]!;
      let how = '';
      const result = await act(rig, calls, async (ports) => {
        switch (kind) {
          case 'cancel':
            return cancelRun(ports, run, about);
          case 'resume':
            return resumeRun(ports, run, about);
          case 'redrive': {
            const fails = (await journalOf(rig)).flatMap((entry, seq) => (entry.k === 'fail' ? [seq] : []));
            const from = dice(4) === 0 && fails.length > 0 ? fails[dice(fails.length)] : undefined;
            // Now and then he wants keys that were never used; where nothing has one, he is refused.
            const asNew = dice(3) === 0;
            how = `${from}${asNew ? ' as new' : ''}`;
            return redriveRun(ports, run, { asNew, ...(from === undefined ? {} : { from }) }, about).catch((error: HoldfastError) => {
              if (error.code !== 'E_REQUEST_INVALID') throw error;
            });
          }
          case 'delete':
            // Refused, unless the run has ended in this moment: then it is gone, and that is no test.
            return run.endedAt === undefined ? deleteRun(ports, run) : undefined;
          case 'settle': {
            const entries = await journalOf(rig);
            const over = new Set(
              entries.flatMap((entry) => (entry.k === 'done' || entry.k === 'fail' || entry.k === 'settled' ? [entry.op] : [])),
            );
            const open = entries.flatMap((entry, seq) =>
              entry.k === 'unknown' && !over.has(entry.op) && (api.flying.get(labelOf(entry.label)) ?? 0) === 0 ? [seq] : [],
            );
            const seq = open[dice(Math.max(1, open.length))];
            const entry = seq === undefined ? undefined : entries[seq];
            if (seq === undefined || entry?.k !== 'unknown') return undefined;
            const label = labelOf(entry.label);
            const truth: Settlement = api.made.has(label)
              ? { outcome: 'happened', value: { status: 200, data: label } }
              : { outcome: 'not-happened' };
            const settlement: Settlement = !tired && dice(5) === 0 ? { outcome: 'failed' } : truth;
            how = `${label} ${settlement.outcome}`;
            return settleCall(ports, run, seq, settlement, about);
          }
        }
      });
      log.push(`${kind} ${how} ${result} (${run.status})`);
      // With it new code may be deployed, in which what had failed is left out: it was issued after all that is kept.
      const alone = given.branches.length === 1;
      const entries = await journalOf(rig);
      const redriven = entries.at(-1);
      if (alone && kind === 'redrive' && rig.record('w').incarnation > run.incarnation && redriven?.k === 'redrive' && dice(3) === 0) {
        const { progress } = readHistory(entries, []);
        for (const op of redriven.again) {
          const { label, unknown } = progress.get(op) ?? {};
          if (label === undefined || unknown !== undefined) continue;
          w.dropped.add(labelOf(label));
          log.push(`without ${label}`);
        }
      }
    } finally {
      operating -= 1;
    }
  }

  let killed = false;
  let fuse = Number.POSITIVE_INFINITY;
  const spark = (): Promise<never> | undefined => {
    if (operating > 0) return undefined;
    fuse -= 1;
    if (fuse > 0 || killed) return killed ? NEVER : undefined;
    killed = true;
    log.push('kill');
    return NEVER;
  };
  rig.faults.before = async () => {
    if (operating > 0) return;
    const run = there();
    if (budget > 0 && run && run.endedAt === undefined && dice(eager) === 0) {
      budget -= 1;
      await operate(run);
    }
    return spark();
  };
  rig.faults.after = () => spark();
  rig.watch.send = () => void spark();

  let left = given.calm ? 0 : kills;
  let receiveCount = 0;
  let useless = 0;
  for (let round = 0; ; round++) {
    if (round === 400) throw new Error(`the run never ended:\n${log.slice(-40).join('\n')}`);
    const run = there();
    if (run?.deletedAt !== undefined) break;
    if (run && (run.endedAt !== undefined || run.status === 'paused')) {
      expect(run.reason?.code ?? '', `${JSON.stringify(run.reason)}\n${log.join('\n')}`).not.toMatch(/E_DIVERGED|E_INTERNAL/);
      if (run.status === 'succeeded' || run.status === 'cancelled') break;
      // Nobody moves it but people: in the end they want it to be over.
      if (useless++ > 40 && run.status === 'failed') break;
      rig.clock.advance(10 * MINUTE);
      const before = rig.store.writes();
      await operate(run, useless > 15);
      if (rig.store.writes() === before) continue;
    }
    receiveCount += 1;
    killed = false;
    rig.skew.ms = dice(3) === 0 ? dice(800) - 400 : 0;
    fuse = left > 0 && chance.random() < 0.6 ? 1 + dice(30) : Number.POSITIVE_INFINITY;
    const message = () => (there() && dice(2) === 0 ? rig.wakeMessage(id) : rig.message('w', null, 'k', receiveCount));
    const invocations = [rig.begin([message()]), ...(dice(6) === 0 ? [rig.begin([message()])] : [])];
    await rig.settle(() => killed || invocations.every(({ kept }) => kept !== undefined));
    if (killed) {
      left -= 1;
      rig.forget();
      killed = false;
      fuse = Number.POSITIVE_INFINITY;
      // What it had sent arrives.
      await rig.settle(() => false, rig.clock.now() + 6 * MINUTE);
      rig.clock.advance(6 * MINUTE);
      continue;
    }
    const found = there();
    if (!found) {
      expect(
        invocations.some(({ kept }) => kept?.length !== 0),
        'the message of a run that was never written is gone',
      ).toBe(true);
      continue;
    }
    if (found.endedAt !== undefined || found.status === 'paused') continue;
    expect(found.due, 'an unfinished run without a due time').toBeDefined();
    receiveCount = 0;
    rig.wake.take(Number.POSITIVE_INFINITY);
    const lease = found.lease?.until ?? 0;
    const next = found.status === 'running' ? lease + 1 : (found.wakeAt ?? found.due ?? 0);
    const news = () => found.status !== 'running' && there()?.inbox !== found.inboxSeen;
    // What is on its way in frozen processes comes meanwhile, and what is put into the inbox wakes it at once.
    await rig.settle(() => news() || rig.clock.now() >= next, next);
    if (!news() && next > rig.clock.now()) rig.clock.advance(next - rig.clock.now());
  }
  delete rig.faults.before;
  delete rig.faults.after;
  await rig.settle(() => false, rig.clock.now() + 10 * MINUTE);
  const entries = await journalOf(rig);
  const told = toldBy(entries);
  return { ...w, told, renewed: renewedIn(entries), record: there() as RunRecord, log, cancels };
}

async function journalOf(rig: Rig): Promise<Entry[]> {
  const found = rig.store.peek(rig.idOf('w'));
  return found && !('stub' in found) ? readJournal(found, rig.store) : [];
}

/** How often each keyed call has been given another key, by its label. */
function renewedIn(entries: readonly Entry[]): Map<string, number> {
  const redriven = entries.findLast((entry) => entry.k === 'redrive');
  const epochs = (redriven?.k === 'redrive' ? redriven.epochs : undefined) ?? {};
  const renewed = new Map<string, number>();
  for (const entry of entries)
    if (entry.k === 'start' && entry.key !== undefined) renewed.set(labelOf(entry.label), epochs[entry.key] ?? 0);
  return renewed;
}

/** How each call ended for the code, by its label. */
function toldBy(entries: readonly Entry[]): Map<string, Told> {
  const told = new Map<string, Told>();
  for (const entry of entries) {
    if (!('label' in entry) || entry.label.startsWith('sleep')) continue;
    if (entry.k === 'done') told.set(labelOf(entry.label), 'done');
    if (entry.k !== 'fail') continue;
    const { code, detail } = entry.error;
    const cancelled = detail?.mayHaveHappened === true ? 'perhaps' : 'cancelled';
    told.set(labelOf(entry.label), code === 'E_CANCELLED' ? cancelled : code === 'E_UNKNOWN_OUTCOME' ? 'unknown' : 'failed');
  }
  return told;
}

const labelOf = (label: string): string => label.replace(/^\w+ /, '');

test('whatever operators do while workers die, nothing is effected twice, and the code is told the truth', async () => {
  const ends = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(
      plan,
      fc.integer({ min: 1, max: 1e9 }),
      fc.nat({ max: 3 }),
      fc.constantFrom(8, 20, 60),
      async (given, seed, kills, eager) => {
        const { rig, api, told, renewed, slept, effectOf, record, log, cancels } = await live(given, seed, kills, eager);
        const story = () =>
          `${record.status} ${JSON.stringify(record.outcome ?? record.reason)?.slice(0, 300)}\n${log.join('\n')}\n${JSON.stringify([...told])}`;
        ends.set(record.status, (ends.get(record.status) ?? 0) + 1);
        for (const [label, times] of api.made) {
          // A redrive "as new" asks for it once more, and nothing else does.
          const asked = record.deletedAt === undefined ? 1 + (renewed.get(label) ?? 0) : Number.POSITIVE_INFINITY;
          if (effectOf(label) !== 'idempotent') expect(times, `${label} took effect ${times} times\n${story()}`).toBeLessThanOrEqual(asked);
          const keys = new Set(rig.sent.filter((one) => one.label === label).map(({ key }) => key));
          if (effectOf(label) === 'keyed') expect(keys.size, `${label} had ${keys.size} keys\n${story()}`).toBeLessThanOrEqual(asked);
        }
        if (record.status === 'paused') throw new Error(`stays paused\n${story()}\n${log.length}`);
        if (record.deletedAt === undefined && record.endedAt !== undefined) {
          for (const [label, what] of told) {
            if (effectOf(label) === 'safe') continue;
            const made = api.made.has(label);
            const once = effectOf(label) !== 'idempotent';
            if (what === 'done') expect(made, `${label} was told to be done\n${story()}`).toBe(true);
            if (what === 'cancelled') expect(made, `${label} was told to be cancelled\n${story()}`).toBe(false);
            if (what === 'failed' && once && !renewed.get(label)) expect(made, `${label} was told to have failed\n${story()}`).toBe(false);
          }
          const sent = rig.sent.length;
          await rig.invoke([rig.wakeMessage(rig.idOf('w')), rig.message('w')]);
          expect(rig.sent.length).toBe(sent);
        }
        // Who was told 202 is not kept waiting for a sleep of ten hours.
        for (const { at, incarnation } of cancels) {
          if (record.incarnation !== incarnation) continue;
          const after = slept.filter((time) => time > at + 2 * HOUR && time < at + 10 * HOUR);
          expect(after, `slept on after a cancellation at ${at}\n${story()}`).toEqual([]);
        }
        expect(
          rig.events.filter(({ type }) => type === 'engine.error'),
          story(),
        ).toEqual([]);
        if (given.calm) {
          expect(
            rig.events.filter(({ type }) => type === 'run.paused'),
            story(),
          ).toEqual([]);
          expect(
            [...told].filter(([, what]) => what === 'unknown'),
            story(),
          ).toEqual([]);
        }
      },
    ),
    runs,
  );
  if (process.env.FUZZ_TELL) console.log(Object.fromEntries(ends));
});
