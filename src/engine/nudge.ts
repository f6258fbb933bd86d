/**
 * Has runs look again at what they wait for: those that are paused, and those that are about to be, of which nothing may be written yet.
 * That is more than resuming, which is for a run that a person sees to be paused (operate.ts).
 */
import { type About, FINAL, type Operating } from './operate.ts';
import { addressOf } from './wakes.ts';

const AT_ONCE = 25;

/** How many runs were told. Each is told durably before it is woken; repeating it is harmless. */
export async function nudgeRuns(
  { store, wake, clock, entropy, onWakeFailed }: Pick<Operating, 'store' | 'wake' | 'clock' | 'entropy' | 'onWakeFailed'>,
  runs: readonly string[],
  about: About,
): Promise<number> {
  let told = 0;
  for (let from = 0; from < runs.length; from += AT_ONCE) {
    const ids = runs.slice(from, from + AT_ONCE);
    const found = await store.load(ids);
    await Promise.all(
      ids.map(async (id) => {
        const run = found.get(id);
        if (run && !('stub' in run) && FINAL.has(run.status)) return;
        const now = clock.now();
        // A run that nothing is written of finds it with its first write.
        const there = await store.deliver(id, { key: `resume:${entropy.id()}`, kind: 'resume', at: now, data: { ...about } }, now);
        told += 1;
        if ('stub' in there) return;
        // What was asked for is durable and due: the sweeper comes within a minute.
        await wake.wake([addressOf(there)]).catch((error: unknown) => onWakeFailed?.(id, error));
      }),
    );
  }
  return told;
}
