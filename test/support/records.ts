/** Collects the records of attempts, as a run's journal would get them. */
import type { Verdict } from '../../src/engine/operation.ts';
import type { AttemptRecord } from '../../src/http/record.ts';
import type { CallTracer } from '../../src/http/trace.ts';

export function recorder(): { readonly tracer: CallTracer; readonly records: AttemptRecord[]; readonly verdicts: Verdict[] } {
  const verdicts: Verdict[] = [];
  const records: AttemptRecord[] = [];
  const tracer: CallTracer = () => ({
    traceparent: '00-0123456789abcdef0123456789abcdef-0123456789abcdef-01',
    end(verdict) {
      verdicts.push(verdict);
      if ('record' in verdict && verdict.record !== undefined) records.push(verdict.record as AttemptRecord);
    },
  });
  return { tracer, records, verdicts };
}
