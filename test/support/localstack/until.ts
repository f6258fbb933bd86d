/** Patience: what happens in other processes is looked at until it has come to pass, or a deadline that is far away has gone by. */
import { setTimeout as wait } from 'node:timers/promises';

/** Between two looks. */
const PAUSE_MS = 500;
/** An endpoint on a loaded machine takes its time; nothing that works takes this long. */
export const PATIENCE_MS = 120_000;

/** Resolves with the first thing seen that `done` says yes to; rejects with what was seen last. */
export async function until<T>(look: () => Promise<T>, done: (seen: T) => boolean, ms: number = PATIENCE_MS): Promise<T> {
  const end = Date.now() + ms;
  for (;;) {
    const seen = await look();
    if (done(seen)) return seen;
    if (Date.now() > end) throw new Error(`not within ${ms} ms; seen last: ${JSON.stringify(seen)?.slice(0, 2_000)}`);
    await wait(PAUSE_MS);
  }
}
