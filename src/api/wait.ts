/** Waiting for a run's end by reading it again, at growing intervals, until it ended or the time is over. */
import type { RunRecord } from '../engine/ports.ts';
import type { ApiDeps } from './deps.ts';
import { hasEnded } from './views.ts';

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

export async function findRun({ store }: Pick<ApiDeps, 'store'>, id: string): Promise<RunRecord | undefined> {
  const found = (await store.load([id])).get(id);
  return found && !('stub' in found) ? found : undefined;
}

/** The run as read last. */
export async function waitForEnd(deps: Pick<ApiDeps, 'store' | 'clock'>, run: RunRecord, ms: number): Promise<RunRecord> {
  const until = deps.clock.now() + ms;
  let latest = run;
  for (let pause = FIRST_PAUSE_MS; !hasEnded(latest); pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    const left = until - deps.clock.now();
    if (left <= 0) break;
    await new Promise<void>((done) => deps.clock.timer(Math.min(pause, left), done));
    latest = (await findRun(deps, run.id)) ?? latest;
  }
  return latest;
}
