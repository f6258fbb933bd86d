/** What every RunStore must do, whatever it is made of. */
import { expect, test } from 'vitest';
import type { DeadLetter, Page, RunRecord, RunStore } from '../../../src/engine/ports.ts';
import { fullRun, NOW, run } from './records.ts';

export type StoreUnderTest = {
  store: RunStore;
  /** The next write is applied and its answer lost. */
  loseNextAnswer(): void;
};

/** A caller that repeats the same write when it got no answer: stores may do so themselves. */
async function insist<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch {
    return write();
  }
}

async function all<T>(page: (after: string | undefined) => Promise<Page<T>>): Promise<T[]> {
  const items: T[] = [];
  let after: string | undefined;
  do {
    const answer = await page(after);
    items.push(...answer.items);
    after = answer.next;
  } while (after !== undefined);
  return items;
}

export function runStoreContract(open: () => Promise<StoreUnderTest>): void {
  const one = async (store: RunStore, id: string) => (await store.load([id])).get(id);

  test('a run comes back as it was put, field by field', async () => {
    const { store } = await open();
    for (const record of [
      run('run_plain'),
      fullRun('run_full'),
      run('run_value', { status: 'succeeded', endedAt: NOW, outcome: { value: { text: '"ä€😀"' } } }),
      run('run_ref', { status: 'succeeded', endedAt: NOW, outcome: { value: { ref: 'results/1', bytes: 99_999 } } }),
      run('run_error', { status: 'failed', endedAt: NOW, outcome: { error: { code: 'E_CALL_FAILED', message: 'no' } } }),
    ]) {
      expect(await store.create(record)).toEqual({ ok: true });
      const found = await one(store, record.id);
      expect(normal(found)).toEqual(normal(record));
    }
  });

  test('loading knows only what exists, in any number, named twice or not', async () => {
    const { store } = await open();
    const ids = Array.from({ length: 130 }, (_, index) => `run_${index}`);
    await Promise.all(ids.filter((_, index) => index % 2 === 0).map((id) => store.create(run(id))));
    const found = await store.load([...ids, ...ids]);
    expect(found.size).toBe(65);
    expect([...found.keys()].every((id) => Number(id.slice(4)) % 2 === 0)).toBe(true);
    expect((await store.load([])).size).toBe(0);
  });

  test('a run is created once: the second creation is shown the first', async () => {
    const { store } = await open();
    await store.create(run('run_1', { nonce: 'first' }));
    const second = await store.create(run('run_1', { nonce: 'second' }));
    expect(second).toMatchObject({ ok: false, found: { id: 'run_1', nonce: 'first' } });
  });

  test('of many that create the same run at once one succeeds', async () => {
    const { store } = await open();
    const written = await Promise.all(Array.from({ length: 8 }, (_, index) => store.create(run('run_1', { nonce: `n${index}` }))));
    expect(written.filter(({ ok }) => ok)).toHaveLength(1);
  });

  test('a creation whose answer was lost is recognised by its nonce', async () => {
    const { store, loseNextAnswer } = await open();
    loseNextAnswer();
    expect(await insist(() => store.create(run('run_1')))).toEqual({ ok: true });
  });

  test('a replacement needs the nonce that is there', async () => {
    const { store } = await open();
    await store.create(run('run_1', { nonce: 'a' }));
    expect(await store.replace(run('run_1', { nonce: 'b', status: 'running' }), 'a')).toEqual({ ok: true });
    expect(await store.replace(run('run_1', { nonce: 'c', status: 'failed' }), 'a')).toMatchObject({ ok: false, found: { nonce: 'b' } });
    expect(await one(store, 'run_1')).toMatchObject({ nonce: 'b', status: 'running' });
  });

  test('a replacement of a run that is not there finds nothing', async () => {
    const { store } = await open();
    for (const anyInbox of [true, false]) {
      expect(await store.replace(run('run_1'), 'a', { anyInbox })).toEqual({ ok: false, found: undefined });
    }
    expect((await store.load(['run_1'])).size).toBe(0);
  });

  test('a replacement leaves nothing of what was there before, with the inbox counter or without', async () => {
    const { store } = await open();
    for (const anyInbox of [true, false]) {
      const id = `run_${anyInbox}`;
      const before = { ...fullRun(id), nonce: 'a' };
      await store.create(before);
      const after = run(id, { nonce: 'b', status: 'succeeded', endedAt: NOW + 5, outcome: { value: { text: '1' } } });
      delete after.due;
      expect(await store.replace(after, 'a', { anyInbox })).toEqual({ ok: true });
      expect(normal(await one(store, id))).toEqual(normal(after));
    }
  });

  test('a replacement is refused when the inbox counter has moved, and tells so', async () => {
    const { store } = await open();
    await store.create(run('run_1', { nonce: 'a' }));
    await store.deliver('run_1', { key: 'k', at: NOW, kind: 'signal', data: null }, NOW);
    const refused = await store.replace(run('run_1', { nonce: 'b', inbox: 0 }), 'a');
    expect(refused).toMatchObject({ ok: false, found: { nonce: 'a', inbox: 1 } });
    expect(await store.replace(run('run_1', { nonce: 'b', inbox: 1 }), 'a')).toEqual({ ok: true });
  });

  test('a replacement for any inbox keeps the counter that is there', async () => {
    const { store } = await open();
    await store.create(run('run_1', { nonce: 'a' }));
    for (const key of ['k1', 'k2']) await store.deliver('run_1', { key, at: NOW, kind: 'signal', data: null }, NOW);
    expect(await store.replace(run('run_1', { nonce: 'b', inbox: 0 }), 'a', { anyInbox: true })).toEqual({ ok: true });
    expect(await one(store, 'run_1')).toMatchObject({ nonce: 'b', inbox: 2 });
  });

  test('a replacement whose answer was lost is recognised by its nonce, either way', async () => {
    const { store, loseNextAnswer } = await open();
    await store.create(run('run_1', { nonce: 'a' }));
    loseNextAnswer();
    expect(await insist(() => store.replace(run('run_1', { nonce: 'b' }), 'a'))).toEqual({ ok: true });
    loseNextAnswer();
    expect(await insist(() => store.replace(run('run_1', { nonce: 'c' }), 'b', { anyInbox: true }))).toEqual({ ok: true });
  });

  test('of many that replace the same nonce at once one succeeds', async () => {
    const { store } = await open();
    await store.create(run('run_1', { nonce: 'a' }));
    const written = await Promise.all(
      Array.from({ length: 8 }, (_, index) => store.replace(run('run_1', { nonce: `n${index}` }), 'a', { anyInbox: index % 2 === 0 })),
    );
    expect(written.filter(({ ok }) => ok)).toHaveLength(1);
  });

  test('segments come back in order, those of one incarnation alone', async () => {
    const { store } = await open();
    for (const [incarnation, first] of [
      [0, 100],
      [0, 5],
      [0, 20],
      [1, 5],
      [10, 7],
    ] as const) {
      const data = new Uint8Array([incarnation, first]);
      expect(await store.append('run_1', { incarnation, life: NOW, first, count: 3, nonce: `${incarnation}-${first}`, data })).toEqual({
        ok: true,
      });
    }
    expect((await store.segments(run('run_1', { incarnation: 0 }))).map(({ first }) => first)).toEqual([5, 20, 100]);
    const [only] = await store.segments(run('run_1', { incarnation: 10 }));
    expect({ ...only, data: [...(only?.data ?? [])] }).toEqual({
      incarnation: 10,
      life: NOW,
      first: 7,
      count: 3,
      nonce: '10-7',
      data: [10, 7],
    });
    expect(await store.segments(run('run_2', { incarnation: 0 }))).toEqual([]);
  });

  test('a place in the journal is taken once', async () => {
    const { store, loseNextAnswer } = await open();
    const segment = { incarnation: 0, life: NOW, first: 0, count: 1, nonce: 'mine', data: new Uint8Array([1]) };
    loseNextAnswer();
    expect(await insist(() => store.append('run_1', segment))).toEqual({ ok: true });
    const refused = await store.append('run_1', { ...segment, nonce: 'other', data: new Uint8Array([2]) });
    expect(refused).toMatchObject({ ok: false, found: { nonce: 'mine' } });
    expect(await store.segments(run('run_1', { incarnation: 0 }))).toHaveLength(1);
  });

  test('what an earlier life of the same key left behind is neither read nor in the way', async () => {
    const { store } = await open();
    const left = { incarnation: 0, life: NOW - 1, first: 0, count: 1, nonce: 'old', data: new Uint8Array([1]) };
    await store.append('run_1', left);
    await store.append('run_1', { ...left, first: 1 });
    expect(await store.segments(run('run_1'))).toEqual([]);
    expect(await store.append('run_1', { ...left, life: NOW, nonce: 'new', data: new Uint8Array([2]) })).toEqual({ ok: true });
    expect((await store.segments(run('run_1'))).map(({ nonce, first }) => [nonce, first])).toEqual([['new', 0]]);
  });

  test('more segments than one answer holds all come back', async () => {
    const { store } = await open();
    for (let first = 0; first < 8; first++) {
      await store.append('run_1', {
        incarnation: 0,
        life: NOW,
        first,
        count: 1,
        nonce: `n${first}`,
        data: new Uint8Array(200 * 1024).fill(first),
      });
    }
    const segments = await store.segments(run('run_1', { incarnation: 0 }));
    expect(segments.map(({ first, data }) => [first, data.length, data[0]])).toEqual(
      Array.from({ length: 8 }, (_, first) => [first, 200 * 1024, first]),
    );
  });

  test('something delivered before its run exists makes a stub, and the run is created over it', async () => {
    const { store } = await open();
    const item = { key: 'go', at: NOW, kind: 'signal', data: { yes: true } };
    expect(await store.deliver('run_1', item, NOW)).toEqual({ id: 'run_1', stub: true, inbox: 1 });
    expect(await one(store, 'run_1')).toEqual({ id: 'run_1', stub: true, inbox: 1 });
    expect(await store.create(run('run_1', { inbox: 0 }))).toEqual({ ok: false, found: { id: 'run_1', stub: true, inbox: 1 } });
    expect(await store.create(run('run_1', { inbox: 1 }))).toEqual({ ok: true });
    expect(await store.inbox('run_1')).toEqual([item]);
    expect(await store.due(Number.MAX_SAFE_INTEGER, 10)).toHaveLength(1);
  });

  test('a stub is not a run that could be replaced, and the sweeper never sees it', async () => {
    const { store } = await open();
    await store.deliver('run_1', { key: 'go', at: NOW, kind: 'signal', data: null }, NOW);
    for (const anyInbox of [true, false]) {
      expect(await store.replace(run('run_1', { inbox: 1 }), '', { anyInbox })).toMatchObject({ ok: false, found: { stub: true } });
    }
    expect(await store.due(Number.MAX_SAFE_INTEGER, 10)).toEqual([]);
  });

  test('a delivery makes an unfinished run due now and leaves its lineage alone', async () => {
    const { store } = await open();
    await store.create(run('run_1', { nonce: 'a', status: 'paused', due: NOW + 86_400_000 }));
    const there = await store.deliver('run_1', { key: 'k', at: NOW + 5, kind: 'verdict', data: 'x' }, NOW + 5);
    expect(there).toMatchObject({ nonce: 'a', status: 'paused', inbox: 1, due: NOW + 5 });
    expect(await store.due(NOW + 6, 10)).toEqual([{ id: 'run_1', due: NOW + 5 }]);
  });

  test('a delivery to a finished run raises its counter and nothing else', async () => {
    const { store } = await open();
    const finished = run('run_1', { status: 'succeeded', endedAt: NOW });
    delete finished.due;
    await store.create(finished);
    const there = await store.deliver('run_1', { key: 'late', at: NOW + 5, kind: 'late', data: 1 }, NOW + 5);
    expect(normal(there as RunRecord)).toEqual(normal({ ...finished, inbox: 1 }));
    expect(await store.due(Number.MAX_SAFE_INTEGER, 10)).toEqual([]);
  });

  test('the same key is kept once, as it was first said, though the counter rises again', async () => {
    const { store } = await open();
    await store.create(run('run_1'));
    await store.deliver('run_1', { key: 'k', at: NOW, kind: 'signal', data: 'first' }, NOW);
    expect(await store.deliver('run_1', { key: 'k', at: NOW + 1, kind: 'signal', data: 'second' }, NOW + 1)).toMatchObject({ inbox: 2 });
    expect(await store.inbox('run_1')).toEqual([{ key: 'k', at: NOW, kind: 'signal', data: 'first' }]);
  });

  test('whoever sees the counter finds the item', async () => {
    const { store, loseNextAnswer } = await open();
    await store.create(run('run_1'));
    loseNextAnswer();
    await insist(() => store.deliver('run_1', { key: 'k', at: NOW, kind: 'signal', data: 1 }, NOW));
    const found = await one(store, 'run_1');
    expect(found?.inbox).toBeGreaterThanOrEqual(1);
    expect(await store.inbox('run_1')).toHaveLength(1);
  });

  test('an inbox is read in the order in which its items were said', async () => {
    const { store } = await open();
    for (const [key, at] of [
      ['c', 3],
      ['a', 1],
      ['b', 2],
      ['a2', 1],
    ] as const) {
      await store.deliver('run_1', { key, at, kind: 'signal', data: key }, NOW);
    }
    expect((await store.inbox('run_1')).map(({ key }) => key)).toEqual(['a', 'a2', 'b', 'c']);
  });

  test('the due index holds what is due before a time, earliest first, and nothing that has ended', async () => {
    const { store } = await open();
    await Promise.all(Array.from({ length: 40 }, (_, index) => store.create(run(`run_${index}`, { due: NOW + index }))));
    const ended = run('run_3', { nonce: 'z', status: 'cancelled', endedAt: NOW });
    delete ended.due;
    await store.replace(ended, 'nonce-of-run_3');
    const hints = await store.due(NOW + 20, 100);
    expect(hints.map(({ due }) => due - NOW)).toEqual([0, 1, 2, ...Array.from({ length: 16 }, (_, index) => index + 4)]);
    expect(hints.every(({ id, due }) => id === `run_${due - NOW}`)).toBe(true);
  });

  test('due is pushed only from where it was seen', async () => {
    const { store } = await open();
    await store.create(run('run_1', { nonce: 'a', due: NOW }));
    expect(await store.pushDue('run_1', NOW, NOW + 60_000)).toBe(true);
    expect(await store.pushDue('run_1', NOW, NOW + 90_000)).toBe(false);
    expect(await store.pushDue('run_2', NOW, NOW + 90_000)).toBe(false);
    expect(await one(store, 'run_1')).toMatchObject({ due: NOW + 60_000, nonce: 'a' });
    expect(await store.due(NOW + 60_000, 10)).toEqual([]);
    expect(await store.due(NOW + 60_001, 10)).toEqual([{ id: 'run_1', due: NOW + 60_000 }]);
  });

  test('runs are listed newest first, across hours and days', async () => {
    const { store } = await open();
    const ages = [0, 1, 59, 61, 130, 600, 60 * 20, 60 * 30, 60 * 24 * 3, 60 * 24 * 20];
    await Promise.all(ages.map((minutes) => store.create(run(`run_${minutes}`, { createdAt: NOW - minutes * 60_000 }))));
    const listed = await all((after) => store.list({}, { limit: 3, now: NOW, ...(after === undefined ? {} : { after }) }));
    expect(listed.map(({ id }) => id)).toEqual(ages.map((minutes) => `run_${minutes}`));
  });

  test('a summary says what a list shows and no more', async () => {
    const { store } = await open();
    await store.create(fullRun('run_1'));
    const { items } = await store.list({}, { limit: 10, now: NOW });
    const { id, tenant, workflow, version, status, createdAt, startedAt, wakeAt, reason } = fullRun('run_1');
    expect(items).toEqual([{ id, tenant, workflow, version, status, createdAt, startedAt, wakeAt, reason }]);
  });

  test('a list shows what has become of a run', async () => {
    const { store } = await open();
    await store.create(run('run_1', { nonce: 'a' }));
    await store.replace(run('run_1', { nonce: 'b', status: 'succeeded', endedAt: NOW + 9 }), 'a');
    expect((await store.list({}, { limit: 10, now: NOW })).items).toMatchObject([{ status: 'succeeded', endedAt: NOW + 9 }]);
  });

  test('runs that begin while somebody pages are neither shown twice nor push others out', async () => {
    const { store } = await open();
    const create = (from: number, to: number) =>
      Promise.all(
        Array.from({ length: to - from }, (_, index) => store.create(run(`run_${from + index}`, { createdAt: NOW + (from + index) * 10 }))),
      );
    await create(0, 30);
    let born = 30;
    const listed = await all(async (after) => {
      const page = await store.list({}, { limit: 7, now: NOW + 1_000, ...(after === undefined ? {} : { after }) });
      if (born < 60) await create(born, born + 5);
      born += 5;
      return page;
    });
    expect(listed.map(({ id }) => id)).toEqual(Array.from({ length: 30 }, (_, index) => `run_${29 - index}`));
  });

  test('runs of the same millisecond are all listed once, whatever the page size', async () => {
    const { store } = await open();
    await Promise.all(Array.from({ length: 25 }, (_, index) => store.create(run(`run_${index}`))));
    for (const limit of [1, 4, 25, 100]) {
      const listed = await all((after) => store.list({}, { limit, now: NOW, ...(after === undefined ? {} : { after }) }));
      expect(new Set(listed.map(({ id }) => id)).size).toBe(25);
      expect(listed).toHaveLength(25);
    }
  });

  test('filters leave out, and paging goes on behind what they left out', async () => {
    const { store } = await open();
    await Promise.all(
      Array.from({ length: 40 }, (_, index) =>
        store.create(
          run(`run_${index}`, {
            createdAt: NOW - index * 60_000,
            workflow: index % 10 === 0 ? 'rare' : 'common',
            tenant: index % 2 === 0 ? 'even' : 'odd',
            status: index % 4 === 0 ? 'waiting' : 'queued',
          }),
        ),
      ),
    );
    const ids = async (filter: Parameters<RunStore['list']>[0]) =>
      (await all((after) => store.list(filter, { limit: 3, now: NOW, ...(after === undefined ? {} : { after }) }))).map(({ id }) => id);
    expect(await ids({ workflow: 'rare' })).toEqual(['run_0', 'run_10', 'run_20', 'run_30']);
    expect(await ids({ workflow: 'rare', status: 'waiting' })).toEqual(['run_0', 'run_20']);
    expect(await ids({ workflow: 'rare', tenant: 'odd' })).toEqual([]);
  });

  test('a cursor from before all runs lists nothing', async () => {
    const { store } = await open();
    await store.create(run('run_1'));
    for (const order of ['000000000000000', '000000000000000#run_1', '000000000000001']) {
      const after = Buffer.from(order).toString('base64url');
      const answer = await store.list({}, { limit: 5, now: NOW, after }).catch((error: { code?: string }) => error.code);
      expect([{ items: [] }, 'E_REQUEST_INVALID']).toContainEqual(answer);
    }
  });

  test('a cursor that no list gave is refused by name', async () => {
    const { store } = await open();
    const refused = { code: 'E_REQUEST_INVALID', message: expect.stringContaining('after') };
    await expect(store.list({}, { limit: 1, now: NOW, after: 'nonsense' })).rejects.toMatchObject(refused);
    await expect(store.listDeadLetters({ limit: 1, after: 'nonsense' })).rejects.toMatchObject(refused);
  });

  test('dead letters are kept as they came first and listed newest first', async () => {
    const { store } = await open();
    const letter = (index: number): DeadLetter => ({
      id: `message-${index}`,
      body: `{"n":${index}}`,
      reason: { code: 'E_MESSAGE_MALFORMED', message: 'no', detail: { pointer: '/workflow' } },
      firstSeen: NOW + index,
      ...(index % 2 === 0 ? { tenant: 'acme', workflow: 'onboard-customer' } : {}),
    });
    for (let index = 0; index < 12; index++) await store.putDeadLetter(letter(index));
    await store.putDeadLetter({ ...letter(3), firstSeen: NOW + 99, body: 'again' });
    for (const limit of [1, 5, 12, 50]) {
      const listed = await all((after) => store.listDeadLetters({ limit, ...(after === undefined ? {} : { after }) }));
      expect(listed).toEqual(Array.from({ length: 12 }, (_, index) => letter(11 - index)));
    }
    expect((await store.list({}, { limit: 10, now: NOW })).items).toEqual([]);
  });

  test('dead letters are filtered, read by id, and removed once', async () => {
    const { store } = await open();
    for (let index = 0; index < 9; index++) {
      await store.putDeadLetter({
        id: `message-${index}`,
        body: `{"n":${index}}`,
        reason: { code: index % 3 === 0 ? 'E_INPUT_INVALID' : 'E_MESSAGE_MALFORMED', message: 'no' },
        firstSeen: NOW + index,
        ...(index % 2 === 0 ? { tenant: 'acme', workflow: 'onboard-customer' } : {}),
      });
    }
    const listed = async (filter: Parameters<RunStore['listDeadLetters']>[0]['filter']) =>
      (
        await all((after) => store.listDeadLetters({ limit: 2, ...(filter ? { filter } : {}), ...(after === undefined ? {} : { after }) }))
      ).map(({ id }) => Number(id.slice('message-'.length)));
    expect(await listed({ code: 'E_INPUT_INVALID' })).toEqual([6, 3, 0]);
    expect(await listed({ code: 'E_INPUT_INVALID', tenant: 'acme' })).toEqual([6, 0]);
    expect(await listed({ workflow: 'onboard-customer' })).toEqual([8, 6, 4, 2, 0]);
    expect(await listed({ workflow: 'another' })).toEqual([]);
    expect((await store.deadLetters(['message-1', 'message-77', 'message-1'])).map(({ body }) => body)).toEqual(['{"n":1}']);
    expect([await store.removeDeadLetter('message-6'), await store.removeDeadLetter('message-6')]).toEqual([true, false]);
    expect(await listed({ code: 'E_INPUT_INVALID' })).toEqual([3, 0]);
  });

  test('a purged run leaves its identity and nothing else, and keeps its key bound', async () => {
    const { store } = await open();
    const ended = run('run_gone', {
      status: 'failed',
      endedAt: NOW + 5,
      spilled: true,
      journal: new Uint8Array([1, 2]),
      inbox: 0,
      outcome: { error: { code: 'E_CALL_FAILED', message: 'no' } },
      nonce: 'last',
    });
    delete ended.due;
    await store.create(run('run_gone'));
    expect(await store.purge('run_gone', 'nonce-of-run_gone', { nonce: 'x', now: NOW })).toBe(false);
    await store.append('run_gone', { incarnation: 0, life: NOW, first: 0, count: 1, nonce: 's', data: new Uint8Array([1]) });
    await store.replace(ended, 'nonce-of-run_gone');
    await store.deliver('run_gone', { key: 'k', at: NOW, kind: 'late', data: null }, NOW);
    expect(await store.purge('run_gone', 'another', { nonce: 'x', now: NOW })).toBe(false);
    expect(await store.purge('run_gone', 'last', { nonce: 'tomb', now: NOW + 9 })).toBe(true);
    expect(await store.purge('run_gone', 'last', { nonce: 'x', now: NOW + 99 })).toBe(false);
    expect(await store.replace({ ...ended, status: 'queued' }, 'last')).toMatchObject({ ok: false });
    expect(await store.purge('run_gone', 'tomb', { nonce: 'tomb 2', now: NOW + 99 })).toBe(true);
    const left = (await one(store, 'run_gone')) as RunRecord;
    expect(left).toMatchObject({ status: 'failed', key: 'key-of-run_gone', fingerprint: 'fingerprint', deletedAt: NOW + 9 });
    expect([left.journal, left.outcome, left.input]).toEqual([undefined, undefined, { text: '' }]);
    expect(await store.segments(run('run_gone', { incarnation: 0 }))).toEqual([]);
    expect(await store.inbox('run_gone')).toEqual([]);
    expect((await store.list({}, { limit: 10, now: NOW + 10 })).items).toEqual([]);
    expect(await store.create(run('run_gone', { nonce: 'again' }))).toMatchObject({ ok: false, found: { deletedAt: NOW + 9 } });
  });
}

/** Bytes compare by content whatever class holds them. */
function normal(found: unknown): unknown {
  const record = found as RunRecord | undefined;
  return record?.journal ? { ...record, journal: [...record.journal] } : record;
}
