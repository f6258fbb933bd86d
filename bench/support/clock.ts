/** The real clock, some time ahead: for runs whose sleep shall be over. */
import { systemClock } from '../../src/aws/clock.ts';
import type { Clock } from '../../src/engine/ports.ts';

export function movedClock(aheadMs: number): Clock {
  const clock = systemClock({ keepAlive: true });
  return { now: () => clock.now() + aheadMs, timer: clock.timer };
}
