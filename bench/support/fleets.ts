/** Fleets as the benchmarks of admission simulate them, and what those do who have none: the baselines. */
import { createAdmission } from '../../src/admission/admission.ts';
import { memoryAdmissionStore } from '../../src/admission/memory-store.ts';
import type { Admission, Limit } from '../../src/engine/admission-ports.ts';
import type { Clock, Entropy } from '../../src/engine/ports.ts';
import { type Plan, type Report, simulate } from '../../test/support/admission/simulation.ts';

/** Instances before and after the rush, and in it. */
export const FEW = 5;
export const MANY = 40;

export const perSecond = (requests: number): Limit[] => (requests === 0 ? [] : [{ requests, per: 1_000, burst: 1 }]);

/** Few instances for a quarter of the time, then many, for the last third few again. */
export const rush = (lasts: number) => (ms: number) => (ms < lasts * 0.25 || ms >= lasts * 0.7 ? FEW : MANY);

const PERMIT = { isProbe: false, place: undefined, confirm: () => undefined, report() {}, drop() {} };

/** Everybody goes. */
export const unruled = (): Admission => ({ ask: () => ({ type: 'go', permit: PERMIT }), leave: async () => {} });

/** Each instance keeps to its share of the limit among the few; nobody knows of the others. */
export function eachForItself({ clock, entropy }: { clock: Clock; entropy: Entropy }): Admission {
  const own = createAdmission({ store: memoryAdmissionStore(), clock, entropy });
  const share = ({ requests, per, burst }: Limit): Limit => ({ requests, per: per * FEW, burst });
  return { ask: (ask) => own.ask({ ...ask, limits: ask.limits.map(share) }), leave: () => own.leave() };
}

/** The same plan with seeds 1 to `seeds`, one after the other. */
export async function simulateEach(seeds: number, plan: Omit<Plan, 'seed'>): Promise<Report[]> {
  const reports: Report[] = [];
  for (let seed = 1; seed <= seeds; seed++) reports.push(await simulate({ ...plan, seed }));
  return reports;
}
