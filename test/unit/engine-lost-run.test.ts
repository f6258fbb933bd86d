import { describe, expect, test } from 'vitest';
import { decodeEntries } from '../../src/engine/journal.ts';
import { openLineage } from '../../src/engine/lineage.ts';
import type { Verdict } from '../../src/engine/operation.ts';
import { done, failed, gate, MINUTE, type Rig } from '../support/engine/rig.ts';
import { rigOf } from '../support/engine/scenario.ts';

describe('a worker that has lost its run', () => {
  async function lostWhileSending(verdict: () => Verdict) {
    const held = gate();
    const rig = rigOf(async (r) =>
      r.call('post', 'unsafe', {
        answer: async () => {
          await held.wait();
          return verdict();
        },
      }),
    );
    const first = rig.begin([rig.message('w')]);
    await rig.settle(() => held.reached);
    return { rig, held, first };
  }

  /** As another worker does whose clock says that the lease is over. */
  async function takenOver(rig: Rig): Promise<void> {
    const record = rig.record('w');
    const lineage = openLineage({
      record,
      exists: true,
      entries: record.journal ? decodeEntries(record.journal) : [],
      ports: rig.ports(),
      owner: 'another',
      leaseUntil: rig.clock.now() + MINUTE,
    });
    await lineage.claim(true);
  }

  test('puts the result of an unsafe effect into the inbox, and it settles the unknown', async () => {
    const { rig, held, first } = await lostWhileSending(() => done('it happened'));
    await takenOver(rig);
    held.open();
    await rig.settle(() => first.kept !== undefined);
    expect(first.kept).toEqual([]);
    expect(await rig.store.inbox(rig.idOf('w'))).toMatchObject([{ kind: 'late', data: { attempt: 1, value: '"it happened"' } }]);
    rig.clock.advance(2 * MINUTE);
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toBe('it happened');
    expect(rig.sent).toHaveLength(1);
  });

  test('puts the failure of one there, too', async () => {
    const { rig, held, first } = await lostWhileSending(() => failed('it did not'));
    await takenOver(rig);
    held.open();
    await rig.settle(() => first.kept !== undefined);
    rig.clock.advance(2 * MINUTE);
    await rig.wakeToEnd('w');
    expect(rig.error('w').message).toBe('it did not');
  });

  test('has it there before its invocation ends', async () => {
    const { rig, held, first } = await lostWhileSending(() => done('it happened'));
    await takenOver(rig);
    const slow = gate();
    rig.faults.before = (op) => (op === 'deliver' ? slow.wait() : undefined);
    held.open();
    await rig.settle(() => slow.reached);
    await rig.settle(() => false, rig.clock.now() + 1_000);
    expect(first.kept).toBeUndefined();
    slow.open();
    await rig.settle(() => first.kept !== undefined);
    expect(await rig.store.inbox(rig.idOf('w'))).toHaveLength(1);
  });

  test('keeps those that are still under way in mind until they are there', async () => {
    const [one, two] = [gate(), gate()];
    const rig = rigOf(async (r) =>
      Promise.all(
        [one, two].map((held, i) =>
          r.call(`post ${i}`, 'unsafe', {
            answer: async (env) => {
              await held.wait();
              // An effect is not called back: somebody else needs its result.
              expect(env.signal.aborted).toBe(false);
              return done(`result ${i}`);
            },
          }),
        ),
      ),
    );
    const first = rig.begin([rig.message('w')]);
    await rig.settle(() => one.reached && two.reached);
    await takenOver(rig);
    one.open();
    await rig.settle(() => rig.events.some((event) => event.type === 'run.lost'));
    await rig.settle(() => false, rig.clock.now() + 5_000);
    expect(first.kept).toBeUndefined();
    two.open();
    await rig.settle(() => first.kept !== undefined);
    expect((await rig.store.inbox(rig.idOf('w'))).map((item) => (item.data as { value: string }).value).sort()).toEqual([
      '"result 0"',
      '"result 1"',
    ]);
    rig.clock.advance(2 * MINUTE);
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toEqual(['result 0', 'result 1']);
    expect(rig.sent).toHaveLength(2);
  });

  test('loses at its very end, too, and the result is kept', async () => {
    const rig = rigOf(async (r) => r.call('post', 'unsafe'));
    let moved = false;
    rig.watch.send = () => {
      moved = true;
    };
    let taken = false;
    rig.faults.before = async (op) => {
      if (op !== 'replace' || !moved || taken) return;
      taken = true;
      await takenOver(rig);
    };
    const first = await rig.invoke([rig.message('w')]);
    expect(first.kept).toEqual([]);
    rig.clock.advance(2 * MINUTE);
    await rig.wakeToEnd('w');
    expect(rig.value('w')).toBe('post=1');
    expect(rig.sent).toHaveLength(1);
  });

  test('sends nothing more', async () => {
    const held = gate();
    const rig = rigOf(async (r) => {
      await r.call('first', 'keyed', {
        answer: async () => {
          await held.wait();
          return done(1);
        },
      });
      await r.call('second', 'unsafe');
      await r.call('third', 'keyed');
    });
    const first = rig.begin([rig.message('w')]);
    await rig.settle(() => held.reached);
    await takenOver(rig);
    held.open();
    await rig.settle(() => first.kept !== undefined);
    expect(rig.sent.map((one) => one.label)).toEqual(['first']);
    expect(rig.record('w').lease?.owner).toBe('another');
  });
});
