/** Starting a run over HTTP: the record first, then the wake. A second start with the same key meets the first. */
import { HoldfastError } from '../engine/errors.ts';
import { externalise } from '../engine/payloads.ts';
import type { RunRecord } from '../engine/ports.ts';
import { keyConflict, newRecord, type Start } from '../engine/start.ts';
import { addressOf } from '../engine/wakes.ts';
import type { ApiDeps } from './deps.ts';
import { Problem } from './problem.ts';

/** A larger input is stored apart: the item is written several times, the input once. */
const INPUT_INLINE_BYTES = 32_000;
/** Each further try answers a counter that moved meanwhile. */
const TRIES = 5;

/**
 * The run, new or found; `delayMs`: until it is woken. Throws `E_KEY_CONFLICT` where the key belongs to another input,
 * `E_RUN_DELETED` where its run was deleted.
 */
export async function startRun(
  deps: Pick<ApiDeps, 'store' | 'payloads' | 'wake' | 'clock' | 'newKey' | 'observe'>,
  start: Start,
  delayMs = 0,
): Promise<RunRecord> {
  const input = await externalise(start.id, start.input, deps.payloads, INPUT_INLINE_BYTES);
  const run = await createOrFind(deps, { ...newRecord(start, { now: deps.clock.now(), nonce: deps.newKey() }), input });
  if (run.deletedAt !== undefined) {
    const message = `the idempotency key belongs to run ${run.id}, which was deleted: use a new one`;
    throw new Problem('E_RUN_DELETED', message, { errors: [{ header: 'Idempotency-Key', message }] });
  }
  if (run.fingerprint !== start.fingerprint) {
    const { message } = keyConflict(run.id);
    throw new Problem('E_KEY_CONFLICT', message, { errors: [{ header: 'Idempotency-Key', message }] });
  }
  // A found one is woken too while nothing has begun: its first wake may be what was lost.
  if (run.status === 'queued') await wakeUp(deps, run, delayMs);
  return run;
}

async function createOrFind({ store }: Pick<ApiDeps, 'store'>, fresh: RunRecord): Promise<RunRecord> {
  let record = fresh;
  for (let tried = 0; tried < TRIES; tried++) {
    const written = await store.create(record);
    if (written.ok) return record;
    const { found } = written;
    if (found && !('stub' in found)) return found;
    // Only an inbox is there yet: the run takes it over, with its counter.
    record = { ...record, inbox: found?.inbox ?? 0 };
  }
  throw new HoldfastError('E_INTERNAL', `the inbox of ${fresh.id} moved at each of ${TRIES} tries to create the run`);
}

/** The run is durable and due by now: a wake that fails makes it late, and must not make the caller start another. */
async function wakeUp({ wake, observe }: Pick<ApiDeps, 'wake' | 'observe'>, run: RunRecord, delayMs: number): Promise<void> {
  try {
    await wake.wake([{ ...addressOf(run), ...(delayMs > 0 ? { delayMs } : {}) }]);
  } catch (error) {
    observe?.({ type: 'api.fault', method: 'POST', path: `/v1/workflows/${run.workflow}/runs`, run: run.id, error });
  }
}
