/** A fleet of which one instance is told by a 429 that the API is not to be called for a while, and what the others send meanwhile. */
import type { Plan, Report } from '../../test/support/admission/simulation.ts';
import { MANY, perSecond, simulateEach } from './fleets.ts';

const TELLS_AT = 5_000;
const RETRY_AFTER = 20_000;
/** What arrives so soon after an instance was told was on its way, or is what the others may still send, ms. */
const GRACE = 250;

/** `late`: arrived after the grace and before the time told. `latest`: of all that came before that time, ms after the first was told. */
export type ToldFleet = { arrivals: number; meanwhile: number; late: number; latest: number };

/** `requests` a second; 0: no limit. The API refuses all that comes before its time. */
export async function toldFleet(seeds: number, requests: number, admission?: Plan['admission']): Promise<ToldFleet[]> {
  const reports = await simulateEach(seeds, {
    limits: perSecond(requests),
    instances: () => MANY,
    batch: 10,
    lanes: requests >= 1_000 ? 3 : 1,
    // Who has been told waits; those who come afterwards have not been.
    load: [{ tenant: 'default', perSecond: () => requests || 100 }],
    lasts: TELLS_AT + RETRY_AFTER + 1_000,
    api: (ms) => (ms >= TELLS_AT && ms < TELLS_AT + RETRY_AFTER ? { retryAfter: TELLS_AT + RETRY_AFTER - ms } : 'good'),
    ...(admission && { admission }),
  });
  return reports.map(tell);
}

function tell({ arrivals, told }: Report): ToldFleet {
  const [first] = told;
  if (first === undefined) throw new Error('nobody was told');
  const meanwhile = arrivals.map(({ ms }) => ms - first.ms).filter((ms) => ms > 0 && ms < first.until - first.ms);
  return {
    arrivals: arrivals.length,
    meanwhile: meanwhile.length,
    late: meanwhile.filter((ms) => ms > GRACE).length,
    latest: meanwhile.reduce((latest, ms) => Math.max(latest, ms), 0),
  };
}
