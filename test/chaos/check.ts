/** Holds what was seen against what was owed: one verdict for each call. */
import type { AttemptRecord } from '../../src/http/record.ts';
import type { CallAccount } from '../support/hostile/server.ts';
import { due, early } from './owed.ts';
import type { CallPlan } from './plan.ts';
import type { Told } from './program.ts';
import type { Witness } from './world.ts';

export type Verdict = {
  call: CallPlan;
  run: number;
  end: 'ok' | 'failed' | 'unknown' | 'stuck';
  code?: string;
  row: string;
  /** A worker died while it was made: then not all of it can be worked out, and less is held against it. */
  disturbed: boolean;
  sendings: number;
  /** Effects beyond the one that was asked for. */
  duplicates: number;
  unknowns: number;
  hints: number;
  early: number;
  faults: readonly string[];
  account: CallAccount;
  records: readonly AttemptRecord[];
};

const NONE: CallAccount = { arrivals: [], effects: 0 };
const OVERTIME_MS = 100;

export function judge(witness: Witness): Verdict[] {
  return witness.plan.calls.map((call, place) => verdict(witness, call, witness.told?.[place]));
}

function verdict(witness: Witness, call: CallPlan, told: Told | undefined): Verdict {
  const { safety, id } = call;
  const account = witness.accounts.get(id) ?? NONE;
  const { arrivals } = account;
  const records = recordsOf(witness, id);
  const rows = records.map(({ row }) => row).filter((row) => !/^(reconcile|not prepared)/.test(row));
  const disturbed =
    witness.killed.size > 0 && (arrivals.some(({ life }) => witness.killed.has(life)) || lost(witness, call, arrivals.length));
  const faults: string[] = [];
  if (told === undefined) faults.push(`stuck: ${witness.stuck ?? 'no word of it'}`);
  if (witness.overtime > OVERTIME_MS) faults.push(`a sending outlived its total by ${witness.overtime} ms`);

  const owed = due(call, arrivals, rows);
  if (told !== undefined) {
    if (disturbed) faults.push(...afterDeath(call, account, told));
    else faults.push(...owed.faults, ...compared(owed, told, rows));
    if (told.ok && told.call !== undefined && told.call !== id) faults.push(`got the answer of ${told.call}`);
  }
  const keys = new Set(arrivals.flatMap(({ key }) => (key === undefined ? [] : [key])));
  if (keys.size > (safety === 'keyed' ? 1 : 0)) faults.push(`it was sent with ${keys.size} idempotency keys`);
  if (new Set(arrivals.flatMap(({ body }) => (body === undefined ? [] : [body]))).size > 1) faults.push('its body changed');
  const duplicates = safety === 'unsafe' || safety === 'keyed' ? Math.max(0, account.effects - 1) : 0;
  if (duplicates > 0) faults.push(`it happened ${account.effects} times`);
  const waits = early(safety, arrivals);
  faults.push(...waits.faults);
  return {
    call,
    run: witness.plan.index,
    end: told === undefined ? 'stuck' : told.ok ? 'ok' : told.code === 'E_UNKNOWN_OUTCOME' ? 'unknown' : 'failed',
    ...(told && !told.ok ? { code: told.code } : {}),
    row: rows.at(-1) ?? '',
    disturbed,
    sendings: arrivals.length,
    duplicates,
    unknowns: owed.unknowns,
    hints: waits.checked,
    early: waits.faults.length,
    faults,
    account,
    records,
  };
}

/** A worker that died between START and the sending leaves nothing but the START. */
function lost({ journal }: Witness, { id, safety }: CallPlan, arrived: number): boolean {
  const starts = journal.filter((entry) => entry.k === 'start' && entry.label.endsWith(` ${id}`)).length;
  return safety === 'unsafe' ? starts > arrived : arrived === 0;
}

function compared(owed: ReturnType<typeof due>, told: Told, rows: readonly string[]): string[] {
  const faults: string[] = [];
  const end = told.ok ? 'ok' : told.code === 'E_UNKNOWN_OUTCOME' ? 'unknown' : 'failed';
  const expected = `${owed.end}${owed.code === undefined ? '' : ` ${owed.code}`}`;
  const got = `${end}${told.ok ? '' : ` ${told.code}`}`;
  if (expected !== got) faults.push(`it should be ${expected}, and is ${got}${told.ok ? '' : `: ${told.message}`}`);
  else if (told.ok && told.truncated !== owed.truncated) faults.push(`truncated: ${told.truncated}`);
  else if (!told.ok && end === 'failed' && told.mayHaveHappened !== owed.maybe) faults.push(`mayHaveHappened: ${told.mayHaveHappened}`);
  if (rows.join(', ') !== owed.rows.join(', ')) faults.push(`its rows should be: ${owed.rows.join(', ')}; and are: ${rows.join(', ')}`);
  return faults;
}

/** A death may take the answer, and what was learnt of it, with it; what is told must still be true of something that was met. */
function afterDeath({ safety, strict, asked }: CallPlan, { arrivals, effects }: CallAccount, told: Told): string[] {
  const acts = arrivals.map(({ fate, stale }) => (stale ? 'retry' : fate.owes(safety).act));
  if (told.ok) {
    const asTold = asked !== 'code' && safety === 'unsafe' && effects > 0;
    return acts.includes('done') || asTold ? [] : ['it is told to have succeeded, and never did'];
  }
  if (told.code === 'E_UNKNOWN_OUTCOME') return safety === 'unsafe' ? [] : ['unknown, although it could be sent again'];
  const last = arrivals.at(-1);
  const succeeded = acts.at(-1) === 'done' && !(strict && last?.fate.owes(safety).truncated);
  return succeeded ? [`it is told to have failed (${told.message}), and its last sending went well`] : [];
}

function recordsOf({ journal }: Witness, id: string): AttemptRecord[] {
  return journal.flatMap((entry) => {
    if (!('op' in entry) || !('attempts' in entry) || entry.attempts === undefined) return [];
    return entry.label.endsWith(` ${id}`) ? (entry.attempts as unknown as AttemptRecord[]) : [];
  });
}
