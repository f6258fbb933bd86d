import { describe, expect, test } from 'vitest';
import type { Entry } from '../../src/engine/journal.ts';
import { LostLineage } from '../../src/engine/lineage.ts';
import { durableRig, ID, newRun, noise, result, succeeded, waiting } from '../support/engine/durable.ts';

const START: Entry = { k: 'start', op: 'post', at: 1, label: 'post', effect: 'unsafe', n: 1 };

describe('the first write', () => {
  test('creates the run with what was read, START, the lease and a due time', async () => {
    const rig = durableRig();
    const lineage = rig.open(newRun(), false);
    expect(lineage.leasedUntil).toBe(0);
    await lineage.flush([result('a', 'x'), START]);
    expect(rig.ops()).toEqual(['create']);
    expect(rig.record()).toMatchObject({
      status: 'running',
      journalLength: 2,
      lease: { owner: 'one', until: rig.clock.now() + 185_000 },
      due: rig.clock.now() + 245_000,
    });
    expect(lineage).toMatchObject({ durable: 2, exists: true, leasedUntil: rig.clock.now() + 185_000 });
  });

  test('loses against a run that is there meanwhile, and leaves it as it is', async () => {
    const rig = durableRig();
    const slow = rig.open(newRun(), false);
    await rig.open(newRun({ nonce: 'other' }), false, [], 'two').flush([result('a', 'two')]);
    const before = rig.record();
    await expect(slow.flush([result('a', 'one')])).rejects.toThrow(LostLineage);
    await expect(slow.finish([], succeeded(1))).rejects.toThrow(LostLineage);
    await expect(slow.park([], waiting(5))).rejects.toThrow(LostLineage);
    expect(rig.record()).toEqual(before);
  });

  test('takes a stub along, and does not take what is in it for read', async () => {
    const rig = durableRig();
    const lineage = rig.open(newRun(), false);
    await rig.signal();
    await lineage.flush([START]);
    expect(rig.record().inbox).toBe(1);
    expect(await lineage.park([], waiting(5))).toBe('inbox');
    expect(await lineage.finish([], succeeded(1))).toBe('inbox');
    expect(rig.record().status).toBe('running');
  });
});

describe('one lineage: after another worker has written,', () => {
  const moves = {
    claim: (l) => l.claim(false),
    'a claim for a crash': (l) => l.claim(true),
    flush: (l) => l.flush([result('b', 'mine')]),
    'an empty flush': (l) => l.flush([]),
    park: (l) => l.park([result('b', 'mine')], waiting(5)),
    'an empty park': (l) => l.park([], waiting(5)),
    finish: (l) => l.finish([result('b', 'mine')], succeeded(1)),
    spill: (l) => l.flush([result('b', noise(9_000))]),
    'a finish that spills': (l) =>
      l.finish([result('b', noise(20_000)), ...Array.from({ length: 10 }, (_, i) => result(`c${i}`, noise(31_000, `${i}`)))], succeeded(1)),
  } satisfies Record<string, (lineage: ReturnType<ReturnType<typeof durableRig>['open']>) => Promise<unknown>>;

  for (const [name, move] of Object.entries(moves)) {
    test(`${name} loses and changes nothing`, async () => {
      const rig = durableRig();
      await rig.open(newRun(), false).flush([result('a', 'x')]);
      const [mine, other] = [rig.reopen('one'), rig.reopen('two')];
      await other.flush([result('b', 'other')]);
      const before = rig.record();
      await expect(move(mine)).rejects.toThrow(LostLineage);
      expect(rig.record()).toEqual(before);
      expect(rig.store.peekSegments(ID)).toEqual([]);
    });

    test(`${name} loses in a spilled run too, and its journal stays one`, async () => {
      const rig = durableRig();
      await rig.open(newRun(), false).flush([result('a', noise(9_000))]);
      const [mine, other] = [rig.reopen('one'), rig.reopen('two')];
      await other.flush([result('b', 'other')]);
      const before = rig.record();
      await expect(move(mine)).rejects.toThrow(LostLineage);
      expect(rig.record()).toEqual(before);
      expect(rig.journal().map((entry) => ('op' in entry ? entry.op : entry.k))).toEqual(['a', 'b']);
    });
  }

  test('who has the run no more also learns it from a segment at its place', async () => {
    const rig = durableRig();
    const mine = rig.open(newRun(), false);
    await mine.flush([result('a', noise(9_000))]);
    // The other worker took over by RUN; this one, its clock behind, still writes a segment.
    const other = rig.reopen('two');
    await other.claim(false);
    await mine.flush([result('b', 'mine')]);
    await expect(other.flush([result('b', 'other')])).rejects.toThrow(LostLineage);
    await expect(mine.park([], waiting(5))).rejects.toThrow(LostLineage);
    expect(rig.record().due).toBeDefined();
    expect(rig.journal().map((entry) => ('op' in entry ? entry.op : entry.k))).toEqual(['a', 'b', 'park']);
  });
});

describe('a lost answer', () => {
  for (const op of ['create', 'replace', 'append'] as const) {
    test(`of ${op} is found to have been a success, with the same bytes and nonce`, async () => {
      const rig = durableRig();
      let lost = 0;
      rig.faults.after = (name) => {
        if (name !== op || lost >= 2) return;
        lost += 1;
        throw new Error('no answer');
      };
      const lineage = rig.open(newRun(), false);
      const work = (async () => {
        await lineage.flush([result('a', 'x')]);
        await lineage.flush([START]);
        await lineage.flush([result('b', noise(9_000))]);
        await lineage.flush([result('c', 'y')]);
        return lineage.finish([result('d', 'z')], succeeded('end'));
      })();
      await pumpUntil(rig, work);
      expect(await work).toBe('finished');
      expect(lost).toBe(2);
      expect(rig.record()).toMatchObject({ status: 'succeeded', outcome: { value: { text: '"end"' } } });
      expect(rig.journal().map((entry) => ('op' in entry ? entry.op : entry.k))).toEqual(['a', 'post', 'b', 'c', 'd', 'end']);
      expect(rig.store.counts[op]).toBeGreaterThanOrEqual(3);
    });
  }

  test('after a condition that failed because the first try had succeeded is told by the nonce', async () => {
    const rig = durableRig();
    const real = rig.store.replace.bind(rig.store);
    const lineage = rig.open(newRun(), false);
    await lineage.flush([]);
    // A store that does not compare for itself.
    const { openLineage } = await import('../../src/engine/lineage.ts');
    const mine = openLineage({
      record: rig.record(),
      exists: true,
      entries: [],
      ports: {
        store: {
          ...rig.store,
          async replace(record, expected, options) {
            await real(record, expected, options);
            return { ok: false, found: rig.record() };
          },
        },
        payloads: rig.payloads,
        clock: rig.clock,
        entropy: { id: () => 'mine', random: () => 0.5 },
        observe: () => {},
      },
      owner: 'one',
      leaseUntil: 1,
    });
    expect(await mine.park([], waiting(5))).toBe('parked');
  });

  test('that never comes ends in an error, after four tries', async () => {
    const rig = durableRig();
    rig.faults.before = (op) => {
      if (op === 'create') throw new Error('down');
    };
    const work = rig.open(newRun(), false).flush([START]);
    work.catch(() => {});
    await pumpUntil(rig, work);
    await expect(work).rejects.toThrow('down');
    expect(rig.events.filter((event) => event.type === 'engine.error')).toHaveLength(3);
    expect(rig.store.peek(ID)).toBeUndefined();
  });
});

describe('the inbox counter, as it was before the inbox was read,', () => {
  for (const exists of [false, true])
    for (const spilled of [false, true]) {
      if (spilled && !exists) continue;
      const setUp = async () => {
        const rig = durableRig();
        if (!exists) return { rig, lineage: rig.open(newRun(), false) };
        const lineage = rig.open(newRun(), false);
        await lineage.flush([spilled ? result('a', noise(9_000)) : START]);
        return { rig, lineage };
      };
      const name = exists ? (spilled ? 'a spilled run' : 'a run') : 'a run that nothing is written of';

      test(`is a condition of parking ${name}, and what was received is kept all the same`, async () => {
        const { rig, lineage } = await setUp();
        await rig.signal();
        expect(await lineage.park([result('b', 'received')], waiting(5))).toBe('inbox');
        expect(rig.record()).toMatchObject({ status: 'running', inbox: 1 });
        expect(rig.journal().some((entry) => 'op' in entry && entry.op === 'b')).toBe(true);
        // Read again, it parks.
        const after = rig.reopen('one');
        expect(await after.park([], waiting(5))).toBe('parked');
        expect(rig.record()).toMatchObject({ status: 'waiting', inboxSeen: 1 });
      });

      if (!spilled)
        test(`is a condition of finishing ${name}, and what was received is kept all the same`, async () => {
          const { rig, lineage } = await setUp();
          await rig.signal();
          expect(await lineage.finish([result('b', 'received')], succeeded(1))).toBe('inbox');
          expect(rig.record().status).toBe('running');
          expect(rig.journal().some((entry) => 'op' in entry && entry.op === 'b')).toBe(true);
        });
    }

  test('is no condition of a claim or a flush, which keep it', async () => {
    const rig = durableRig();
    const lineage = rig.open(newRun(), false);
    await lineage.flush([START]);
    await rig.signal();
    await lineage.flush([result('b', 'x')]);
    await lineage.claim(false);
    expect(rig.record().inbox).toBe(1);
    expect(await lineage.park([], waiting(5))).toBe('inbox');
  });
});

describe('crashes in a row', () => {
  test('are counted by a claim for a crash, kept by another claim, and cleared by progress', async () => {
    const rig = durableRig();
    const lineage = rig.open(newRun(), false);
    await lineage.claim(true);
    await lineage.claim(true);
    await lineage.claim(false);
    expect(rig.record().crashes).toBe(2);
    await lineage.flush([START]);
    expect(rig.record().crashes).toBe(0);
    await lineage.claim(true);
    await lineage.park([], waiting(5));
    expect(rig.record().crashes).toBe(0);
    await rig.reopen().claim(true);
    await rig.reopen().finish([], succeeded(1));
    expect(rig.record().crashes).toBe(0);
  });
});

/** Lets virtual time pass while a write waits to be tried again. */
async function pumpUntil(rig: ReturnType<typeof durableRig>, work: Promise<unknown>): Promise<void> {
  let over = false;
  const end = () => {
    over = true;
  };
  work.then(end, end);
  while (!over) {
    for (let i = 0; i < 10; i++) await new Promise((next) => setImmediate(next));
    rig.clock.runNext();
  }
}
