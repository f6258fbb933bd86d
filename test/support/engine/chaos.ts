/** Drives one run of a rig to its end while its workers are killed at random port calls and sendings. */
import type { RunRecord } from '../../../src/engine/ports.ts';
import { seededEntropy } from '../../../src/testing/index.ts';
import { MINUTE, NEVER, type Rig } from './rig.ts';

export type Chaos = {
  seed: number;
  /** How many workers are killed at most. */
  kills: number;
  /** A worker is killed after at most so many events. */
  within?: number;
};

/** Until the run has ended or is paused. */
export async function runThroughChaos(rig: Rig, workflow: string, { seed, kills, within = 30 }: Chaos): Promise<RunRecord> {
  const chance = seededEntropy(seed);
  const pick = (below: number) => Math.floor(chance.random() * below);
  let left = kills;
  let killed = false;
  let fuse = Number.POSITIVE_INFINITY;
  const spark = (): Promise<never> | undefined => {
    fuse -= 1;
    if (fuse > 0 || killed) return killed ? NEVER : undefined;
    killed = true;
    return NEVER;
  };
  rig.faults.before = () => spark();
  rig.faults.after = () => spark();
  rig.watch.send = () => void spark();
  let receiveCount = 0;
  for (let round = 0; round < 300; round++) {
    receiveCount += 1;
    killed = false;
    fuse = left > 0 && chance.random() < 0.7 ? 1 + pick(within) : Number.POSITIVE_INFINITY;
    const message = chance.random() < 0.5 ? rig.wakeMessage(rig.idOf(workflow)) : rig.message(workflow, null, 'k', receiveCount);
    const there = rig.store.peek(rig.idOf(workflow));
    const invocation = await rig.invoke([there ? message : rig.message(workflow, null, 'k', receiveCount)], { until: () => killed });
    if (killed) {
      left -= 1;
      rig.forget();
      killed = false;
      fuse = Number.POSITIVE_INFINITY;
      rig.clock.advance(5 * MINUTE);
      continue;
    }
    const found = rig.store.peek(rig.idOf(workflow));
    if (!found || 'stub' in found) {
      if (invocation.kept?.length === 0) throw new Error('the message of a run that was never written is gone');
      continue;
    }
    if (found.endedAt !== undefined || found.status === 'paused') {
      delete rig.faults.before;
      delete rig.faults.after;
      return found;
    }
    if (found.due === undefined) throw new Error('an unfinished run without a due time');
    receiveCount = 0;
    rig.wake.take(Number.POSITIVE_INFINITY);
    const next = found.wakeAt ?? found.due;
    if (next > rig.clock.now()) rig.clock.advance(next - rig.clock.now());
  }
  throw new Error(`the run never ended: seed ${seed}`);
}
