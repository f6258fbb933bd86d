/** The run store in maps: the reference of the store contract, with places to break it and a count of its writes. */
import { HoldfastError } from '../engine/errors.ts';
import type {
  DeadLetter,
  DeadLetterFilter,
  InboxItem,
  Page,
  RunFilter,
  RunRecord,
  RunStore,
  RunSummary,
  Segment,
  Stub,
  Written,
} from '../engine/ports.ts';
import { type Faults, withFaults } from './faults.ts';

export type WriteKind = 'create' | 'replace' | 'append' | 'inbox' | 'counter' | 'pushDue' | 'deadLetter' | 'purge';

export type MemoryRunStore = RunStore & {
  /** Writes that reached the store, by kind; a refused condition counts, as DynamoDB charges for it. */
  readonly counts: Record<WriteKind, number>;
  /** Their sum. */
  writes(): number;
  /** What is there, past all hooks, for assertions. */
  peek(id: string): RunRecord | Stub | undefined;
  peekSegments(id: string): Segment[];
};

const FINAL: ReadonlySet<string> = new Set(['succeeded', 'failed', 'cancelled']);
const ORDER_DIGITS = 15;

const isRun = (found: RunRecord | Stub | undefined): found is RunRecord => found !== undefined && !('stub' in found);
const order = (at: number, id: string) => `${String(at).padStart(ORDER_DIGITS, '0')}#${id}`;

export function memoryRunStore(options: Faults = {}): MemoryRunStore {
  const runs = new Map<string, RunRecord | Stub>();
  const segments = new Map<string, Segment[]>();
  const inboxes = new Map<string, Map<string, InboxItem>>();
  const letters = new Map<string, DeadLetter>();
  const counts: Record<WriteKind, number> = { create: 0, replace: 0, append: 0, inbox: 0, counter: 0, pushDue: 0, deadLetter: 0, purge: 0 };

  const at = <T>(op: string, id: string, apply: () => T) => withFaults(options, op, id, apply);
  const found = (id: string): RunRecord | Stub | undefined => structuredClone(runs.get(id));
  const refused = (record: RunRecord): Written => {
    const there = found(record.id);
    return isRun(there) && there.nonce === record.nonce ? { ok: true } : { ok: false, found: there };
  };
  const segmentsOf = (id: string) => segments.get(id) ?? [];

  return {
    counts,
    writes: () => Object.values(counts).reduce((sum, count) => sum + count, 0),
    peek: found,
    peekSegments: (id) => structuredClone(segmentsOf(id)),

    load: (ids) =>
      at('load', ids[0] ?? '', () => {
        const answer = new Map<string, RunRecord | Stub>();
        for (const id of ids) {
          const there = found(id);
          if (there) answer.set(id, there);
        }
        return answer;
      }),
    segments: ({ id, incarnation, createdAt }) =>
      at('segments', id, () => {
        const mine = segmentsOf(id).filter((segment) => segment.incarnation === incarnation && segment.life === createdAt);
        return structuredClone(mine).sort((a, b) => a.first - b.first);
      }),
    inbox: (id) =>
      at('inbox', id, () =>
        structuredClone([...(inboxes.get(id)?.values() ?? [])]).sort((a, b) => a.at - b.at || (a.key < b.key ? -1 : 1)),
      ),

    create: (record) =>
      at('create', record.id, () => {
        counts.create++;
        const there = runs.get(record.id);
        if (there && (isRun(there) || there.inbox !== record.inbox)) return refused(record);
        runs.set(record.id, structuredClone(record));
        return { ok: true };
      }),
    replace: (record, expect, { anyInbox = false } = {}) =>
      at('replace', record.id, () => {
        counts.replace++;
        const there = runs.get(record.id);
        if (!isRun(there) || there.nonce !== expect || (!anyInbox && there.inbox !== record.inbox)) return refused(record);
        runs.set(record.id, { ...structuredClone(record), inbox: there.inbox });
        return { ok: true };
      }),
    append: (id, segment) =>
      at('append', id, () => {
        counts.append++;
        const others = segmentsOf(id).filter((other) => other.incarnation !== segment.incarnation || other.first !== segment.first);
        const there = segmentsOf(id).find((other) => !others.includes(other));
        if (there?.life === segment.life)
          return there.nonce === segment.nonce ? { ok: true as const } : { ok: false as const, found: structuredClone(there) };
        segments.set(id, [...others, structuredClone(segment)]);
        return { ok: true as const };
      }),

    async deliver(id, item, now) {
      await at('deliver', id, () => {
        counts.inbox++;
        const inbox = inboxes.get(id) ?? new Map<string, InboxItem>();
        if (!inbox.has(item.key)) inbox.set(item.key, structuredClone(item));
        inboxes.set(id, inbox);
      });
      return at('counter', id, () => {
        counts.counter++;
        const there = runs.get(id) ?? { id, stub: true, inbox: 0 };
        const raised = { ...there, inbox: there.inbox + 1 };
        runs.set(id, isRun(raised) && !FINAL.has(raised.status) ? { ...raised, due: now } : raised);
        return structuredClone(runs.get(id) as RunRecord | Stub);
      });
    },

    due: (until, limit) =>
      at('due', '', () => {
        const hints: Array<{ id: string; due: number }> = [];
        for (const run of runs.values())
          if (isRun(run) && run.due !== undefined && run.due < until) hints.push({ id: run.id, due: run.due });
        return hints.sort((a, b) => a.due - b.due || (a.id < b.id ? -1 : 1)).slice(0, limit);
      }),
    pushDue: (id, from, to) =>
      at('pushDue', id, () => {
        counts.pushDue++;
        const there = runs.get(id);
        if (!isRun(there) || there.due !== from) return false;
        runs.set(id, { ...there, due: to });
        return true;
      }),

    list: (filter, { limit, after }) =>
      at('list', '', () => {
        const all = [...runs.values()].filter((run): run is RunRecord => isRun(run) && run.deletedAt === undefined && matches(run, filter));
        return page(all, (run) => order(run.createdAt, run.id), limit, after, summary);
      }),
    putDeadLetter: (letter) =>
      at('putDeadLetter', letter.id, () => {
        counts.deadLetter++;
        if (!letters.has(letter.id)) letters.set(letter.id, structuredClone(letter));
      }),
    listDeadLetters: ({ limit, after, filter = {} }) =>
      at('listDeadLetters', '', () =>
        page(
          [...letters.values()].filter((letter) => isLike(letter, filter)),
          (letter) => order(letter.firstSeen, letter.id),
          limit,
          after,
          (letter) => structuredClone(letter),
        ),
      ),
    deadLetters: (ids) =>
      at('deadLetters', ids[0] ?? '', () => structuredClone([...letters.values()].filter((letter) => ids.includes(letter.id)))),
    removeDeadLetter: (id) =>
      at('removeDeadLetter', id, () => {
        counts.deadLetter++;
        return letters.delete(id);
      }),
    purge: (id, expect, { nonce, now }) =>
      at('purge', id, () => {
        counts.purge++;
        const there = runs.get(id);
        if (!isRun(there) || there.nonce !== expect || !FINAL.has(there.status)) return false;
        const { journal: _journal, outcome: _outcome, reason: _reason, traceparent: _traceparent, ...rest } = there;
        runs.set(id, { ...rest, nonce, input: { text: '' }, deletedAt: there.deletedAt ?? now });
        segments.delete(id);
        inboxes.delete(id);
        return true;
      }),
  };
}

function matches(run: RunRecord, filter: RunFilter): boolean {
  return (
    (filter.workflow === undefined || run.workflow === filter.workflow) &&
    (filter.status === undefined || run.status === filter.status) &&
    (filter.tenant === undefined || run.tenant === filter.tenant)
  );
}

function isLike(letter: DeadLetter, filter: DeadLetterFilter): boolean {
  return (
    (filter.workflow === undefined || letter.workflow === filter.workflow) &&
    (filter.tenant === undefined || letter.tenant === filter.tenant) &&
    (filter.code === undefined || letter.reason.code === filter.code)
  );
}

function summary(run: RunRecord): RunSummary {
  const { id, tenant, workflow, version, status, createdAt, startedAt, endedAt, wakeAt, reason } = structuredClone(run);
  return {
    id,
    tenant,
    workflow,
    version,
    status,
    createdAt,
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(endedAt === undefined ? {} : { endedAt }),
    ...(wakeAt === undefined ? {} : { wakeAt }),
    ...(reason === undefined ? {} : { reason }),
  };
}

function page<T, R>(all: T[], orderOf: (item: T) => string, limit: number, after: string | undefined, show: (item: T) => R): Page<R> {
  const before = after === undefined ? undefined : Buffer.from(after, 'base64url').toString();
  if (before !== undefined && !/^\d{15}#/.test(before)) {
    throw new HoldfastError('E_REQUEST_INVALID', 'after: not a cursor of this list; leave it out to begin at the newest', {
      detail: { field: 'after' },
    });
  }
  const rest = all.filter((item) => before === undefined || orderOf(item) < before).sort((a, b) => (orderOf(a) < orderOf(b) ? 1 : -1));
  const items = rest.slice(0, limit);
  const last = items.at(-1);
  return { items: items.map(show), ...(last && rest.length > limit ? { next: Buffer.from(orderOf(last)).toString('base64url') } : {}) };
}
