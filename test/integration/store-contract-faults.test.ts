/** What the stores and queues do when the services answer in part, late, twice or not at all. */
import { GetItemCommand, PutItemCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { GetQueueAttributesCommand } from '@aws-sdk/client-sqs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/aws/clock.ts';
import { runKey } from '../../src/aws/item-keys.ts';
import { messageDeleter } from '../../src/aws/message-deleter.ts';
import { dynamoRunStore } from '../../src/aws/run-store.ts';
import { segmentItem } from '../../src/aws/small-items.ts';
import { sqsStartQueue } from '../../src/aws/start-queue.ts';
import { sqsWakeQueue } from '../../src/aws/wake-queue.ts';
import { seededEntropy, virtualClock } from '../../src/testing/index.ts';
import { type Emulators, type Fault, startEmulators } from '../support/aws-emulators.ts';
import { NOW, run } from '../support/contracts/records.ts';

let aws: Emulators;
beforeAll(async () => {
  aws = await startEmulators();
});
afterEach(() => aws.faults());
afterAll(() => aws.stop());

const waiting = { clock: systemClock(), entropy: seededEntropy(1) };

async function openStore() {
  const table = await aws.createRunsTable();
  const store = dynamoRunStore({ ...waiting, client: aws.clients.dynamodb, table, retentionDays: 30 });
  const item = async (id: string) =>
    (await aws.clients.dynamodb.send(new GetItemCommand({ TableName: table, Key: runKey(id), ConsistentRead: true }))).Item;
  /** TTLs of everything stored for a run, by sort key. */
  const expiries = async (id: string) => {
    const query = new QueryCommand({
      TableName: table,
      KeyConditionExpression: 'pk=:pk',
      ExpressionAttributeValues: { ':pk': { S: `RUN#${id}` } },
    });
    const { Items = [] } = await aws.clients.dynamodb.send(query);
    return Object.fromEntries(Items.map((stored) => [stored.sk?.S?.slice(0, 2), stored.expiresAt?.N && Number(stored.expiresAt.N)]));
  };
  /** A segment as version 0.1 has put it. */
  const old = async (id: string, first: number) => {
    const { life: _life, ...Item } = segmentItem(id, { incarnation: 0, life: 0, first, count: 1, nonce: 'old', data: new Uint8Array([1]) });
    await aws.clients.dynamodb.send(new PutItemCommand({ TableName: table, Item }));
  };
  return { table, store, item, expiries, old };
}

/** The fault for the first `times` requests of an operation. */
function first(times: number, wanted: string, fault: Exclude<Fault, undefined>): void {
  let left = times;
  aws.faults((operation) => (operation === wanted && left-- > 0 ? fault : undefined));
}

describe('a table', () => {
  test('that leaves keys unprocessed is asked for them again until all are there', async () => {
    const { store, table } = await openStore();
    const ids = Array.from({ length: 30 }, (_, index) => `run_${index}`);
    await Promise.all(ids.map((id) => store.create(run(id))));
    const rounds = () =>
      aws
        .inputs<{ RequestItems: Record<string, { Keys: unknown[] }> }>('BatchGetItem')
        .map(({ RequestItems }) => RequestItems[table]?.Keys.length);
    const before = rounds().length;
    first(3, 'BatchGetItem', (answer) => {
      const { Responses } = answer as { Responses: Record<string, Array<{ pk: unknown; sk: unknown }>> };
      const items = Responses[table] ?? [];
      const kept = items.slice(0, Math.floor(items.length / 2));
      const Keys = items.slice(kept.length).map(({ pk, sk }) => ({ pk, sk }));
      return { Responses: { [table]: kept }, UnprocessedKeys: { [table]: { Keys, ConsistentRead: true } } };
    });
    const found = await store.load(ids);
    expect([...found.keys()].sort()).toEqual([...ids].sort());
    expect(rounds().slice(before)).toEqual([30, 15, 8, 4]);
  });

  test('that never processes a key is an error in the end, on the clock that was handed in', async () => {
    const { table, store } = await openStore();
    await store.create(run('run_1'));
    const clock = virtualClock();
    const begun = clock.now();
    const patient = dynamoRunStore({ clock, entropy: seededEntropy(1), client: aws.clients.dynamodb, table, retentionDays: 30 });
    first(Number.POSITIVE_INFINITY, 'BatchGetItem', () => ({
      Responses: {},
      UnprocessedKeys: { [table]: { Keys: [runKey('run_1')] } },
    }));
    let ended = false;
    const loading = patient.load(['run_1']).finally(() => {
      ended = true;
    });
    const failed = expect(loading).rejects.toThrow(`table ${table} left 1 of 1 keys unread after 14 rounds: it is throttled`);
    while (!ended) {
      clock.runNext();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await failed;
    expect(clock.now() - begun).toBeGreaterThan(2_000);
    expect(clock.now() - begun).toBeLessThan(26_000);
  });

  test('whose answers get lost twice has applied the write once', async () => {
    const { store, item } = await openStore();
    first(2, 'PutItem', 'lose-answer');
    expect(await store.create(run('run_1', { nonce: 'a' }))).toEqual({ ok: true });
    first(2, 'UpdateItem', 'lose-answer');
    expect(await store.replace(run('run_1', { nonce: 'b', crashes: 1 }), 'a', { anyInbox: true })).toEqual({ ok: true });
    expect(await item('run_1')).toMatchObject({ nonce: { S: 'b' }, crashes: { N: '1' } });
  });

  test('that a request never reached is asked again', async () => {
    const { store } = await openStore();
    first(2, 'PutItem', 'lose-request');
    expect(await store.create(run('run_1'))).toEqual({ ok: true });
    expect((await store.load(['run_1'])).size).toBe(1);
  });

  test('that cannot be reached at all is an error, not a refusal', async () => {
    const { store } = await openStore();
    first(Number.POSITIVE_INFINITY, 'PutItem', 'lose-request');
    await expect(store.create(run('run_1'))).rejects.toMatchObject({ code: 'ECONNRESET' });
  });

  test('tells a real loser from a lost answer, although both fail the same condition', async () => {
    const { store } = await openStore();
    await store.create(run('run_1', { nonce: 'a' }));
    await store.replace(run('run_1', { nonce: 'other' }), 'a');
    first(1, 'PutItem', 'lose-answer');
    expect(await store.replace(run('run_1', { nonce: 'mine' }), 'a')).toMatchObject({ ok: false, found: { nonce: 'other' } });
  });

  test('lets a finished run go with its parts, and nothing of a living one', async () => {
    const { store, expiries } = await openStore();
    const day = 86_400;
    await store.create(run('run_1', { nonce: 'a', spilled: true, status: 'running' }));
    await store.append('run_1', { incarnation: 0, life: NOW, first: 0, count: 1, nonce: 's', data: new Uint8Array([1]) });
    await store.deliver('run_1', { key: 'k', at: NOW, kind: 'signal', data: null }, NOW);
    expect(await expiries('run_1')).toEqual({ RU: undefined, 'J#': undefined, 'S#': undefined });
    await store.replace(run('run_1', { nonce: 'b', spilled: true, inbox: 1, status: 'succeeded', endedAt: NOW }), 'a');
    const parts = NOW / 1_000 + 30 * day;
    expect(await expiries('run_1')).toEqual({ RU: parts + 7 * day, 'J#': parts, 'S#': parts });
  });

  test('reads segments of version 0.1, which do not tell their life', async () => {
    const { store, old } = await openStore();
    await store.create(run('run_1', { spilled: true }));
    await old('run_1', 0);
    expect(await store.segments(run('run_1'))).toMatchObject([{ first: 0, nonce: 'old' }]);
    expect(
      await store.append('run_1', { incarnation: 0, life: NOW, first: 0, count: 1, nonce: 'new', data: new Uint8Array([2]) }),
    ).toMatchObject({
      ok: false,
      found: { nonce: 'old' },
    });
  });

  test('lets a stub go, and not the run that takes its place', async () => {
    const { store, expiries } = await openStore();
    await store.deliver('run_1', { key: 'k', at: NOW, kind: 'signal', data: null }, NOW);
    expect((await expiries('run_1')).RU).toBe(NOW / 1_000 + 37 * 86_400);
    await store.create(run('run_1', { inbox: 1 }));
    expect((await expiries('run_1')).RU).toBeUndefined();
  });

  test('is asked for a page of a long and empty past in bounded work', async () => {
    const { store, table } = await openStore();
    const queries = () => aws.inputs<{ TableName: string }>('Query').filter(({ TableName }) => TableName === table).length;
    await store.create(run('run_old', { createdAt: NOW - 30 * 86_400_000 }));
    const page = await store.list({}, { limit: 10, now: NOW });
    expect(page.items).toEqual([]);
    expect(queries()).toBe(24 * 4);
    let pages = 1;
    for (let next = page.next; next !== undefined; pages++) {
      const before = queries();
      const more = await store.list({}, { limit: 10, now: NOW, after: next });
      expect(queries() - before).toBeLessThanOrEqual(96 * 4 + 4);
      if (more.items.length > 0) expect(more.items).toMatchObject([{ id: 'run_old' }]);
      next = more.next;
    }
    expect(pages).toBeLessThan(12);
  });

  test('is not read to its end for a filter that nothing passes', async () => {
    const { store } = await openStore();
    await Promise.all(Array.from({ length: 1_100 }, (_, index) => store.create(run(`run_${index}`, { createdAt: NOW - index }))));
    const page = await store.list({ workflow: 'none' }, { limit: 10, now: NOW });
    expect(page.items).toEqual([]);
    expect(page.next).toBeDefined();
  });
});

describe('a queue', () => {
  const bodies = async (url: string, count: number) => {
    const all: string[] = [];
    for (let tries = 0; all.length < count && tries < 20; tries++) all.push(...(await aws.receive(url)).map(({ Body }) => Body ?? ''));
    return all.sort();
  };
  const refusing = (ids: string[], SenderFault: boolean) => (answer: Record<string, unknown>) => ({
    Successful: (answer as { Successful: Array<{ Id: string }> }).Successful.filter(({ Id }) => !ids.includes(Id)),
    Failed: ids.map((Id) => ({ Id, SenderFault, Code: 'InternalError', Message: 'try again' })),
  });

  test('that refuses some of a batch is sent those again and no others', async () => {
    const url = await aws.createQueue();
    const before = aws.inputs('SendMessageBatch').length;
    first(1, 'SendMessageBatch', refusing(['1', '3'], false));
    await sqsWakeQueue(aws.clients.sqs, url, waiting).wake(Array.from({ length: 5 }, (_, index) => ({ run: `run_${index}`, tenant: 't' })));
    const sent = aws.inputs<{ Entries: Array<{ Id: string }> }>('SendMessageBatch').slice(before);
    expect(sent.map(({ Entries }) => Entries.map(({ Id }) => Id))).toEqual([
      ['0', '1', '2', '3', '4'],
      ['1', '3'],
    ]);
  });

  test('that goes on refusing is an error, at once when the fault is ours', async () => {
    const url = await aws.createQueue();
    const queue = sqsWakeQueue(aws.clients.sqs, url, waiting);
    for (const [senderFault, requests] of [
      [true, 1],
      [false, 4],
    ] as const) {
      const before = aws.inputs('SendMessageBatch').length;
      first(Number.POSITIVE_INFINITY, 'SendMessageBatch', refusing(['0'], senderFault));
      await expect(queue.wake([{ run: 'run_1', tenant: 't' }])).rejects.toThrow(
        /1 of 1 messages were refused by .*InternalError try again/,
      );
      expect(aws.inputs('SendMessageBatch').length - before).toBe(requests);
    }
  });

  test('takes starts as they are, large ones in requests of their own', async () => {
    const url = await aws.createQueue();
    const before = aws.inputs('SendMessageBatch').length;
    const requests = Array.from({ length: 4 }, (_, index) => ({ workflow: 'w', input: `${index}${'x'.repeat(100_000)}`, tenant: 'acme' }));
    await sqsStartQueue(aws.clients.sqs, url, waiting).start(requests);
    const sent = aws.inputs<{ Entries: Array<{ MessageGroupId: string }> }>('SendMessageBatch').slice(before);
    expect(sent.map(({ Entries }) => Entries.length)).toEqual([2, 2]);
    expect(sent.flatMap(({ Entries }) => Entries.map(({ MessageGroupId }) => MessageGroupId))).toEqual(['acme', 'acme', 'acme', 'acme']);
    expect(await bodies(url, 4)).toEqual(requests.map((request) => JSON.stringify(request)));
  });
});

describe('deleting messages', () => {
  const filled = async (count: number) => {
    const url = await aws.createQueue();
    await sqsWakeQueue(aws.clients.sqs, url, waiting).wake(
      Array.from({ length: count }, (_, index) => ({ run: `run_${index}`, tenant: 't' })),
    );
    const handles: string[] = [];
    for (let tries = 0; handles.length < count && tries < 20; tries++) {
      handles.push(...(await aws.receive(url)).map(({ ReceiptHandle }) => ReceiptHandle ?? ''));
    }
    const left = async () => {
      const command = new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['ApproximateNumberOfMessagesNotVisible'] });
      return Number((await aws.clients.sqs.send(command)).Attributes?.ApproximateNumberOfMessagesNotVisible);
    };
    return { url, handles, left };
  };
  const requests = () => aws.inputs<{ Entries: unknown[] }>('DeleteMessageBatch').map(({ Entries }) => Entries.length);

  test('waits 200 ms for others and sends ten at a time', async () => {
    const { url, handles, left } = await filled(23);
    const clock = virtualClock();
    const deleter = messageDeleter(aws.clients.sqs, clock);
    const before = requests().length;
    const deleted = handles.map((handle) => deleter.delete(url, handle));
    clock.advance(199);
    expect(clock.pending()).toBe(1);
    clock.advance(1);
    expect(await Promise.all(deleted)).toEqual(Array.from({ length: 23 }, () => true));
    expect(requests().slice(before).sort()).toEqual([10, 10, 3].sort());
    expect(await left()).toBe(0);
    expect(clock.pending()).toBe(0);
  });

  test('leaving sends nothing more, and waits for what was sent', async () => {
    const [one, two] = [await filled(2), await filled(1)];
    const clock = virtualClock();
    const deleter = messageDeleter(aws.clients.sqs, clock);
    const sent = one.handles.map((handle) => deleter.delete(one.url, handle));
    clock.advance(200);
    const gathered = two.handles.map((handle) => deleter.delete(two.url, handle));
    await deleter.leave();
    expect(await Promise.all([...sent, ...gathered])).toEqual([true, true, false]);
    expect([await one.left(), await two.left()]).toEqual([0, 1]);
    expect(clock.pending()).toBe(0);
    await deleter.leave();
  });

  test('says which messages it could not delete, and never rejects', async () => {
    const { url, handles } = await filled(2);
    const clock = virtualClock();
    const deleter = messageDeleter(aws.clients.sqs, clock);
    const before = requests().length;
    first(Number.POSITIVE_INFINITY, 'DeleteMessageBatch', (answer) => ({
      Successful: (answer as { Successful: Array<{ Id: string }> }).Successful.filter(({ Id }) => Id !== '1'),
      Failed: [{ Id: '1', SenderFault: true, Code: 'ReceiptHandleIsInvalid' }],
    }));
    const some = handles.map((handle) => deleter.delete(url, handle));
    clock.advance(200);
    expect(await Promise.all(some)).toEqual([true, false]);
    expect(requests().slice(before)).toEqual([2, 1]);
    first(Number.POSITIVE_INFINITY, 'DeleteMessageBatch', 'lose-request');
    const none = deleter.delete(url, handles[0] ?? '');
    clock.advance(200);
    expect(await none).toBe(false);
  });
});
