/** What the journal's records mean, in words: an attempt and the decision that followed from it, a value in brief. Pure. */
import type { AttemptView } from '../api-types.ts';
import { cut } from './table.ts';
import { clock, duration } from './time.ts';

const OVER: Readonly<Record<string, string>> = {
  attempts: 'no attempt is left (retry.attempts)',
  throttles: 'throttled too often (retry.throttles)',
  deadline: 'the next would be past its deadline (retry.deadline)',
};

/** `429 in 17 ms, throttle`, `the connection broke (ECONNRESET) after 10 ms`. */
export function attemptText(attempt: AttemptView): string {
  if (attempt.rolledUp !== undefined) return rolledUpText(attempt);
  const { status, why, ms, row, outcome, resent, hops = [], class: kind } = attempt;
  const took = typeof ms === 'number' ? ms : ms?.total;
  const what = status !== undefined ? String(status) : (why ?? outcome ?? row ?? 'attempted');
  const time =
    took === undefined ? '' : status !== undefined || outcome !== undefined ? ` in ${duration(took)}` : ` after ${duration(took)}`;
  const plain = row === undefined || row === what || kind === 'success';
  return `${what}${time}${openingText(ms)}${hops.length === 0 ? '' : `, redirected to ${hops.map(({ to }) => to).join(', ')}`}${plain ? '' : `, ${row}`}${resent ? ', sent again on a new socket' : ''}`;
}

/** `37 more: 30 throttle, 7 500`, with the time they took. */
export function rolledUpText({ rolledUp = 0, rows = {}, from, to }: AttemptView, since?: string): string {
  const what = Object.entries(rows)
    .sort(([, a], [, b]) => b - a)
    .map(([row, times]) => `${times} × ${row}`);
  const time =
    from === undefined || to === undefined ? '' : `, ${[from, to].map((at) => clock(new Date(at).toISOString(), since)).join(' to ')}`;
  return `${rolledUp} more: ${what.join(', ')}${time}`;
}

/** Opening a socket is worth a word where it took most of the time. */
function openingText(ms: AttemptView['ms']): string {
  if (typeof ms !== 'object') return '';
  const { dns = 0, connect = 0, tls = 0, total } = ms;
  if (dns + connect + tls < 100 || dns + connect + tls < total / 2) return '';
  return ` (${[['dns', dns] as const, ['connect', connect] as const, ['tls', tls] as const].flatMap(([name, took]) => (took > 0 ? `${name} ${duration(took)}` : [])).join(', ')})`;
}

/** What followed from it; empty where it speaks for itself. */
export function decisionText(attempt: AttemptView, since: string): string {
  const { next, over, hint, ignored, class: kind } = attempt;
  const not = ignored === undefined || ignored.length === 0 ? '' : `; ignored: ${ignored.join(', ')}`;
  if (over !== undefined) return `given up: ${OVER[over] ?? over}${not}`;
  if (next !== undefined) {
    const because = hint === undefined ? 'back-off' : `${hint.source} says ${duration(hint.delay)}`;
    return `again at ${clock(new Date(next).toISOString(), since)} (${because})${not}`;
  }
  if (kind === 'permanent' || kind === 'auth') return `final${not}`;
  return not.slice(2);
}

/** What user code got, on one line. A reply's body is what tells of it. */
export function valueText(value: unknown, length: number): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'object' && 'status' in value && 'headers' in value) {
    const { text } = value as { text?: unknown };
    return typeof text === 'string' ? cut(text, length) : '';
  }
  return cut(typeof value === 'string' ? value : JSON.stringify(value), length);
}
