/** Replies that user code is given while they come, where the run does not stay to their end. */
import { expect, test } from 'vitest';
import { decodeEntries } from '../../src/engine/journal.ts';
import { openLineage } from '../../src/engine/lineage.ts';
import { operatorOf } from '../support/engine/operator.ts';
import { again, comingReply, done, MINUTE, NEVER, type Rig } from '../support/engine/rig.ts';
import { rigOf } from '../support/engine/scenario.ts';

/** As another worker does whose clock says that the lease is over. */
async function takenOver(rig: Rig): Promise<void> {
  const record = rig.record('w');
  const entries = record.journal ? decodeEntries(record.journal) : [];
  await openLineage({ record, exists: true, entries, ports: rig.ports(), owner: 'another', leaseUntil: rig.clock.now() + MINUTE }).claim(
    true,
  );
}

test('an unsafe one that ends after its run was lost is told whole, not as far as its code had it', async () => {
  const coming = comingReply();
  const rig = rigOf(async (r) =>
    Promise.all([
      r.call('post', 'unsafe', { answer: () => coming }),
      // Writes while the reply comes, and so finds the run lost.
      r.call('other', 'unsafe', { ms: 300, answer: (env, nth) => (nth === 1 ? again(env.clock.now() + 500) : done('other')) }),
    ]),
  );
  const first = rig.begin([rig.message('w')]);
  await rig.settle(() => rig.sent.length === 2 && rig.clock.now() > (rig.sent[0]?.at ?? 0) + 100, undefined);
  coming.give('one');
  await takenOver(rig);
  await rig.settle(() => coming.muted);
  coming.give('two');
  coming.end();
  await rig.settle(() => first.kept !== undefined);
  expect(await rig.store.inbox(rig.idOf('w'))).toMatchObject([{ kind: 'late', data: { op: 'unsafe post', value: '["one","two"]' } }]);
});

test('one that breaks off in line in the very turn in which it is aborted is not asked for again', async () => {
  const [first, second] = [comingReply(), comingReply()];
  const abort = new AbortController();
  const rig = rigOf(async (r) => {
    const given = r.call('first', 'safe', { answer: () => first });
    const line = r.call('second', 'safe', { ms: 20, signal: abort.signal, answer: (env) => (env.attempt === 1 ? second : done('again')) });
    return Promise.all([given, line.catch((error: { code: string }) => error.code)]);
  });
  const invocation = rig.begin([rig.message('w')]);
  await rig.settle(() => first.taken && second.taken);
  second.end(again(rig.clock.now() + 60 * MINUTE));
  abort.abort();
  first.end();
  await rig.settle(() => invocation.kept !== undefined);
  expect(rig.record('w').status).toBe('succeeded');
  expect(rig.value('w')).toEqual(['head', 'E_ABORTED']);
});

test('a read that is still coming does not keep its run from what came into its inbox', async () => {
  const coming = comingReply();
  const rig = rigOf(async (r) => {
    await r.call('put', 'idempotent');
    try {
      return await r.call('read', 'safe', { answer: () => coming, timeout: 120_000 }).then(() => NEVER);
    } catch (error) {
      return (error as { code: string }).code;
    }
  });
  const invocation = rig.begin([rig.message('w')]);
  await rig.settle(() => coming.taken);
  const asked = rig.clock.now();
  await operatorOf(rig).cancel();
  await rig.settle(() => invocation.kept !== undefined);
  expect(rig.record('w')).toMatchObject({ status: 'succeeded' });
  expect(rig.value('w')).toBe('E_CANCELLED');
  expect(rig.clock.now() - asked).toBeLessThan(10_000);
});

test('what stands in line behind such a read is not lost with it', async () => {
  let nth = 0;
  const coming = [comingReply(), comingReply()] as const;
  const rig = rigOf(async (r) =>
    Promise.all([
      r.call('read', 'safe', { answer: () => coming[nth++] ?? NEVER, timeout: 120_000 }),
      r.call('post', 'unsafe', { ms: 100 }),
      r.call('put', 'keyed', { ms: 100 }),
    ]),
  );
  const invocation = rig.begin([rig.message('w')]);
  await rig.settle(() => coming[0].taken);
  await rig.store.deliver(rig.idOf('w'), { key: 'x', kind: 'other', data: null, at: rig.clock.now() }, rig.clock.now());
  await rig.settle(() => coming[1].taken);
  expect(coming[0].muted).toBe(true);
  coming[0].end();
  coming[1].end();
  await rig.settle(() => invocation.kept !== undefined);
  expect(rig.value('w')).toEqual(['head', 'post=1', expect.stringMatching(/^put=/)]);
  expect(rig.sends('post')).toBe(1);
});
