/**
 * What people do to a run from outside: cancel, resume, settle an unknown call, redrive, delete. Each is one durable step
 * (an inbox item, or one conditional write of the run) followed by a wake; what then happens is the worker's.
 */
import { CANCEL } from './cancel.ts';
import { HoldfastError } from './errors.ts';
import { type Late, readHistory, VERDICT } from './history.ts';
import { fits, INLINE_INPUT_BYTES, INLINE_ITEM_BYTES } from './item-size.ts';
import { type Entry, encodeEntries, splitEntries } from './journal.ts';
import type { Json } from './json.ts';
import { externalise } from './payloads.ts';
import type { Clock, Entropy, InboxItem, PayloadRemoval, PayloadStore, RunRecord, RunStatus, RunStore, WakeQueue } from './ports.ts';
import { readJournal } from './read-journal.ts';
import { planRedrive } from './redrive.ts';
import { addressOf } from './wakes.ts';

export type Operating = {
  store: RunStore;
  payloads: PayloadStore & PayloadRemoval;
  wake: WakeQueue;
  clock: Clock;
  entropy: Entropy;
  /** What was asked for is durable and due, and the sweeper comes within a minute: a wake that fails makes it late, not wrong. */
  onWakeFailed?: (run: string, error: unknown) => void;
};

/** Who wanted it and why: kept with it, for people. */
export type About = { by?: string; why?: string };

/** What a person found out about a call of which nobody knew whether it happened. */
export type Settlement =
  /** It did, and this is what user code gets: of a call `{ status, headers?, data? }`, of a step its result. */
  | { outcome: 'happened'; value?: Json }
  /** It did not: it is sent again as new. */
  | { outcome: 'not-happened' }
  /** It will not be settled: user code gets an `UnknownOutcomeError`. */
  | { outcome: 'failed'; message?: string };

export const FINAL: ReadonlySet<RunStatus> = new Set(['succeeded', 'failed', 'cancelled']);
/** Each further try answers a run that moved meanwhile. */
const TRIES = 5;

/**
 * Asks an unfinished run to end. It sees it at its next await, with effects in flight finished first; a second request changes
 * nothing. Throws `E_NOT_APPLICABLE`.
 */
export async function cancelRun(ports: Operating, run: RunRecord, about: About): Promise<void> {
  const { incarnation } = run;
  const item = { key: `${CANCEL}:${incarnation}`, kind: CANCEL, data: { incarnation, ...about } };
  await deliver(ports, run, item, 'it has ended, and there is nothing to cancel');
}

/** Lets a paused run try again. Throws `E_NOT_APPLICABLE`. */
export async function resumeRun(ports: Operating, run: RunRecord, about: About): Promise<void> {
  if (run.status !== 'paused') throw notApplicable(run, 'only a paused run is resumed');
  await deliver(ports, run, { key: `resume:${run.nonce}`, kind: 'resume', data: about as Json }, 'it has ended meanwhile');
}

/** `seq`: of any journal entry of the call. Of several verdicts before the run has read one, the last counts. Throws `E_NOT_APPLICABLE`, `E_REQUEST_INVALID` with `detail.pointer`. */
export async function settleCall(ports: Operating, run: RunRecord, seq: number, settlement: Settlement, about: About): Promise<void> {
  if (FINAL.has(run.status)) throw notApplicable(run, 'it has ended, and no call of it waits for a verdict');
  const entries = await readJournal(run, ports.store);
  const entry = entries[seq];
  if (!entry || !('op' in entry)) {
    throw notApplicable(run, `entry ${seq} of its journal ${entry ? 'is of no call' : 'does not exist'}`);
  }
  const { op, label } = entry;
  const known = readHistory(entries, []).progress.get(op);
  const over = entries.some((other) => (other.k === 'done' || other.k === 'fail' || other.k === 'settled') && other.op === op);
  if (over || !known?.unknown) {
    throw notApplicable(run, `${label} is ${over ? 'over' : 'not unknown'}: only a call whose outcome nobody knows is settled`);
  }
  const asked = entries.findLast((other) => other.k === 'unknown' && other.op === op);
  const late = verdict(settlement, {
    label,
    kind: kindOf(asked, label),
    attempt: known.attempt,
    incarnation: run.incarnation,
  });
  await deliver(
    ports,
    run,
    { key: `${VERDICT}:${op}:${ports.entropy.id()}`, kind: VERDICT, data: { op, ...late, ...about } as unknown as Json },
    'it has ended meanwhile',
  );
}

/**
 * Starts a failed run again from the call whose error ended it, or from the failure at journal entry `from`. `asNew`: calls that
 * are made again go out with idempotency keys that were never used, so that an API which answers the former ones from its memory does them anew;
 * told are the ids of those calls.
 * Throws `E_NOT_APPLICABLE`: with what had an effect after that, where something had; and where nothing has a key that could be new.
 */
export async function redriveRun(
  ports: Operating,
  run: RunRecord,
  how: { from?: number; asNew?: boolean },
  about: About,
): Promise<{ from: number; asNew: string[] }> {
  const { store, payloads, clock, entropy } = ports;
  if (run.deletedAt !== undefined) throw notApplicable(run, 'it was deleted');
  if (run.status !== 'failed') throw notApplicable(run, 'only a failed run is redriven');
  const plan = planRedrive(await readJournal(run, store), run.outcome, how);
  const incarnation = await nextIncarnation(store, run);
  const { cut, again, epochs, asNew } = plan;
  const mark: Entry = {
    k: 'redrive',
    at: clock.now(),
    incarnation,
    cut,
    again,
    ...(Object.keys(epochs).length === 0 ? {} : { epochs }),
    ...(asNew.length === 0 ? {} : { asNew }),
    ...about,
  };
  const entries: Entry[] = [...plan.entries, mark];
  const { outcome: _outcome, endedAt: _endedAt, inboxSeen: _seen, idleWakes: _idle, journal: _journal, ...rest } = run;
  const next: RunRecord = {
    ...rest,
    status: 'queued',
    incarnation,
    nonce: entropy.id(),
    crashes: 0,
    due: clock.now(),
    input: 'text' in run.input ? await externalise(run.id, run.input.text, payloads, INLINE_INPUT_BYTES) : run.input,
    spilled: false,
    journalLength: 0,
  };
  const journal = encodeEntries(entries);
  const whole: RunRecord = fits(next, journal, INLINE_ITEM_BYTES)
    ? { ...next, journal, journalLength: entries.length }
    : { ...next, spilled: true };
  if (whole.spilled) await putSegments(ports, whole, entries);
  for (let tried = 0; ; tried++) {
    const inbox = tried === 0 ? run.inbox : ((await store.load([run.id])).get(run.id)?.inbox ?? run.inbox);
    const written = await store.replace({ ...whole, inbox }, run.nonce);
    if (written.ok) break;
    const { found } = written;
    if (!found || 'stub' in found || found.nonce !== run.nonce || tried === TRIES) {
      throw notApplicable(found && !('stub' in found) ? found : run, 'somebody else has changed it meanwhile');
    }
  }
  await wakeUp(ports, run);
  return { from: cut, asNew };
}

/** Removes a finished run with its journal and payloads; its key stays bound. Repeating it is harmless. Throws `E_NOT_APPLICABLE`. */
export async function deleteRun(ports: Operating, run: RunRecord): Promise<void> {
  const { store, payloads, clock, entropy } = ports;
  if (!FINAL.has(run.status)) throw notApplicable(run, 'only a run that has ended is deleted: cancel it first');
  if (!(await store.purge(run.id, run.nonce, { nonce: entropy.id(), now: clock.now() }))) {
    const found = (await store.load([run.id])).get(run.id);
    const there = found && !('stub' in found) ? found : run;
    // Ours, whose answer was lost, or another's who wanted the same: it may have been interrupted.
    if (there.deletedAt !== undefined && run.deletedAt === undefined) return deleteRun(ports, there);
    throw notApplicable(there, 'somebody else has changed it meanwhile');
  }
  await payloads.removeAll(`runs/${run.id}/`);
}

/** After what a redrive that died half-way has left behind: its segments are no run's. */
async function nextIncarnation(store: RunStore, run: RunRecord): Promise<number> {
  let incarnation = run.incarnation + 1;
  while ((await store.segments({ ...run, incarnation })).length > 0) incarnation += 1;
  return incarnation;
}

/** The run before its journal would be half a run: the segments first. */
async function putSegments({ store, entropy }: Operating, run: RunRecord, entries: readonly Entry[]): Promise<void> {
  let first = 0;
  for (const part of splitEntries(entries)) {
    const put = await store.append(run.id, {
      incarnation: run.incarnation,
      life: run.createdAt,
      first,
      count: part.length,
      nonce: entropy.id(),
      data: encodeEntries(part),
    });
    if (!put.ok) throw notApplicable(run, 'somebody else is redriving it');
    first += part.length;
  }
}

async function deliver(ports: Operating, run: RunRecord, item: Omit<InboxItem, 'at'>, ended: string): Promise<void> {
  if (FINAL.has(run.status)) throw notApplicable(run, ended);
  const now = ports.clock.now();
  const there = await ports.store.deliver(run.id, { ...item, at: now }, now);
  // One that was redriven meanwhile is another: nobody will read it.
  if ('stub' in there || FINAL.has(there.status) || there.incarnation !== run.incarnation)
    throw notApplicable('stub' in there ? run : there, ended);
  await wakeUp(ports, run);
}

async function wakeUp({ wake, onWakeFailed }: Operating, run: RunRecord): Promise<void> {
  try {
    await wake.wake([addressOf(run)]);
  } catch (error) {
    onWakeFailed?.(run.id, error);
  }
}

/** Journals of version 0.1 do not tell it. */
function kindOf(asked: Entry | undefined, label: string): string {
  if (asked?.k === 'unknown' && asked.kind !== undefined) return asked.kind;
  return label.startsWith('step ') ? 'step' : 'call';
}

function verdict(settlement: Settlement, call: { label: string; kind: string; attempt: number; incarnation: number }): Late {
  const { attempt, incarnation } = call;
  switch (settlement.outcome) {
    case 'not-happened':
      return { incarnation, attempt, resend: true };
    case 'failed': {
      const why = settlement.message ?? 'nobody could find out whether it happened';
      return { incarnation, attempt, error: { code: 'E_UNKNOWN_OUTCOME', name: 'UnknownOutcomeError', message: `${call.label}: ${why}` } };
    }
    case 'happened':
      if (call.kind === 'call' && !isReply(settlement.value)) {
        throw new HoldfastError(
          'E_REQUEST_INVALID',
          `${call.label} is a call: its value must be the reply, { "status": 200–599, "headers"?: { … }, "data"?: … }`,
          { detail: { pointer: '/value' } },
        );
      }
      return { incarnation, attempt, given: settlement.value ?? null };
  }
}

function isReply(value: Json | undefined): boolean {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return false;
  const { status, headers = {}, ...more } = value;
  const known = Object.keys(more).every((name) => name === 'data');
  const texts = headers !== null && typeof headers === 'object' && !Array.isArray(headers);
  return known && texts && Number.isInteger(status) && Number(status) >= 200 && Number(status) <= 599 && onlyTexts(headers);
}

const onlyTexts = (headers: object): boolean => Object.values(headers).every((value) => typeof value === 'string');

function notApplicable(run: Pick<RunRecord, 'id' | 'status'>, why: string): HoldfastError {
  return new HoldfastError('E_NOT_APPLICABLE', `run ${run.id} is ${run.status}: ${why}`, { detail: { status: run.status } });
}
