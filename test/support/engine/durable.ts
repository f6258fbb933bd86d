/** One lineage and the stores beneath it, without any user code: for tests of what is written when, and on which condition. */
import { createHash } from 'node:crypto';
import { decodeEntries, type Entry } from '../../../src/engine/journal.ts';
import { type Lineage, openLineage } from '../../../src/engine/lineage.ts';
import type { EngineEvent, InboxItem, RunRecord, RunStore } from '../../../src/engine/ports.ts';
import { type Faults, memoryPayloadStore, memoryRunStore, seededEntropy, virtualClock } from '../../../src/testing/index.ts';

export const ID = 'run_00000000000000000000000000000000';

export function newRun(fields: Partial<RunRecord> = {}): RunRecord {
  return {
    id: ID,
    tenant: 'default',
    workflow: 'w',
    version: 1,
    engine: 1,
    key: 'k',
    status: 'queued',
    incarnation: 0,
    nonce: 'first',
    createdAt: Date.UTC(2026, 0, 1),
    crashes: 0,
    inbox: 0,
    input: { text: 'null' },
    fingerprint: 'f',
    spilled: false,
    journalLength: 0,
    due: Date.UTC(2026, 0, 1) + 900_000,
    ...fields,
  };
}

/** Text that no compression makes smaller by much. */
export function noise(bytes: number, seed = 'x'): string {
  let text = '';
  for (let i = 0; text.length < bytes; i++) text += createHash('sha512').update(`${seed}${i}`).digest('base64');
  return text.slice(0, bytes);
}

export function result(op: string, value: string): Entry {
  return { k: 'done', op, at: 1, label: op, issued: 1, hash: 'h', value: { text: JSON.stringify(value) } };
}

export function durableRig() {
  const faults: Faults = {};
  const hooks: Faults = { before: (op, id) => faults.before?.(op, id), after: (op, id) => faults.after?.(op, id) };
  const clock = virtualClock();
  const memory = memoryRunStore(hooks);
  const payloads = memoryPayloadStore(hooks);
  const entropy = seededEntropy(3);
  const events: EngineEvent[] = [];
  /** Every write in order, with what it was. */
  const writes: Array<{ op: 'create' | 'replace' | 'append'; ok: boolean; what: RunRecord | { first: number; count: number } }> = [];
  const store: RunStore = {
    ...memory,
    async create(record) {
      const answer = await memory.create(record);
      writes.push({ op: 'create', ok: answer.ok, what: record });
      return answer;
    },
    async replace(record, expect, options) {
      const answer = await memory.replace(record, expect, options);
      writes.push({ op: 'replace', ok: answer.ok, what: record });
      return answer;
    },
    async append(id, segment) {
      const answer = await memory.append(id, segment);
      writes.push({ op: 'append', ok: answer.ok, what: segment });
      return answer;
    },
  };

  function open(record: RunRecord, exists: boolean, entries: readonly Entry[] = [], owner = 'one'): Lineage {
    return openLineage({
      record,
      exists,
      entries,
      ports: { store, payloads, clock, entropy, observe: (event) => void events.push(event) },
      owner,
      leaseUntil: clock.now() + 185_000,
    });
  }

  function record(): RunRecord {
    const found = memory.peek(ID);
    if (!found || 'stub' in found) throw new Error('no run');
    return found;
  }

  function journal(): Entry[] {
    const run = record();
    return [
      ...(run.journal ? decodeEntries(run.journal) : []),
      ...[...memory.peekSegments(ID)].sort((a, b) => a.first - b.first).flatMap((segment) => decodeEntries(segment.data)),
    ];
  }

  return {
    faults,
    clock,
    store: memory,
    payloads,
    events,
    writes,
    open,
    /** Another worker, as it would load the run now. */
    reopen: (owner = 'two') => open(record(), true, journal(), owner),
    record,
    journal,
    signal: (item: Partial<InboxItem> = {}) => memory.deliver(ID, { key: 's', at: 0, kind: 'signal', data: null, ...item }, clock.now()),
    ops: () => writes.map((write) => write.op),
  };
}

export const waiting = (wakeAt: number) => ({ status: 'waiting' as const, wakeAt, due: wakeAt + 60_000, idleWakes: 0 });
export const succeeded = (value: unknown) => ({ status: 'succeeded' as const, outcome: { value: JSON.stringify(value) } });
