/** AbortSignals of user code: an abort becomes the outcome of its operation. What follows from it is task.ts. */
import { outsideRun } from './context.ts';
import type { ErrorData } from './errors.ts';
import type { Operation } from './operation.ts';

/** `maybe`: it was sent, so it may have happened all the same. The name is the one that `fetch` would reject with. */
export function abortedBy({ label, signal }: Operation, maybe: boolean): ErrorData {
  const reason: unknown = signal?.reason;
  const timeout = reason instanceof DOMException && reason.name === 'TimeoutError';
  const said = reason instanceof Error ? reason.message : typeof reason === 'string' ? reason : '';
  const why = said === '' || (reason instanceof DOMException && !timeout) ? '' : `: ${said.slice(0, 500)}`;
  return {
    code: 'E_ABORTED',
    name: timeout ? 'TimeoutError' : 'AbortError',
    message: `${label}: aborted${why}`,
    ...(maybe ? { detail: { mayHaveHappened: true } } : {}),
  };
}

/** Calls back in the turn of the abort, outside any run, unless the context closes first. `signal` follows theirs. */
export function watchAbort(theirs: AbortSignal, closed: AbortSignal, fn: () => void): { signal: AbortSignal; unwatch(): void } {
  const ours = new AbortController();
  const heard = () =>
    outsideRun(() => {
      ours.abort(theirs.reason);
      fn();
    });
  theirs.addEventListener('abort', heard, { once: true, signal: closed });
  return { signal: ours.signal, unwatch: () => theirs.removeEventListener('abort', heard) };
}
