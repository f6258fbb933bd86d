/** A journal read as what it tells of: each operation once, with its attempts and waits in order. Pure. */
import type { AttemptView, ErrorView, JournalItem } from '../api-types.ts';

/** `sent`: nothing is known after the sending. `unsent`: it is settled that it did not happen, and goes out again. */
export type CallState = 'done' | 'failed' | 'retrying' | 'sent' | 'unknown' | 'unsent' | 'cancelled';

export type CallEvent =
  | { type: 'attempt'; attempt: AttemptView; at: string }
  /** Put down until then. */
  | { type: 'wait'; at: string; until: string }
  | { type: 'unknown'; at: string; error?: ErrorView }
  | { type: 'unsent'; at: string }
  /** It had failed, and is made again. */
  | { type: 'redriven'; at: string };

/** What people did to the run as a whole. */
export type MarkView = { seq: number; type: 'cancel' | 'redrive'; at: string; from?: number; asNew?: string[]; by?: string; why?: string };

export type CallView = {
  /** Of its first journal entry, and of its last. */
  seq: number;
  lastSeq: number;
  id: string;
  label: string;
  state: CallState;
  effect?: string;
  began: string;
  ended: string;
  events: CallEvent[];
  error?: ErrorView;
  /** Absent of what gave nothing. */
  value?: unknown;
  bytes?: number;
};

const STATES: Readonly<Record<string, CallState>> = {
  start: 'sent',
  retry: 'retrying',
  unknown: 'unknown',
  unsent: 'unsent',
  done: 'done',
  fail: 'failed',
  settled: 'done',
};

/** In the order in which their first entries came. */
export function callsOf(items: readonly JournalItem[]): CallView[] {
  const calls = new Map<string, CallView>();
  for (const item of items) {
    if (item.type === 'cancel' || item.type === 'redrive') markCalls(item, calls);
    if (item.call === undefined) continue;
    const began = item.issuedAt ?? item.at;
    const call: CallView = calls.get(item.call) ?? {
      seq: item.seq,
      lastSeq: item.seq,
      id: item.call,
      label: item.label ?? item.call,
      state: 'sent',
      began,
      ended: item.at,
      events: [],
    };
    calls.set(item.call, call);
    add(call, item);
  }
  return [...calls.values()];
}

export const marksOf = (items: readonly JournalItem[]): MarkView[] =>
  items.flatMap(({ seq, type, at, from, asNew, by, why }) =>
    type === 'cancel' || type === 'redrive'
      ? {
          seq,
          type,
          at,
          ...(from === undefined ? {} : { from }),
          ...(asNew === undefined ? {} : { asNew }),
          ...(by === undefined ? {} : { by }),
          ...(why === undefined ? {} : { why }),
        }
      : [],
  );

function markCalls(item: JournalItem, calls: ReadonlyMap<string, CallView>): void {
  for (const call of (item.calls ?? []).flatMap((id) => calls.get(id) ?? [])) {
    call.ended = item.at;
    if (item.type === 'cancel') call.state = 'cancelled';
    else {
      call.state = 'retrying';
      delete call.error;
      delete call.value;
      call.events.push({ type: 'redriven', at: item.at });
    }
  }
}

function add(call: CallView, item: JournalItem): void {
  call.lastSeq = item.seq;
  call.ended = item.at;
  call.state = STATES[item.type] ?? call.state;
  if (item.effect !== undefined) call.effect = item.effect;
  for (const attempt of item.attempts ?? []) addAttempt(call, attempt, item.at);
  if (item.type === 'retry' && item.next !== undefined) call.events.push({ type: 'wait', at: item.at, until: item.next });
  if (item.type === 'unknown')
    call.events.push({ type: 'unknown', at: item.at, ...(item.error === undefined ? {} : { error: item.error }) });
  if (item.type === 'unsent') call.events.push({ type: 'unsent', at: item.at });
  if (item.type !== 'done' && item.type !== 'fail' && item.type !== 'settled') return;
  if (item.error !== undefined) call.error = item.error;
  if ('value' in item) call.value = item.value;
  if (item.bytes !== undefined) call.bytes = item.bytes;
}

/** What was rolled up entry by entry is one line, with the waits between. */
function addAttempt(call: CallView, attempt: AttemptView, at: string): void {
  const before = call.events.findLast(({ type }) => type !== 'wait');
  if (attempt.rolledUp === undefined || before?.type !== 'attempt' || before.attempt.rolledUp === undefined) {
    call.events.push({ type: 'attempt', attempt, at });
    return;
  }
  const rows = { ...before.attempt.rows };
  for (const [row, times] of Object.entries(attempt.rows ?? {})) rows[row] = (rows[row] ?? 0) + times;
  before.attempt = { ...before.attempt, rolledUp: before.attempt.rolledUp + attempt.rolledUp, rows };
  if (attempt.to !== undefined) before.attempt.to = attempt.to;
  call.events.length = call.events.indexOf(before) + 1;
}

/** How many attempts these records speak of. */
export const countOf = (attempts: readonly AttemptView[]): number => attempts.reduce((sum, { rolledUp = 1 }) => sum + rolledUp, 0);

export const attemptsOf = (call: CallView): AttemptView[] =>
  call.events.flatMap((event) => (event.type === 'attempt' ? event.attempt : []));

export const isSleep = ({ label }: Pick<CallView, 'label'>): boolean => label.startsWith('sleep ');
