/** The in-memory ports, held to the contracts. */
import { describe, expect, test } from 'vitest';
import { memoryPayloadStore, memoryRunStore, memoryWakeQueue, virtualClock } from '../../src/testing/index.ts';
import { payloadStoreContract } from '../support/contracts/payload-store.ts';
import { run } from '../support/contracts/records.ts';
import { runStoreContract } from '../support/contracts/run-store.ts';
import { wakeQueueContract } from '../support/contracts/wake-queue.ts';

const WRITES = new Set(['create', 'replace', 'append', 'deliver', 'counter', 'pushDue', 'putDeadLetter']);

describe('the run store in memory', () => {
  runStoreContract(async () => {
    let lose = false;
    const store = memoryRunStore({
      after: (op) => {
        if (!lose || !WRITES.has(op)) return;
        lose = false;
        throw new Error('the answer was lost');
      },
    });
    return {
      store,
      loseNextAnswer: () => {
        lose = true;
      },
    };
  });

  test('a request that is lost before it arrives changes nothing', async () => {
    const store = memoryRunStore({
      before: () => {
        throw new Error('the request was lost');
      },
    });
    await expect(store.create(run('run_1'))).rejects.toThrow('the request was lost');
    expect(store.peek('run_1')).toBeUndefined();
    expect(store.writes()).toBe(0);
  });

  test('writes are counted by kind, refused ones included', async () => {
    const store = memoryRunStore();
    await store.create(run('run_1', { nonce: 'a' }));
    await store.create(run('run_1', { nonce: 'b' }));
    await store.replace(run('run_1', { nonce: 'b' }), 'a');
    await store.load(['run_1']);
    expect(store.counts).toMatchObject({ create: 2, replace: 1, append: 0 });
    expect(store.writes()).toBe(3);
  });

  test('what is handed out is a copy', async () => {
    const store = memoryRunStore();
    const record = run('run_1', { journal: new Uint8Array([1]) });
    await store.create(record);
    record.journal?.fill(9);
    const found = (await store.load(['run_1'])).get('run_1');
    expect(found).toMatchObject({ journal: new Uint8Array([1]) });
  });
});

describe('the payload store in memory', () => payloadStoreContract(async () => memoryPayloadStore()));

describe('the wake queue in memory', () => {
  wakeQueueContract(async () => {
    const clock = virtualClock();
    const queue = memoryWakeQueue({ clock });
    return {
      queue,
      visible: async () => queue.take().map(({ delayMs: _, visibleAt: __, ...message }) => message),
      delayed: async () => {
        const delays = queue.sent.filter(({ visibleAt }) => visibleAt > clock.now()).map(({ delayMs }) => delayMs);
        return { count: delays.length, delays };
      },
    };
  });

  test('a delayed wake becomes visible at its time', async () => {
    const clock = virtualClock();
    const queue = memoryWakeQueue({ clock });
    await queue.wake([{ run: 'run_1', tenant: 'acme', delayMs: 1_500 }]);
    expect(queue.nextAt()).toBe(clock.now() + 2_000);
    clock.advance(1_999);
    expect(queue.take()).toEqual([]);
    clock.advance(1);
    expect(queue.take()).toMatchObject([{ run: 'run_1' }]);
    expect(queue.take()).toEqual([]);
  });
});
