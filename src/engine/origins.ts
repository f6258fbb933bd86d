/** Which operations' failures an error came from: what a redrive begins with. */
export type Origins = {
  mark(error: Error, op: string): Error;
  /** Through causes and aggregates, in the order in which they are found. */
  of(error: unknown): string[];
};

export function createOrigins(): Origins {
  const known = new WeakMap<Error, string>();
  return {
    mark(error, op) {
      known.set(error, op);
      return error;
    },
    of(error) {
      const ops = new Set<string>();
      const seen = new Set<unknown>();
      const look = (one: unknown): void => {
        if (!(one instanceof Error) || seen.has(one)) return;
        seen.add(one);
        const op = known.get(one);
        if (op !== undefined) ops.add(op);
        look(one.cause);
        if (one instanceof AggregateError) one.errors.forEach(look);
      };
      look(error);
      return [...ops];
    },
  };
}
