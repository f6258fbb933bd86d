/**
 * One macrotask turn: everything that user code does in microtasks after a delivery has happened when it resolves.
 * The pump's step, not a timer: it measures no time.
 */
export function turn(): Promise<void> {
  return new Promise((next) => {
    if (waiting === undefined) {
      waiting = [next];
      setImmediate(over);
    } else waiting.push(next);
  });
}

/** Runs go on side by side: those that wait for the same turn share one. */
let waiting: Array<() => void> | undefined;

function over(): void {
  const told = waiting as Array<() => void>;
  waiting = undefined;
  for (const next of told) next();
}
