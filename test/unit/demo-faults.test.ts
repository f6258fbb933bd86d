/** The plan of the demo's faults: the same every time, a good mix, never endless. */
import { expect, test } from 'vitest';
import { BURST, FAULTS, faultPlan, planFault } from '../../local/demo/faults.ts';

const requests = Array.from({ length: 1_000 }, (_, i) => `GET /crm/companies/company-${i}.example\n`);

test('the same seed spoils the same requests, another seed others', () => {
  const spoilt = (seed: string) => requests.map((request) => planFault(seed, request, 0));
  expect(spoilt('a')).toEqual(spoilt('a'));
  expect(spoilt('a')).not.toEqual(spoilt('b'));
});

test.each(['holdfast', '1', '2', '3'])('with seed %s every fault is met, and most requests are answered well', (seed) => {
  const faults = requests.map((request) => planFault(seed, request, 0)).filter((fault) => fault !== undefined);
  expect(new Set(faults)).toEqual(new Set(FAULTS));
  expect(faults.length).toBeGreaterThan(100);
  expect(faults.length).toBeLessThan(250);
});

test('no request meets more than two faults, bursts of others included', () => {
  const plan = faultPlan('holdfast');
  for (const request of requests) {
    const faults = Array.from({ length: 10 }, () => plan.next('crm', request)).filter((fault) => fault !== undefined);
    expect(faults.length).toBeLessThanOrEqual(2);
  }
});

test('a burst takes the next requests to the same API with it, and to no other', () => {
  const first = requests.find((request) => planFault('holdfast', request, 0) === 'burst-503') as string;
  const calm = requests.filter((request) => planFault('holdfast', request, 0) === undefined);
  const plan = faultPlan('holdfast');
  expect(plan.next('crm', first)).toBe('burst-503');
  expect(plan.next('billing', calm[0] as string)).toBeUndefined();
  for (let i = 1; i <= BURST; i++) expect(plan.next('crm', calm[i] as string)).toBe('burst-503');
  expect(plan.next('crm', calm[BURST + 1] as string)).toBeUndefined();
});
