/** A journal entry as one line of progress. Pure. */
import type { JournalItem } from '../api-types.ts';
import type { Paint } from '../tools.ts';
import { countOf } from './calls.ts';
import { cut } from './table.ts';
import { between, duration } from './time.ts';
import { attemptText } from './words.ts';

/** Undefined for what is no news: that something is about to be sent, that the run was put down. */
export function progressLine(item: JournalItem, paint: Paint): string | undefined {
  const label = item.label ?? '';
  const attempts = item.attempts ?? [];
  const last = attempts.at(-1);
  const told = last === undefined ? '' : `  ${attemptText(last)}`;
  const again = attempts.length > 1 ? ` (${countOf(attempts)} attempts)` : '';
  switch (item.type) {
    case 'settled':
    case 'done':
      return `  ${paint('green', '✓')} ${label}${paint('dim', `${told}${again}`)}`;
    case 'fail':
      return `  ${paint('red', '✗')} ${label}  ${paint('red', cut(`${item.error?.code}: ${item.error?.message}`, 120))}`;
    case 'retry': {
      const wait = item.next === undefined ? '' : duration(between(item.at, item.next));
      return `  ${paint('cyan', '…')} ${label}${paint('dim', `${told}${last === undefined ? ' ' : ';'} put down for ${wait}`)}`;
    }
    case 'unknown':
      return `  ${paint('red', '?')} ${label}${paint('dim', told)}  ${paint('red', 'outcome not known')}`;
    case 'unsent':
      return `  ${paint('yellow', '…')} ${label}${paint('dim', '  it did not happen; sent again')}`;
    case 'cancel':
      return `  ${paint('yellow', 'cancelled')}${item.why === undefined ? '' : `: ${item.why}`}`;
    case 'redrive':
      return `  ${paint('yellow', `redriven from entry ${item.from}${item.asNew === undefined ? '' : ' as new'}`)}${item.why === undefined ? '' : `: ${item.why}`}`;
    default:
      return undefined;
  }
}
