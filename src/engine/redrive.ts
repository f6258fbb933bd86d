/**
 * Where a failed run goes on when it is redriven: its journal up to the failure that ended it, with what was effected
 * meanwhile kept as it is. Pure.
 */
import { HoldfastError } from './errors.ts';
import type { Entry } from './journal.ts';
import type { RunRecord } from './ports.ts';

type Named = Extract<Entry, { op: string }>;

export type Redrive = {
  /** The journal of the next incarnation, without the entry of the redrive itself. */
  entries: Entry[];
  /** From before which entry on it goes; the journal's length where no call ended the run. */
  cut: number;
  /** Operations that had failed, and are made again. */
  again: string[];
  /** Beyond 0: the epochs of idempotency keys, by the hash of what they are made of. */
  epochs: { [key: string]: number };
  /** Those of `again` that go out with another idempotency key. */
  asNew: string[];
};

/**
 * `from`: seq of the failure to go on from. Default: the first of those that the run's error came from.
 * Throws `E_REQUEST_INVALID` for a `from` that is no failure, `E_NOT_APPLICABLE` when an effect was begun after the cut:
 * code that goes another way now would leave it behind. `asNew`: what is made again and has an idempotency key gets another one;
 * throws `E_NOT_APPLICABLE` where that is nothing.
 */
export function planRedrive(
  journal: readonly Entry[],
  outcome: RunRecord['outcome'],
  { from, asNew = false }: { from?: number; asNew?: boolean } = {},
): Redrive {
  const end = journal.findLastIndex(({ k }) => k !== 'end' && k !== 'park') + 1;
  const cut = from ?? cutOf(journal, outcome) ?? end;
  const at = journal[cut];
  if (from !== undefined && at?.k !== 'fail') {
    throw new HoldfastError(
      'E_REQUEST_INVALID',
      `"from" must be the seq of a journal entry of type fail, and ${from} is ${at ? `of type ${at.k}` : 'beyond the end'}`,
      { detail: { pointer: '/from' } },
    );
  }
  const before = journal.slice(0, cut).filter(({ k }) => k !== 'park' && k !== 'end');
  const begun = new Set(before.flatMap((entry) => ('op' in entry ? [entry.op] : [])));
  const effects = new Set(before.flatMap((entry) => (entry.k === 'start' ? [entry.op] : [])));
  const again = new Set<string>();
  const kept: Entry[] = [];
  const later: Named[] = [];
  for (const entry of journal.slice(cut)) {
    // What an earlier redrive let go, and nobody has begun again, is still let go.
    if (entry.k === 'redrive') for (const op of entry.again) again.add(op);
    if (!('op' in entry)) continue;
    again.delete(entry.op);
    if (!effects.has(entry.op)) {
      // A read is made again.
      if (entry.k === 'fail' && begun.has(entry.op)) again.add(entry.op);
      later.push(entry);
    } else if (entry.k === 'fail') again.add(entry.op);
    else if (entry.k === 'done') kept.push(settledOf(entry));
    else kept.push(entry);
  }
  if (at?.k === 'fail') again.add(at.op);
  refuseEffects(later, cut);
  const keyed = asNew ? keysOf([...before, ...kept], again) : new Map<string, string>();
  if (asNew && keyed.size === 0) {
    throw new HoldfastError(
      'E_NOT_APPLICABLE',
      'nothing that would be made again was sent with an idempotency key: redrive it without "asNew"',
      { detail: { from: cut } },
    );
  }
  // Those of all redrives so far, also of such as this one takes back: a key that was used up stays used up.
  const epochs: { [key: string]: number } = {};
  for (const entry of journal) if (entry.k === 'redrive') Object.assign(epochs, entry.epochs);
  for (const key of new Set(keyed.values())) epochs[key] = (epochs[key] ?? 0) + 1;
  return { entries: [...before, ...kept], cut, again: [...again], epochs, asNew: [...keyed.keys()] };
}

/** Operations of `again` that were sent with an idempotency key, and the hash of what it was made of. */
function keysOf(entries: readonly Entry[], again: ReadonlySet<string>): Map<string, string> {
  const keys = new Map<string, string>();
  for (const entry of entries) if (entry.k === 'start' && entry.key !== undefined && again.has(entry.op)) keys.set(entry.op, entry.key);
  return keys;
}

/** Where the first of those failures was delivered that the run's error came from. */
function cutOf(journal: readonly Entry[], outcome: RunRecord['outcome']): number | undefined {
  const calls = outcome && 'error' in outcome ? outcome.error.detail?.calls : undefined;
  if (!Array.isArray(calls)) return undefined;
  const cut = journal.findIndex((entry) => entry.k === 'fail' && calls.includes(entry.op));
  return cut === -1 ? undefined : cut;
}

function settledOf({ op, at, label, value, attempts }: Extract<Entry, { k: 'done' }>): Entry {
  return { k: 'settled', op, at, label, ...(value === undefined ? {} : { value }), ...(attempts === undefined ? {} : { attempts }) };
}

function refuseEffects(later: readonly Named[], cut: number): void {
  const sent = new Map<string, string>();
  for (const entry of later) {
    if (entry.k === 'start') sent.set(entry.op, entry.label);
    if (entry.k === 'unsent') sent.delete(entry.op);
  }
  if (sent.size === 0) return;
  const labels = [...sent.values()];
  throw new HoldfastError(
    'E_NOT_APPLICABLE',
    `going on from entry ${cut} would leave behind what had an effect after it: ${labels.slice(0, 5).join(', ')}. Start a new run, or choose another entry as "from"`,
    { detail: { from: cut, effects: labels.slice(0, 20) } },
  );
}
