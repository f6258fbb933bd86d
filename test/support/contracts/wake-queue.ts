/** What every WakeQueue must do. */
import { expect, test } from 'vitest';
import type { WakeMessage, WakeQueue } from '../../../src/engine/ports.ts';

export type Arrived = WakeMessage & { tenant: string };

export type QueueUnderTest = {
  queue: WakeQueue;
  /** What can be received now. */
  visible(): Promise<Arrived[]>;
  /** How many wait for their time, and for how long they were delayed: milliseconds, if the queue tells. */
  delayed(): Promise<{ count: number; delays?: number[] }>;
};

export function wakeQueueContract(open: () => Promise<QueueUnderTest>): void {
  const arrived = async (under: QueueUnderTest, count: number) => {
    const all: Arrived[] = [];
    for (let tries = 0; all.length < count && tries < 20; tries++) all.push(...(await under.visible()));
    return all.sort((a, b) => (a.run < b.run ? -1 : 1));
  };

  test('a wake arrives with its run, its tenant and its trace', async () => {
    const under = await open();
    await under.queue.wake([
      { run: 'run_1', tenant: 'acme' },
      { run: 'run_2', tenant: 'globex', traceparent: '00-a-b-01' },
    ]);
    expect(await arrived(under, 2)).toEqual([
      { run: 'run_1', tenant: 'acme' },
      { run: 'run_2', tenant: 'globex', traceparent: '00-a-b-01' },
    ]);
  });

  test('more than ten all arrive', async () => {
    const under = await open();
    const messages = Array.from({ length: 33 }, (_, index) => ({ run: `run_${String(index).padStart(2, '0')}`, tenant: 'acme' }));
    await under.queue.wake(messages);
    expect(await arrived(under, 33)).toEqual(messages);
    await under.queue.wake([]);
  });

  test('a delayed wake is not there yet', async () => {
    const under = await open();
    await under.queue.wake([
      { run: 'run_now', tenant: 'acme', delayMs: 0 },
      { run: 'run_soon', tenant: 'acme', delayMs: 1_001 },
      { run: 'run_later', tenant: 'acme', delayMs: 900_000 },
    ]);
    expect(await arrived(under, 1)).toEqual([{ run: 'run_now', tenant: 'acme' }]);
    const { count, delays } = await under.delayed();
    expect(count).toBe(2);
    // Whole seconds, rounded up: a wake is never early.
    if (delays) expect(delays).toEqual([2_000, 900_000]);
  });

  test('a delay that no queue can keep is refused with the run it was for', async () => {
    const under = await open();
    for (const delayMs of [900_001, -1, Number.NaN]) {
      await expect(under.queue.wake([{ run: 'run_1', tenant: 'acme', delayMs }])).rejects.toMatchObject({
        code: 'E_INTERNAL',
        message: expect.stringContaining('run_1'),
      });
    }
    expect(await under.visible()).toEqual([]);
  });
}
