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

/** A store whose every operation can be broken. Its id is the operation's first argument: a text, or the JSON of a key. */
export function breakable<Store extends object>(store: Store, faults: Faults): Store {
  const broken = Object.entries(store).map(([op, method]) => [
    op,
    async (first: unknown, ...rest: unknown[]) => {
      const id = typeof first === 'string' ? first : JSON.stringify(first);
      await faults.before?.(op, id);
      const result = await (method as (...args: unknown[]) => Promise<unknown>)(first, ...rest);
      await faults.after?.(op, id);
      return result;
    },
  ]);
  return Object.fromEntries(broken) as Store;
}
