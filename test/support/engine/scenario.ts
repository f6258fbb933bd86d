/** What most tests of one run need: a rig with one workflow, a worker that is killed at a place, a run that fails as user code saw it. */
import type { HoldfastError } from '../../../src/engine/errors.ts';
import type { Entry } from '../../../src/engine/journal.ts';
import { workflow } from '../../../src/engine/workflow.ts';
import { createRig, type Rig, type RigOptions } from './rig.ts';

export type Program = (rig: Rig, input: unknown) => Promise<unknown>;

/** One workflow, `w`, and its rig, which it is given. */
export function rigOf(run: Program, more: Partial<RigOptions> = {}): Rig {
  let rig: Rig;
  const definition = workflow({ name: 'w', run: async (input) => run(rig, input) });
  rig = createRig({ workflows: [definition], ...more });
  return rig;
}

/** Several workflows by name. */
export function rigOfAll(programs: Record<string, Program>, more: Partial<RigOptions> = {}): Rig {
  let rig: Rig;
  const workflows = Object.entries(programs).map(([name, run]) => workflow({ name, run: async (input) => run(rig, input) }));
  rig = createRig({ workflows, ...more });
  return rig;
}

/** Runs to the end: its result, or the very error that the workflow function ended with. */
export async function outcome(run: Program): Promise<{ rig: Rig; error?: HoldfastError; value?: unknown }> {
  let error: HoldfastError | undefined;
  const rig = rigOf(async (r, input) => {
    try {
      return await run(r, input);
    } catch (thrown) {
      error = thrown as HoldfastError;
      throw thrown;
    }
  });
  const record = await rig.runToEnd('w');
  if (record.status === 'succeeded') return { rig, value: rig.value('w') };
  return { rig, ...(error === undefined ? {} : { error }) };
}

/** Works until the nth sending and is killed there: its process never moves again. */
export async function killedAtSending(rig: Rig, nth: number): Promise<void> {
  await rig.invoke([rig.message('w')], { until: () => rig.sent.length === nth });
  abandon(rig);
}

/** Time passes until the lease is over; whatever the dead worker had scheduled does not happen. */
export function abandon(rig: Rig): void {
  const { due } = rig.record('w');
  rig.forget();
  rig.clock.advance(Math.max(0, (due ?? 0) - rig.clock.now()));
}

export const pick = (entries: readonly Entry[], k: Entry['k']) => entries.filter((entry) => entry.k === k);
