/** The short way that most calls take: where it is taken, the long one would say the same. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { limitsOf } from '../../src/admission/pace.ts';
import { isCalm, sumOf, troubledUntil, WINDOW_MS, windowAt } from '../../src/admission/record.ts';
import { standing } from '../../src/admission/standing.ts';
import type { AdmissionRecord } from '../../src/engine/admission-ports.ts';

const NOW = 1_800_000_000_000;
const w = windowAt(NOW);
const around = fc.integer({ min: NOW - 60_000, max: NOW + 60_000 });
const few = fc.integer({ min: 0, max: 30 });
const records: fc.Arbitrary<AdmissionRecord> = fc
  .record(
    {
      ...{ tat0: around, base: fc.integer({ min: -60_000, max: 0 }), resumeAt: around, slow: few, pace: few, openUntil: around },
      ...{ breaker: fc.constant('open'), heldAt: around, probe: fc.constant('other'), probeAt: around, opens: few, good: few, row: few },
      ...{ [`r${w}`]: few, [`f${w}`]: few, [`f${w - 5}`]: few, [`f${w - 6}`]: few, [`t${w}`]: few },
    },
    { requiredKeys: [] },
  )
  .map((record) => record as AdmissionRecord);

test('a call of a connection without limits goes wherever its record is calm', () => {
  fc.assert(
    fc.property(records, fc.boolean(), (record, isSafe) => {
      const caller = { limits: limitsOf([], record, NOW), isSafe, uncounted: false, place: undefined };
      if (isCalm(record, NOW)) expect(standing(record, caller, NOW, Math.random)).toEqual({ do: 'go' });
    }),
    { numRuns: 2_000 },
  );
});

test('a record is troubled for as long as a failure is in its last minute, or its breaker is open', () => {
  fc.assert(
    fc.property(records, fc.integer({ min: 0, max: 7 }), (record, windows) => {
      const at = NOW + windows * WINDOW_MS;
      const isTroubled = record.breaker !== undefined || Number(record.row ?? 0) > 0 || sumOf(record, 'f', at) > 0;
      expect(at < troubledUntil(record)).toBe(isTroubled);
    }),
    { numRuns: 2_000 },
  );
});
