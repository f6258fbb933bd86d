/** What stops a connection and for how long, in words: a line of a table, and everything that is known of one. Pure. */
import type { ConnectionItem } from '../api-types.ts';
import type { Paint } from '../tools.ts';
import { stateStyle } from './status.ts';
import { type Cell, table } from './table.ts';
import { clock, duration } from './time.ts';

type Look = { now: number; paint: Paint; width: number };

export function connectionsTable(items: readonly ConnectionItem[], by: 'connection' | 'account', { now, paint, width }: Look): string {
  const rows = items.map((item): Cell[] => [
    { text: (by === 'account' ? item.account : item.connection) ?? '' },
    { text: item.state, paint: (text) => paint(stateStyle(item.state), text) },
    { text: howLong(item, now) },
    { text: item.breaker.failures === 0 ? '' : failedText(item) },
    { text: String(Math.max(0, ...item.rate.map(({ waiting }) => waiting)) || '') },
    { text: note(item, by), paint: (text) => paint('dim', text) },
  ]);
  return table([by, 'state', 'for', 'last minute', 'waiting', 'note'], rows, width);
}

/** `another 4 min 10 s` of what ends by itself, `3 h so far` of a hold. */
export function howLong(item: ConnectionItem, now: number): string {
  const until = untilOf(item);
  if (until !== undefined) return `another ${duration(Date.parse(until) - now)}`;
  return item.state === 'held' && item.hold ? `${duration(now - Date.parse(item.hold.since))} so far` : '';
}

export function untilOf({ state, gate, breaker, slowStart }: ConnectionItem): string | undefined {
  if (state === 'gated') return gate?.until;
  if (state === 'broken') return breaker.until;
  return state === 'slow-start' ? slowStart?.until : undefined;
}

export function connectionText(item: ConnectionItem, { now, paint }: Pick<Look, 'now' | 'paint'>): string {
  const { account, state, budget } = item;
  const time = howLong(item, now);
  const name = paint('bold', account === undefined ? item.connection : `${item.connection}, account ${account}`);
  const lines = [
    ...holdLine(item),
    ...gateLine(item),
    ['breaker', breakerText(item)],
    ['retries', `${budget.retries} of ${budget.allowed} in a window that ends in ${duration(Date.parse(budget.windowEnds) - now)}`],
    ...item.rate.map((limit): [string, string] => ['rate', rateText(limit, now)]),
    ...inFlightLine(item),
  ];
  const head = `${name}  ${paint(stateStyle(state), state)}${time === '' ? '' : `, ${time}`}`;
  return [head, ...lines.map(([what, text]) => `  ${paint('dim', `${what}`.padEnd(11))}${text}`)].join('\n');
}

const at = (time: string): string => `${clock(time)} UTC`;

function holdLine({ hold }: ConnectionItem): [string, string][] {
  return hold === undefined ? [] : [['hold', `since ${at(hold.since)} by ${hold.by}: ${hold.why}`]];
}

function gateLine({ gate }: ConnectionItem): [string, string][] {
  return gate === undefined ? [] : [['gate', `the API said: not before ${at(gate.until)}`]];
}

function inFlightLine({ concurrency }: ConnectionItem): [string, string][] {
  return concurrency === undefined ? [] : [['in flight', `${concurrency.inUse ?? '?'} of ${concurrency.allowed}`]];
}

function breakerText(item: ConnectionItem): string {
  const { state, until, opens, good = 0, requests } = item.breaker;
  const what =
    state === 'closed'
      ? 'closed'
      : state === 'open'
        ? `open until ${until === undefined ? 'it is tried' : at(until)}, for the ${ordinal(opens)} time in a row`
        : `half-open: one call at a time, ${good} good so far`;
  return requests === 0 && item.breaker.failures === 0 ? what : `${what}; ${failedText(item)} in the last minute`;
}

const failedText = ({ breaker: { requests, failures } }: ConnectionItem): string => `${failures} of ${requests} failed`;

function rateText({ requests, per, burst, waiting, nextAt }: ConnectionItem['rate'][number], now: number): string {
  const limit = `${requests} per ${duration(per)}${burst > 1 ? `, ${burst} at once` : ''}`;
  const booked = waiting === 0 ? 'none waits' : `${waiting} wait${waiting === 1 ? 's' : ''}`;
  const ms = nextAt === undefined ? undefined : Date.parse(nextAt) - now;
  return `${limit}: ${booked}, ${ms === undefined ? 'nobody knows when the next goes' : ms <= 0 ? 'the next goes now' : `the next goes in ${duration(ms)}`}`;
}

function note({ hold, gate, state, perAccount }: ConnectionItem, by: 'connection' | 'account'): string {
  if (hold) return `${hold.by}: ${hold.why}`;
  if (by === 'connection' && perAccount) return 'each account by itself';
  return gate && state !== 'gated' ? `gate until ${at(gate.until)}` : '';
}

function ordinal(n: number): string {
  const last = n % 100 > 10 && n % 100 < 14 ? 0 : n % 10;
  return `${n}${['th', 'st', 'nd', 'rd'][last] ?? 'th'}`;
}
