/**
 * Lists of runs: newest first, bounded work a page, filters applied to what was read.
 * A page may hold fewer items than asked for, even none, and still have a next one. Runs are listed as far back as finished ones are kept.
 */
import type { RunFilter, RunStore, RunSummary } from '../engine/ports.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import { hourBuckets, hourOf, type Item, recentOrder, timeOfOrder } from './item-keys.ts';
import { newestFirst } from './newest-first.ts';
import { runExpiresAt, summaryFromItem } from './run-item.ts';
import type { RunTable } from './run-table.ts';

const HOUR_MS = 3_600_000;
/** Clocks of those who create runs may be ahead of ours. */
const SKEW_MS = 5 * 60_000;
/** One page reads at most this many runs and looks at this many hours: more when somebody is already paging back. */
const MOST_READ = 1_000;
const FIRST_HOURS = 24;
const NEXT_HOURS = 96;
/** Hours that are read at once, after one, two, four. */
const MOST_AT_ONCE = 8;
const MOST_A_QUERY = 100;

export function runLists(runs: RunTable): Pick<RunStore, 'list'> {
  return {
    async list(filter, { limit, after, now }) {
      const items: RunSummary[] = [];
      let place = after === undefined ? recentOrder(now + SKEW_MS) : decodeCursor(after);
      let read = 0;
      // A filter makes a small limit no small read.
      const pageSize = Object.keys(filter).length > 0 ? MOST_A_QUERY : Math.min(MOST_A_QUERY, limit + 1);
      const visit = (item: Item, order: string): boolean => {
        place = order;
        const summary = summaryFromItem(item);
        if (matches(summary, filter)) items.push(summary);
        return items.length < limit && ++read < MOST_READ;
      };
      // What is older than the oldest finished run that is still kept.
      const oldest = now - (runExpiresAt(0, runs.retentionDays) * 1_000 + HOUR_MS);
      let hoursLeft = after === undefined ? FIRST_HOURS : NEXT_HOURS;
      if (timeOfOrder(place) < oldest) return { items };
      for (let atOnce = 1; hoursLeft > 0; atOnce = Math.min(MOST_AT_ONCE, atOnce * 2)) {
        const newest = hourOf(timeOfOrder(place) - (place.includes('#') ? 0 : 1));
        const hours = Array.from({ length: Math.min(atOnce, hoursLeft) }, (_, back) => newest - back * HOUR_MS);
        const done = await newestFirst(runs, hours.flatMap(hourBuckets), place, pageSize, visit);
        if (!done) return { items, next: encodeCursor(place) };
        place = recentOrder(hours.at(-1)!);
        hoursLeft -= hours.length;
        if (timeOfOrder(place) < oldest) return { items };
      }
      return { items, next: encodeCursor(place) };
    },
  };
}

function matches(run: RunSummary, filter: RunFilter): boolean {
  return (
    (filter.workflow === undefined || run.workflow === filter.workflow) &&
    (filter.status === undefined || run.status === filter.status) &&
    (filter.tenant === undefined || run.tenant === filter.tenant)
  );
}
