import { describe, expect, test } from 'vitest';
import { runItem } from '../../src/aws/run-item.ts';
import type { Entry } from '../../src/engine/journal.ts';
import { LostLineage } from '../../src/engine/lineage.ts';
import type { RunRecord } from '../../src/engine/ports.ts';
import { durableRig, ID, newRun, noise, result, succeeded, waiting } from '../support/engine/durable.ts';

const START: Entry = { k: 'start', op: 'post', at: 1, label: 'post', effect: 'unsafe', n: 1 };

/** As DynamoDB counts: names and values in UTF-8. */
function itemBytes(record: RunRecord): number {
  let bytes = 0;
  for (const [name, value] of Object.entries(runItem(record, 30))) {
    const [[type, content]] = Object.entries(value) as [[string, unknown]];
    bytes += name.length + (type === 'B' ? (content as Uint8Array).length : Buffer.byteLength(String(content)));
  }
  return bytes;
}

describe('an item that is updated again', () => {
  const sizes = [0, 500, 1_500, 2_000, 2_048, 2_049, 3_000, 4_000, 10_000, 100_000];
  for (const input of sizes)
    for (const read of [0, 1_000, 2_500, 5_000])
      test(`stays within 4 KB: ${input} bytes of input, ${read} of journal`, async () => {
        const rig = durableRig();
        const text = JSON.stringify(noise(input));
        const lineage = rig.open(newRun({ input: { text } }), false);
        await lineage.flush([result('a', noise(read))]);
        expect(itemBytes(rig.record())).toBeLessThanOrEqual(4_096);
        await lineage.flush([result('b', noise(read, 'b')), START]);
        expect(itemBytes(rig.record())).toBeLessThanOrEqual(4_096);
        expect(await lineage.park([result('c', noise(read, 'c'))], waiting(5))).toBe('parked');
        expect(itemBytes(rig.record())).toBeLessThanOrEqual(4_096);
        expect(rig.journal().filter((entry) => entry.k === 'done')).toHaveLength(3);
        if (input > 2_048) expect(rig.record().input).toMatchObject({ bytes: text.length });
      });

  test('counts bytes, not characters', async () => {
    const rig = durableRig();
    const text = JSON.stringify('語'.repeat(1_300));
    await rig.open(newRun({ input: { text } }), false).flush([START]);
    expect(itemBytes(rig.record())).toBeLessThanOrEqual(4_096);
    expect(rig.record().spilled).toBe(false);
    expect(rig.record().input).toMatchObject({ bytes: Buffer.byteLength(text) });
  });

  test('has its input in the store before the item says so', async () => {
    const rig = durableRig();
    rig.faults.before = (op) => {
      if (op === 'create') expect(rig.payloads.keys()).toHaveLength(1);
    };
    await rig.open(newRun({ input: { text: JSON.stringify(noise(5_000)) } }), false).flush([START]);
  });
});

describe('a journal that does not fit', () => {
  test('spills: RUN first, marked, then the segment; from then on a flush is a segment and nothing else', async () => {
    const rig = durableRig();
    const lineage = rig.open(newRun(), false);
    await lineage.flush([result('a', 'x')]);
    await lineage.flush([result('b', noise(9_000))]);
    await lineage.flush([result('c', 'y')]);
    await lineage.flush([result('d', 'z')]);
    expect(rig.ops()).toEqual(['create', 'replace', 'append', 'append', 'append']);
    expect(rig.record()).toMatchObject({ spilled: true, journalLength: 1 });
    expect(rig.store.peekSegments(ID).map(({ first, count }) => [first, count])).toEqual([
      [1, 1],
      [2, 1],
      [3, 1],
    ]);
    expect(lineage.durable).toBe(4);
    expect(rig.journal().map((entry) => ('op' in entry ? entry.op : ''))).toEqual(['a', 'b', 'c', 'd']);
  });

  test('spills at the very first write: RUN exists before any segment', async () => {
    const rig = durableRig();
    await rig.open(newRun(), false).flush([result('b', noise(9_000))]);
    expect(rig.ops()).toEqual(['create', 'append']);
    expect(rig.record()).toMatchObject({ spilled: true, journalLength: 0 });
  });

  test('whoever takes a spilled run over claims RUN before it puts a segment', async () => {
    const rig = durableRig();
    await rig.open(newRun(), false).flush([result('a', noise(9_000))]);
    rig.writes.length = 0;
    await rig.reopen().flush([START]);
    expect(rig.ops()).toEqual(['replace', 'append']);
    expect(rig.record().lease?.owner).toBe('two');
  });

  test('parks by an entry and then by RUN, and the second time by RUN alone', async () => {
    const rig = durableRig();
    const lineage = rig.open(newRun(), false);
    await lineage.flush([result('a', noise(9_000))]);
    rig.writes.length = 0;
    await lineage.park([], waiting(5));
    expect(rig.ops()).toEqual(['append', 'replace']);
    rig.writes.length = 0;
    await rig.reopen().park([], waiting(6));
    expect(rig.ops()).toEqual(['replace']);
    expect(rig.record()).toMatchObject({ status: 'waiting', wakeAt: 6, due: 60_006 });
    expect(rig.record().lease).toBeUndefined();
    expect(rig.journal().map((entry) => entry.k)).toEqual(['done', 'park']);
  });

  test('parks again with what is new before it', async () => {
    const rig = durableRig();
    const lineage = rig.open(newRun(), false);
    await lineage.flush([result('a', noise(9_000))]);
    await lineage.park([], waiting(5));
    await rig.reopen().park([result('b', 'x')], waiting(6));
    expect(rig.journal().map((entry) => entry.k)).toEqual(['done', 'park', 'done', 'park']);
  });

  test('ends by an entry, and a worker that finds only that entry writes the same end', async () => {
    const rig = durableRig();
    const lineage = rig.open(newRun(), false);
    await lineage.flush([result('a', noise(9_000))]);
    rig.faults.before = (op) => {
      if (op === 'replace') throw new Error('killed');
    };
    const dying = lineage.finish([], succeeded('the end'));
    dying.catch(() => {});
    await pumpUntil(rig, dying);
    await expect(dying).rejects.toThrow('killed');
    delete rig.faults.before;
    expect(rig.record().status).toBe('running');
    rig.writes.length = 0;
    const next = rig.reopen();
    expect(await next.finish([], succeeded('the end'))).toBe('finished');
    expect(rig.ops()).toEqual(['replace']);
    expect(rig.record()).toMatchObject({ status: 'succeeded', outcome: { value: { text: '"the end"' } } });
  });

  test('an end in the journal wins over what came into the inbox after it', async () => {
    const rig = durableRig();
    const lineage = rig.open(newRun(), false);
    await lineage.flush([result('a', noise(9_000))]);
    await rig.signal();
    expect(await lineage.finish([], succeeded(1))).toBe('finished');
    expect(rig.record()).toMatchObject({ status: 'succeeded', inbox: 1 });
  });

  test('a segment holds about 200 KB, and all of them are one dense journal', async () => {
    const rig = durableRig();
    const lineage = rig.open(newRun(), false);
    const entries = Array.from({ length: 60 }, (_, i) => result(`op ${i}`, noise(9_900, `${i}`)));
    await lineage.flush(entries);
    const segments = rig.store.peekSegments(ID);
    expect(segments.length).toBeGreaterThan(2);
    let next = 0;
    for (const segment of segments) {
      expect(segment.first).toBe(next);
      expect(segment.data.length).toBeLessThan(210_000);
      next += segment.count;
    }
    expect(rig.journal()).toEqual(entries);
  });

  test('entries with long labels split too', async () => {
    const rig = durableRig();
    const entries = Array.from({ length: 100 }, (_, i): Entry => ({ ...START, label: noise(20_000, `${i}`) }));
    await rig.open(newRun(), false).flush(entries);
    for (const segment of rig.store.peekSegments(ID)) expect(segment.data.length).toBeLessThan(300_000);
    expect(rig.journal()).toHaveLength(100);
  });

  test('an entry of any size is a segment of its own', async () => {
    const rig = durableRig();
    await rig.open(newRun(), false).flush([result('a', noise(9_000)), result('b', 'y'.repeat(3_000_000)), result('c', 'z')]);
    expect(rig.store.peekSegments(ID).map(({ count }) => count)).toEqual([1, 1, 1]);
  });
});

describe('the last write', () => {
  test('of a run that nothing was written of holds up to 200 KB, and is one', async () => {
    const rig = durableRig();
    const entries = Array.from({ length: 18 }, (_, i) => result(`op ${i}`, noise(10_000, `${i}`)));
    expect(await rig.open(newRun({ input: { text: JSON.stringify(noise(3_000)) } }), false).finish(entries, succeeded('x'))).toBe(
      'finished',
    );
    expect(rig.ops()).toEqual(['create']);
    expect(rig.record()).toMatchObject({ spilled: false, journalLength: 18 });
    expect(itemBytes(rig.record())).toBeLessThan(210_000);
    expect(rig.journal()).toEqual(entries);
  });

  test('above that goes to segments, with the end as an entry', async () => {
    const rig = durableRig();
    const entries = Array.from({ length: 30 }, (_, i) => result(`op ${i}`, noise(10_000, `${i}`)));
    expect(await rig.open(newRun({ input: { text: JSON.stringify(noise(3_000)) } }), false).finish(entries, succeeded('x'))).toBe(
      'finished',
    );
    expect(rig.ops()).toEqual(['create', 'append', 'append', 'replace']);
    expect(itemBytes(rig.record())).toBeLessThan(4_096);
    expect(rig.journal().slice(0, 30)).toEqual(entries);
    expect(rig.journal().at(-1)).toMatchObject({ k: 'end', status: 'succeeded' });
  });

  test.each([10_000, 60_000, 90_000, 101_000, 500_000, 5_000_000])(
    'with a result of %i bytes that compresses well fits a table',
    async (bytes) => {
      const rig = durableRig();
      await rig.open(newRun(), false).finish([result('a', noise(9_000))], succeeded('x'.repeat(bytes)));
      expect(itemBytes(rig.record())).toBeLessThan(210_000);
      expect(rig.record().status).toBe('succeeded');
    },
  );

  test('with a large journal and a large result is two', async () => {
    const rig = durableRig();
    const entries = Array.from({ length: 18 }, (_, i) => result(`op ${i}`, noise(10_000, `${i}`)));
    await rig.open(newRun(), false).finish(entries, succeeded('x'.repeat(95_000)));
    expect(rig.record().spilled).toBe(true);
    expect(itemBytes(rig.record())).toBeLessThan(210_000);
  });

  test('is written once: a finished run changes no more', async () => {
    const rig = durableRig();
    const lineage = rig.open(newRun(), false);
    await lineage.flush([START]);
    const late = rig.reopen();
    await lineage.finish([], succeeded(1));
    const before = rig.record();
    await expect(late.finish([], succeeded(2))).rejects.toThrow(LostLineage);
    await expect(late.park([], waiting(5))).rejects.toThrow(LostLineage);
    await rig.signal();
    expect(rig.record()).toEqual({ ...before, inbox: 1 });
    expect(before.due).toBeUndefined();
    expect(before.lease).toBeUndefined();
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
