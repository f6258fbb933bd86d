/**
 * The durable side of one run in one worker: claim, flush, park, finish, each conditional on what this worker last read or
 * wrote. Whoever finds another's nonce or segment has lost the run and stops. Knows nothing of user code.
 */
import { toErrorData } from './errors.ts';
import { FINAL_ITEM_BYTES, fits, INLINE_INPUT_BYTES, INLINE_ITEM_BYTES } from './item-size.ts';
import { type Entry, encodeEntries, splitEntries } from './journal.ts';
import { externalise, externaliseEntries, externaliseResult } from './payloads.ts';
import type { Clock, EngineEvent, Entropy, Observer, Outcome, PayloadStore, RunRecord, Stub, WorkStore, Written } from './ports.ts';

/** The sweeper looks this long after the lease has ended, and after a wake should have come. */
export const DUE_MARGIN_MS = 60_000;
const WRITE_TRIES = 4;

/** Another worker owns the run now. Internal: user code never sees it. */
export class LostLineage extends Error {
  override readonly name = 'LostLineage';
  readonly found: RunRecord | Stub | undefined;
  constructor(found: RunRecord | Stub | undefined) {
    super('the run is owned by another worker');
    this.found = found;
  }
}

export type LineagePorts = { store: WorkStore; payloads: PayloadStore; clock: Clock; entropy: Entropy; observe: Observer };

export type Park = {
  status: 'waiting' | 'paused';
  wakeAt?: number;
  due: number;
  reason?: RunRecord['reason'];
  idleWakes: number;
};

export type Finish = { status: 'succeeded' | 'failed' | 'cancelled'; outcome: { value: string } | { error: RunRecord['reason'] & {} } };

export type Lineage = {
  readonly record: RunRecord;
  readonly exists: boolean;
  /** Entries known to be durable. */
  readonly durable: number;
  /** This worker may send effects until then (ms since the epoch); 0 without a lease. */
  readonly leasedUntil: number;
  /** Makes the entries durable and takes the lease. */
  flush(entries: readonly Entry[]): Promise<void>;
  /** Takes the lease without new entries. `crash`: because an earlier worker died on this run. */
  claim(crash: boolean): Promise<void>;
  /** Something was put into the inbox since it was read. Asks the store, and writes nothing. */
  inboxMoved(): Promise<boolean>;
  /** `inbox`: something was put there since it was read; nothing is parked. */
  park(entries: readonly Entry[], park: Park): Promise<'parked' | 'inbox'>;
  finish(entries: readonly Entry[], finish: Finish): Promise<'finished' | 'inbox'>;
};

export function openLineage(options: {
  record: RunRecord;
  exists: boolean;
  /** The journal as loaded. */
  entries: readonly Entry[];
  ports: LineagePorts;
  owner: string;
  /** When a lease taken now ends. */
  leaseUntil: number;
}): Lineage {
  const { ports, owner, leaseUntil } = options;
  const { store, clock } = ports;
  // Fixed now and not at the first write: user code may read it before there is one.
  let record: RunRecord = { ...options.record, startedAt: options.record.startedAt ?? clock.now() };
  let exists = options.exists;
  let durable = options.entries.length;
  let leased = false;
  let last: Entry | undefined = options.entries.at(-1);
  let inline: readonly Entry[] = options.record.spilled ? [] : options.entries;

  const note = (what: Extract<EngineEvent, { type: 'run.written' }>['what']) =>
    ports.observe({ type: 'run.written', run: record.id, workflow: record.workflow, what });

  /** A write repeated with the same bytes and nonce until the service has answered. */
  async function persist<T>(write: () => Promise<T>): Promise<T> {
    for (let tried = 1; ; tried++) {
      try {
        return await write();
      } catch (error) {
        if (tried === WRITE_TRIES) throw error;
        ports.observe({ type: 'engine.error', run: record.id, error: toErrorData(error, 'E_INTERNAL') });
        await new Promise<void>((done) => clock.timer(50 * 3 ** (tried - 1) * (0.5 + ports.entropy.random()), done));
      }
    }
  }

  /** Writes `RUN`. False: only the inbox counter had moved. */
  async function write(next: RunRecord, anyInbox: boolean): Promise<boolean> {
    const expect = record.nonce;
    const written: Written = await persist(() => (exists ? store.replace(next, expect, { anyInbox }) : store.create(next)));
    if (!written.ok) {
      const { found } = written;
      const own = found && !('stub' in found) && found.nonce === next.nonce;
      if (!own) {
        const moved = exists ? found && !('stub' in found) && found.nonce === expect : found === undefined || 'stub' in found;
        if (moved) return false;
        throw new LostLineage(found);
      }
    }
    exists = true;
    record = next;
    return true;
  }

  const working = (crashes: number): RunRecord => {
    const { wakeAt: _wakeAt, reason: _reason, inboxSeen: _seen, ...rest } = record;
    return {
      ...rest,
      status: 'running',
      nonce: ports.entropy.id(),
      lease: { owner, until: leaseUntil },
      due: leaseUntil + DUE_MARGIN_MS,
      crashes,
    };
  };

  /** A first write does not know the counter of a stub that came meanwhile: it takes what is there and goes on. */
  async function writeWorking(next: RunRecord): Promise<void> {
    let { inbox } = next;
    while (!(await write({ ...next, inbox }, true))) {
      const found = (await store.load([record.id])).get(record.id);
      if (found && !('stub' in found)) throw new LostLineage(found);
      inbox = found?.inbox ?? 0;
    }
    // What came meanwhile has not been read: parking and finishing must still notice it.
    record = { ...record, inbox: next.inbox };
  }

  async function slim(next: RunRecord): Promise<RunRecord> {
    if (!('text' in next.input)) return next;
    return { ...next, input: await externalise(next.id, next.input.text, ports.payloads, INLINE_INPUT_BYTES) };
  }

  async function appendSegments(entries: readonly Entry[]): Promise<void> {
    for (const part of splitEntries(entries)) {
      const segment = {
        incarnation: record.incarnation,
        life: record.createdAt,
        first: durable,
        count: part.length,
        nonce: ports.entropy.id(),
        data: encodeEntries(part),
      };
      const put = await persist(() => store.append(record.id, segment));
      if (!put.ok && put.found.nonce !== segment.nonce) throw new LostLineage(undefined);
      note('segment');
      durable += part.length;
      last = part.at(-1);
    }
  }

  async function flush(raw: readonly Entry[]): Promise<void> {
    const entries = await externaliseEntries(record.id, raw, ports.payloads);
    if (record.spilled) {
      if (!leased) {
        await writeWorking(working(0));
        leased = true;
        note('claim');
      }
      await appendSegments(entries);
      return;
    }
    const next = await slim(working(0));
    const all = [...inline, ...entries];
    const journal = encodeEntries(all);
    const what = !exists ? 'create' : leased ? 'flush' : 'claim';
    if (fits(next, journal, INLINE_ITEM_BYTES)) {
      await writeWorking({ ...next, journal, journalLength: all.length });
      leased = true;
      inline = all;
      durable = all.length;
      last = all.at(-1) ?? last;
      note(what);
      return;
    }
    await writeWorking({ ...next, spilled: true });
    leased = true;
    note('spill');
    await appendSegments(entries);
  }

  /** The inbox has moved, so the run goes on from its journal: what was received must be in it. */
  async function keep(entries: readonly Entry[]): Promise<'inbox'> {
    if (entries.length > 0) await flush(entries);
    return 'inbox';
  }

  return {
    get record() {
      return record;
    },
    get exists() {
      return exists;
    },
    get durable() {
      return durable;
    },
    get leasedUntil() {
      return leased ? (record.lease?.until ?? 0) : 0;
    },

    flush,

    async inboxMoved() {
      const found = (await store.load([record.id])).get(record.id);
      return found !== undefined && found.inbox > record.inbox;
    },

    async claim(crash) {
      await writeWorking(await slim(working(crash ? record.crashes + 1 : record.crashes)));
      leased = true;
      note('claim');
    },

    async park(raw, park) {
      const entries = await externaliseEntries(record.id, raw, ports.payloads);
      const parked = (): RunRecord => {
        const { lease: _lease, wakeAt: _wakeAt, reason: _reason, ...rest } = record;
        return {
          ...rest,
          status: park.status,
          nonce: ports.entropy.id(),
          crashes: 0,
          idleWakes: park.idleWakes,
          inboxSeen: record.inbox,
          due: park.due,
          ...(park.wakeAt === undefined ? {} : { wakeAt: park.wakeAt }),
          ...(park.reason === undefined ? {} : { reason: park.reason }),
        };
      };
      if (!record.spilled) {
        const next = await slim(parked());
        const all = [...inline, ...entries];
        const journal = encodeEntries(all);
        if (fits(next, journal, INLINE_ITEM_BYTES)) {
          if (!(await write({ ...next, journal, journalLength: all.length }, false))) return keep(entries);
          inline = all;
          durable = all.length;
          leased = false;
          note('park');
          return 'parked';
        }
        await flush(entries);
        entries.length = 0;
      }
      if (entries.length > 0 || last?.k !== 'park') {
        await flush([...entries, { k: 'park', at: clock.now(), ...(park.wakeAt === undefined ? {} : { wakeAt: park.wakeAt }) }]);
      }
      if (!(await write(parked(), false))) return 'inbox';
      leased = false;
      note('park');
      return 'parked';
    },

    async finish(raw, finish) {
      const entries = await externaliseEntries(record.id, raw, ports.payloads);
      const outcome: Outcome =
        'value' in finish.outcome ? { value: await externaliseResult(record.id, finish.outcome.value, ports.payloads) } : finish.outcome;
      const ended = (): RunRecord => {
        const { lease: _lease, wakeAt: _wakeAt, reason: _reason, due: _due, ...rest } = record;
        return {
          ...rest,
          status: finish.status,
          nonce: ports.entropy.id(),
          endedAt: clock.now(),
          crashes: 0,
          outcome,
        };
      };
      if (!record.spilled) {
        const all = [...inline, ...entries];
        const journal = encodeEntries(all);
        const next = ended();
        const size = journal.length + Buffer.byteLength(JSON.stringify(outcome));
        if (size <= FINAL_ITEM_BYTES && fits(next, journal, FINAL_ITEM_BYTES + INLINE_ITEM_BYTES)) {
          if (!(await write({ ...next, journal, journalLength: all.length }, false))) return keep(entries);
          durable = all.length;
          note('finish');
          return 'finished';
        }
        await writeWorking({ ...(await slim(working(0))), spilled: true });
        leased = true;
        note('spill');
      }
      if (last?.k !== 'end') await flush([...entries, { k: 'end', at: clock.now(), status: finish.status, outcome }]);
      // The end is in the journal: what came into the inbox since then came too late.
      if (!(await write(ended(), true))) throw new LostLineage(undefined);
      note('finish');
      return 'finished';
    },
  };
}
