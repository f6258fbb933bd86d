/**
 * One macrotask turn: everything that user code does in microtasks after a delivery has happened when it resolves.
 * The pump's step, not a timer: it measures no time.
 */
export function turn(): Promise<void> {
  return new Promise((next) => {
    setImmediate(next);
  });
}
