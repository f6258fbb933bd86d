/** Where a test can break a port: before an operation (nothing happened) or after it (it happened, the answer is lost). */

export type Faults = {
  /** Throwing means that the operation never reached the service. */
  before?: (op: string, id: string) => void | Promise<void>;
  /** Throwing means that it was applied and its answer lost. */
  after?: (op: string, id: string) => void | Promise<void>;
};

/** `apply` is synchronous, so that an operation is atomic whatever the hooks await. */
export async function withFaults<T>(faults: Faults, op: string, id: string, apply: () => T): Promise<T> {
  await faults.before?.(op, id);
  const result = apply();
  await faults.after?.(op, id);
  return result;
}
