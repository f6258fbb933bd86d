/** What the tests of admission ask, and how they wait for the answer in virtual time. */
import type { Ask } from '../../../src/engine/admission-ports.ts';
import type { VirtualClock } from '../../../src/testing/index.ts';

export const KEY = { connection: 'crm' };

/** Of a safe first attempt without limits, that has a day. */
export const askAt = (clock: VirtualClock, more: Partial<Ask> = {}): Ask => ({
  key: KEY,
  limits: [],
  concurrency: 0,
  onError: 'wait',
  tenant: 'default',
  effect: 'safe',
  weight: 1,
  retry: false,
  timeout: 3_000,
  patience: 2_000,
  until: clock.now() + 86_400_000,
  signal: new AbortController().signal,
  ...more,
});

/** What `work` comes to within so many ms; throws if that is not enough. */
export async function within<T>(clock: VirtualClock, ms: number, work: T | Promise<T>): Promise<T> {
  let result: { value: T } | undefined;
  const done = Promise.resolve(work).then((value) => {
    result = { value };
  });
  for (let left = ms; left >= 0 && result === undefined; left -= 10) {
    for (let n = 0; n < 30; n++) await undefined;
    if (result === undefined) clock.advance(10);
  }
  if (result === undefined) throw new Error('it has not ended in time');
  await done;
  return (result as { value: T }).value;
}
