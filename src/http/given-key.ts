/**
 * The idempotency keys that SDKs make up. They give way to ours, but they tell which calls are one to the SDK: a second one with the
 * same key is its retry of a call that has failed for good here, and must not become another effect under another key.
 */
import { currentRun, type RunHandle } from '../engine/context.ts';
import type { Call } from './call.ts';

const failures = new WeakMap<RunHandle, Map<string, unknown>>();

/** In place of which ours is sent. */
export function givenKey({ core, effect, headers, bodyKey }: Call): string | undefined {
  const form = effect === 'keyed' ? core.idempotencyKey : undefined;
  if (form === undefined) return undefined;
  return 'header' in form ? headers[form.header] : bodyKey;
}

/** Rejects at once for what has failed under the same key in this run, with the same error: nothing is issued then, now and on every replay. */
export async function onceByKey<T>(call: Call, issue: (call: Call) => Promise<T>): Promise<T> {
  const run = currentRun()?.run;
  const key = givenKey(call);
  if (run === undefined || key === undefined) return issue(call);
  const same = `${call.core.id} ${call.method} ${call.path} ${call.bodyHash} ${key}`;
  const failed = failures.get(run) ?? new Map<string, unknown>();
  failures.set(run, failed);
  if (failed.has(same)) throw failed.get(same);
  try {
    return await issue(call);
  } catch (error) {
    failed.set(same, error);
    throw error;
  }
}
