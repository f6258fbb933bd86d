/**
 * Rejections that nobody handles, attributed to their runs. One process-level handler; it never ends the environment that
 * other runs are in, and what belongs to no run goes to whoever listened before.
 */
import { attributedRun, type RunHandle } from './context.ts';

/** What is known of one run's rejections that nobody has handled yet. */
export type Stray = { first(): unknown; any(): boolean; close(): void };

export type Strays = { open(run: RunHandle): Stray };

export function watchStrays(unattributed: (reason: unknown) => void): Strays & { close(): void } {
  const open = new Map<RunHandle, Map<Promise<unknown>, unknown>>();
  const owners = new WeakMap<Promise<unknown>, RunHandle>();
  const before = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');

  const onUnhandled = (reason: unknown, promise: Promise<unknown>): void => {
    const run = attributedRun();
    const of = run && open.get(run);
    if (!run) {
      unattributed(reason);
      return;
    }
    // A run that is over has ended for its own reasons: what it left behind is silent.
    if (!of) return;
    owners.set(promise, run);
    of.set(promise, reason);
  };
  const onHandled = (promise: Promise<unknown>): void => {
    const run = owners.get(promise);
    if (run) open.get(run)?.delete(promise);
  };
  process.on('unhandledRejection', onUnhandled);
  process.on('rejectionHandled', onHandled);

  return {
    open(run) {
      const mine = new Map<Promise<unknown>, unknown>();
      open.set(run, mine);
      return {
        any: () => mine.size > 0,
        first: () => [...mine.values()][0],
        close: () => {
          open.delete(run);
        },
      };
    },
    close() {
      process.off('unhandledRejection', onUnhandled);
      process.off('rejectionHandled', onHandled);
      for (const listener of before) process.on('unhandledRejection', listener);
    },
  };
}
