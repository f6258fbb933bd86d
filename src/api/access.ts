/** Runs as a token's bearer may see them: those of other tenants, and those that were deleted, are not there. */
import type { RunRecord } from '../engine/ports.ts';
import { type Bearer, isVisible } from './auth.ts';
import type { ApiDeps } from './deps.ts';
import { RUN_ID } from './parts.ts';
import { Problem } from './problem.ts';
import { findRun } from './wait.ts';

/** Throws `E_UNKNOWN_RUN`. */
export async function knownRun(deps: Pick<ApiDeps, 'store'>, bearer: Bearer, id: string): Promise<RunRecord> {
  return existing(await knownOrDeleted(deps, bearer, id));
}

/** Also a tombstone. Throws `E_UNKNOWN_RUN`; what has not the form of an id is not asked for. */
export async function knownOrDeleted(deps: Pick<ApiDeps, 'store'>, bearer: Bearer, id: string): Promise<RunRecord> {
  if (!RUN_ID.test(id)) throw unknownRun(`${JSON.stringify(id.slice(0, 64))} is not the id of a run: that is run_ and 32 hex digits`);
  const run = await findRun(deps, id);
  if (!run || !isVisible(bearer, run)) throw unknownRun(`there is no run ${id}: it never was, or its time to be kept is over`);
  return run;
}

/** Throws `E_UNKNOWN_RUN` for a tombstone. */
export function existing(run: RunRecord): RunRecord {
  if (run.deletedAt === undefined) return run;
  throw unknownRun(`the run ${run.id} was deleted at ${new Date(run.deletedAt).toISOString()}`);
}

const unknownRun = (detail: string): Problem => new Problem('E_UNKNOWN_RUN', detail);
