/** What a run may take, and the errors of runs that take more. */
import { HoldfastError } from './errors.ts';

const MAX_ENTRIES = 10_000;
const MAX_BYTES = 20 * 1024 * 1024;

/** `undefined` while the journal is within its limits. */
export function overLimit({ length, totalBytes }: { length: number; totalBytes: number }): HoldfastError | undefined {
  if (length < MAX_ENTRIES && totalBytes < MAX_BYTES) return undefined;
  return new HoldfastError(
    'E_LIMIT_JOURNAL',
    `the run has ${length} journal entries and about ${Math.round(totalBytes / 1024 / 1024)} MB, the limits are ${MAX_ENTRIES} and 20 MB: split the work into several runs`,
  );
}

/** `latest`: labels of the newest operations. */
export function stalled(latest: readonly string[]): HoldfastError {
  return new HoldfastError(
    'E_STALLED',
    `the workflow waits for something that is not a durable operation and that has not come in this invocation; put it into step(). Operations so far: ${latest.join(', ') || 'none'}`,
  );
}
