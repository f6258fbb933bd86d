/**
 * What the sweeper does with runs whose `due` comes near or has passed. Knows the ports alone.
 * The index gives hints; every decision is made over the item, read consistently. Wakes go first, `due` moves after:
 * a crash in between wakes a run twice, never not at all.
 */
import { DUE_MARGIN_MS } from './lineage.ts';
import type { Clock, RunRecord, WakeQueue, WorkStore } from './ports.ts';
import { addressOf } from './wakes.ts';

/** SQS delays a message at most this long: runs that wake within it get their message now. */
export const LOOK_AHEAD_MS = 15 * 60_000;
const SHORTEST_PUSH_MS = 60_000;
const LONGEST_PUSH_MS = 60 * 60_000;
/** A run that only a person or a signal can move is looked at this often. */
const DAILY_MS = 24 * 60 * 60_000;
const BATCH = 100;

export type Sweeping = { store: WorkStore; wakes: WakeQueue; clock: Clock };
export type Swept = { looked: number; woken: number; left: boolean };
type Step = { wake?: { delayMs: number }; due?: number };

/** `perShard`: most hints taken from one shard of the index. `until`: no new batch after this time; the next sweep goes on. */
export async function sweep(
  { store, wakes, clock }: Sweeping,
  { perShard = 1_000, until = Number.POSITIVE_INFINITY }: { perShard?: number; until?: number } = {},
): Promise<Swept> {
  const hints = await store.due(clock.now() + LOOK_AHEAD_MS, perShard);
  /** Told at the end, when everything else has been moved. */
  let refused: unknown;
  const swept: Swept = { looked: 0, woken: 0, left: false };
  for (let from = 0; from < hints.length; from += BATCH) {
    if (clock.now() >= until) return { ...swept, left: true };
    const found = await store.load(hints.slice(from, from + BATCH).map(({ id }) => id));
    const now = clock.now();
    const steps: Array<{ run: RunRecord; step: Step }> = [];
    for (const run of found.values()) if (!('stub' in run)) steps.push({ run, step: nextStep(run, now) });
    const toWake = steps.flatMap(({ run, step }) => (step.wake ? [{ ...addressOf(run), ...step.wake }] : []));
    const { woken, failure } = await wakeAll(wakes, toWake);
    refused ??= failure;
    await Promise.all(
      steps.map(async ({ run, step }) => {
        if (run.due !== undefined && step.due !== undefined) await store.pushDue(run.id, run.due, step.due);
      }),
    );
    swept.looked += steps.length;
    swept.woken += woken;
  }
  if (refused !== undefined) throw refused;
  return swept;
}

/** One message that the queue refuses must not keep the others from moving; its run comes up again at its next `due`. */
async function wakeAll(wakes: WakeQueue, messages: Parameters<WakeQueue['wake']>[0]): Promise<{ woken: number; failure?: unknown }> {
  if (messages.length === 0) return { woken: 0 };
  try {
    await wakes.wake(messages);
    return { woken: messages.length };
  } catch {
    const sent = await Promise.allSettled(messages.map((message) => wakes.wake([message])));
    const failed = sent.find((one) => one.status === 'rejected');
    return { woken: sent.filter(({ status }) => status === 'fulfilled').length, ...(failed ? { failure: failed.reason } : {}) };
  }
}

/** Pure: wake it now, wake it at its time, or leave it; and when to look again. */
export function nextStep(run: RunRecord, now: number): Step {
  if (run.due === undefined || run.endedAt !== undefined) return {};
  if (run.due <= now) return { wake: { delayMs: 0 }, due: nextLook(run, now) };
  const { wakeAt } = run;
  // A `due` beyond the margin says that its worker or an earlier sweep has sent the message.
  const sent = wakeAt === undefined || run.due > wakeAt + DUE_MARGIN_MS;
  if (sent || run.status !== 'waiting') return {};
  if (wakeAt > now + LOOK_AHEAD_MS) return {};
  return { wake: { delayMs: Math.max(0, wakeAt - now) }, due: Math.max(now, wakeAt) + 2 * DUE_MARGIN_MS };
}

/** As long again as it is already late, from a minute to an hour: that doubles without being counted anywhere. */
function nextLook(run: RunRecord, now: number): number {
  if (run.inbox > (run.inboxSeen ?? 0)) return now + SHORTEST_PUSH_MS;
  const expected = expectedAt(run);
  if (expected === undefined) return now + DAILY_MS;
  // Never past the time at which a lapsed lease or a missed wake would be noticed.
  if (expected > now) return expected + DUE_MARGIN_MS;
  return now + Math.min(LONGEST_PUSH_MS, Math.max(SHORTEST_PUSH_MS, now - expected));
}

/** When the run was to move by itself; undefined when only a person or a signal moves it. */
function expectedAt(run: RunRecord): number | undefined {
  switch (run.status) {
    case 'queued':
      return run.createdAt;
    case 'running':
      return run.lease?.until ?? run.createdAt;
    default:
      return run.status === 'waiting' ? run.wakeAt : undefined;
  }
}
