/** What becomes of dead letters, over the ports in memory. */
import { describe, expect, test } from 'vitest';
import { DEAD_LETTER_ATTRIBUTES, type DeadMessage, drainDeadLetter, parseWakeMessage } from '../../src/engine/dead-letters.ts';
import { runId } from '../../src/engine/start.ts';
import { memoryPayloadStore, memoryRunStore, virtualClock } from '../../src/testing/index.ts';
import { NOW, run } from '../support/contracts/records.ts';

function world() {
  const ports = { store: memoryRunStore(), payloads: memoryPayloadStore(), clock: virtualClock(NOW) };
  return {
    ...ports,
    drain: (message: Partial<DeadMessage>) =>
      drainDeadLetter(ports, { messageId: 'm1', body: '', sentAt: NOW - 1, attributes: {}, ...message }),
  };
}

const start = JSON.stringify({ workflow: 'onboard-customer', input: { a: 1 }, idempotencyKey: 'order-1', tenant: 'acme' });

describe('a start that never became a run', () => {
  test('is kept with the reason that came with it, under its first id', async () => {
    const { store, drain } = world();
    const reason = { code: 'E_UNKNOWN_WORKFLOW', message: 'no workflow', detail: { pointer: '/workflow' } };
    const attributes = {
      [DEAD_LETTER_ATTRIBUTES.reason]: JSON.stringify(reason),
      [DEAD_LETTER_ATTRIBUTES.messageId]: 'first-id',
      [DEAD_LETTER_ATTRIBUTES.sentAt]: String(NOW - 5_000),
    };
    expect(await drain({ body: start, attributes })).toEqual({ outcome: 'kept' });
    expect((await store.listDeadLetters({ limit: 10 })).items).toEqual([
      { id: 'first-id', body: start, reason, firstSeen: NOW - 5_000, tenant: 'acme', workflow: 'onboard-customer' },
    ]);
  });

  test('is kept with what is wrong with it when nobody said why', async () => {
    const { store, drain } = world();
    await drain({ messageId: 'm1', body: 'not json' });
    await drain({ messageId: 'm2', body: '{"workflow":7}' });
    const { items } = await store.listDeadLetters({ limit: 10 });
    expect(items.map(({ id, reason }) => [id, reason.code])).toEqual([
      ['m2', 'E_MESSAGE_MALFORMED'],
      ['m1', 'E_MESSAGE_MALFORMED'],
    ]);
  });

  test('is kept with the advice to look at the log when nothing is wrong with it', async () => {
    const { store, drain } = world();
    await drain({ body: start });
    expect((await store.listDeadLetters({ limit: 10 })).items).toMatchObject([{ body: start, reason: { code: 'E_INTERNAL' } }]);
  });

  test('is of the tenant of its message group, if it names none', async () => {
    const { store, drain } = world();
    const body = JSON.stringify({ workflow: 'onboard-customer', idempotencyKey: 'order-2' });
    await drain({ body, tenant: 'acme' });
    const [letter] = (await store.listDeadLetters({ limit: 10 })).items;
    expect(letter).toMatchObject({ tenant: 'acme' });
    expect(letter?.reason.stack).toBeUndefined();
    await store.create(run(runId('acme', 'onboard-customer', 'order-2')));
    expect(await drain({ body, tenant: 'acme' })).toMatchObject({ outcome: 'nudged' });
  });

  test('is kept once however often it is drained', async () => {
    const { store, drain } = world();
    for (let times = 0; times < 3; times++) await drain({ body: 'not json' });
    expect((await store.listDeadLetters({ limit: 10 })).items).toHaveLength(1);
  });

  test('is stored whole beside its letter when it is too large for it', async () => {
    const { store, payloads, drain } = world();
    const body = `{"workflow":"onboard-customer","input":"${'ä'.repeat(200_000)}"}`;
    await drain({ body });
    const [letter] = (await store.listDeadLetters({ limit: 10 })).items;
    expect(letter?.body.length).toBeLessThan(20_000);
    expect(letter?.reason).toMatchObject({
      code: 'E_MESSAGE_TOO_LARGE',
      detail: { bodyRef: 'dead-letters/m1/body', bodyBytes: Buffer.byteLength(body) },
    });
    expect(Buffer.from(await payloads.get('dead-letters/m1/body')).toString()).toBe(body);
  });

  test('is not lost behind an attribute that only looks like ours', async () => {
    const { store, drain } = world();
    for (const [index, reason] of ['not json', '{"code":1}', 'null'].entries()) {
      await drain({ messageId: `m${index}`, body: 'x', attributes: { [DEAD_LETTER_ATTRIBUTES.reason]: reason } });
    }
    expect((await store.listDeadLetters({ limit: 10 })).items).toHaveLength(3);
  });
});

describe('a message of a persisted run', () => {
  test('makes the sweeper look at the run now, whether it was a start or a wake', async () => {
    const { store, drain } = world();
    const id = runId('acme', 'onboard-customer', 'order-1');
    for (const body of [start, JSON.stringify({ run: id })]) {
      await store.create(run(id, { nonce: 'a', due: NOW + 86_400_000 }));
      expect(await drain({ body })).toEqual({ outcome: 'nudged', run: id });
      expect(store.peek(id)).toMatchObject({ due: NOW, status: 'queued', nonce: 'a' });
      await store.pushDue(id, NOW, NOW + 86_400_000);
    }
    expect((await store.listDeadLetters({ limit: 10 })).items).toEqual([]);
  });

  test('finds the run of a start without a key by the id of the message', async () => {
    const { store, drain } = world();
    const id = runId('default', 'onboard-customer', 'm1');
    await store.create(run(id));
    expect(await drain({ body: '{"workflow":"onboard-customer"}' })).toEqual({ outcome: 'nudged', run: id });
  });

  test('never makes it later', async () => {
    const { store, drain } = world();
    await store.create(run('run_1', { due: NOW - 5 }));
    await drain({ body: '{"run":"run_1"}' });
    expect(store.peek('run_1')).toMatchObject({ due: NOW - 5 });
  });

  test('is dropped when its run has ended, was never written, or is a stub', async () => {
    const { store, drain } = world();
    const { due: _, ...ended } = run('run_1', { status: 'failed', endedAt: NOW });
    await store.create(ended);
    await store.deliver('run_2', { key: 'k', at: NOW, kind: 'signal', data: null }, NOW);
    expect(await drain({ body: '{"run":"run_1"}' })).toEqual({ outcome: 'dropped', run: 'run_1' });
    for (const id of ['run_2', 'run_3']) expect(await drain({ body: JSON.stringify({ run: id }) })).toEqual({ outcome: 'dropped' });
    expect(store.peek('run_1')).toEqual(ended);
  });
});

test('a wake message is told from everything else', () => {
  expect(parseWakeMessage('{"run":"run_1"}')).toEqual({ run: 'run_1' });
  expect(parseWakeMessage('{"run":"run_1","traceparent":"00-a-b-01","more":1}')).toEqual({ run: 'run_1', traceparent: '00-a-b-01' });
  for (const body of ['', 'null', '[]', '"run_1"', '{"run":1}', '{"run":""}', '{"workflow":"w"}'])
    expect(parseWakeMessage(body)).toBeUndefined();
});
