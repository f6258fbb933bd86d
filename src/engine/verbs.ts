/** What user code says besides calls: sleep, map, now, random, uuid, log. Each durable, each replayed. */
import { currentRun, inRun } from './context.ts';
import { type Duration, milliseconds } from './duration.ts';
import { HoldfastError } from './errors.ts';
import { mapScopes } from './identity.ts';
import type { Json } from './json.ts';
import { uuidFrom } from './random.ts';

/**
 * Waits at least `duration` (milliseconds, or a text such as '3 days'), in a run without a process being kept for it.
 * The deadline is fixed when it is called. Outside a run: a plain timer.
 * Throws `E_BAD_DURATION`.
 */
export async function sleep(duration: Duration): Promise<void> {
  const ms = milliseconds(duration, 'sleep');
  const here = currentRun();
  if (!here) {
    await new Promise((done) => setTimeout(done, ms));
    return;
  }
  await here.run.issue({
    kind: 'sleep',
    identity: `sleep ${ms}`,
    label: `sleep ${typeof duration === 'number' ? `${duration} ms` : duration}`,
    effect: 'safe',
    timeout: 0,
    attempt: async ({ clock, issuedAt }) => {
      const until = issuedAt + ms;
      if (clock.now() >= until) return { type: 'done', value: undefined };
      return { type: 'again', at: until, counts: 'nothing', error: { code: 'E_INTERNAL', message: 'still asleep' } };
    },
  });
}

/**
 * Calls `fn` for each item, at most `concurrency` at a time (default 20), and resolves with the results in order.
 * Identical operations in different items are told apart by the item. Rejects with the first rejection; items not yet begun are not begun.
 */
export async function map<Item, Result>(
  items: Iterable<Item>,
  fn: (item: Item, index: number) => Promise<Result>,
  options: { concurrency?: number } = {},
): Promise<Result[]> {
  const concurrency = options.concurrency ?? 20;
  if (!Number.isSafeInteger(concurrency) || concurrency < 1) {
    throw new HoldfastError('E_BAD_OPTION', `map: concurrency must be a whole number ≥ 1, not ${String(concurrency)}`, {
      detail: { field: 'concurrency' },
    });
  }
  const list = [...items];
  const here = currentRun();
  const scopeOf = here && mapScopes(here.scope);
  const results: Result[] = new Array(list.length);
  let next = 0;
  let failed = false;
  const worker = async (): Promise<void> => {
    while (next < list.length && !failed) {
      const index = next++;
      const one = () => fn(list[index] as Item, index);
      try {
        results[index] = await (here && scopeOf ? inRun(here.run, scopeOf(index), one) : one());
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, list.length) }, worker));
  return results;
}

/** Milliseconds since the epoch, the same on every replay: the time of the last completion this run observed. */
export function now(): number {
  const here = currentRun();
  return here ? here.run.now() : Date.now();
}

/** A number in [0, 1), the same on every replay. Not for secrets. */
export function random(): number {
  const here = currentRun();
  return here ? here.run.random() : Math.random();
}

/** A version 4 UUID, the same on every replay. Not for secrets. */
export function uuid(): string {
  return uuidFrom(random);
}

const write = (level: 'debug' | 'info' | 'warn' | 'error') => (message: string, data?: Json) => {
  const here = currentRun();
  if (here) here.run.log(level, message, data);
  else console[level](message, ...(data === undefined ? [] : [data]));
};

/** Logs once, however often the run is replayed, with the run's ids. */
export const log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
