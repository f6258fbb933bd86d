/** The business effects that happened, counted from the rows themselves: what was not created is not there. Pure. */
import type { Row } from './state.ts';

export type Effect = 'account' | 'note' | 'welcome-email' | 'profile';
export type EffectCount = { effect: Effect; customer: string; count: number };

const KINDS: ReadonlyArray<{ effect: Effect; collection: string; customer(row: Row): string }> = [
  { effect: 'account', collection: 'accounts', customer: (row) => String(row.domain) },
  { effect: 'note', collection: 'notes', customer: (row) => String(row.domain) },
  // A company gets one each night: a second night is not a second time.
  { effect: 'profile', collection: 'profiles', customer: (row) => `${row.domain} ${row.night}` },
  { effect: 'welcome-email', collection: 'messages', customer: (row) => String(row.to).replace(/^.*@/, '') },
];

export function countEffects(rows: (collection: string) => readonly Row[]): EffectCount[] {
  return KINDS.flatMap(({ effect, collection, customer }) => {
    const counts = new Map<string, number>();
    for (const row of rows(collection)) {
      if (row._seeded === true) continue;
      counts.set(customer(row), (counts.get(customer(row)) ?? 0) + 1);
    }
    return [...counts].map(([name, count]) => ({ effect, customer: name, count }));
  });
}
