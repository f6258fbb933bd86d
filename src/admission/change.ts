/** What a change makes of a record: the meaning that every store gives to it. Pure. */
import type { AdmissionChange, AdmissionCondition, AdmissionRecord } from '../engine/admission-ports.ts';

/** `undefined`: a condition does not hold, and nothing changes. */
export function changed(record: AdmissionRecord, change: AdmissionChange): AdmissionRecord | undefined {
  const { set, add, remove = [], when = [] } = change;
  if (!when.every((condition) => holds(record, condition))) return undefined;
  const next: Record<string, number | string> = { ...record, ...set };
  for (const [name, by] of Object.entries(add ?? {})) next[name] = Number(record[name] ?? 0) + by;
  for (const name of remove) delete next[name];
  return next;
}

function holds(record: AdmissionRecord, condition: AdmissionCondition): boolean {
  const there = record[condition.name];
  if (condition.is === 'absent') return there === undefined;
  if (there === undefined) return condition.orAbsent === true;
  // DynamoDB compares no number with a text.
  if (typeof there !== typeof condition.value) return false;
  switch (condition.is) {
    case '=':
      return there === condition.value;
    case '<':
      return there < condition.value;
    case '<=':
      return there <= condition.value;
    case '>=':
      return there >= condition.value;
  }
}
