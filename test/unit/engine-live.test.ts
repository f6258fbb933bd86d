/** Replies that user code is given while they come, where the run does not stay to their end. */
import { expect, test } from 'vitest';
import { decodeEntries } from '../../src/engine/journal.ts';
import { openLineage } from '../../src/engine/lineage.ts';
import { again, comingReply, done, MINUTE, type Rig } from '../support/engine/rig.ts';
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
