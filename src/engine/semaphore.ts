/** A place: how to give it back; at once where one is free. */
export type Place = (() => void) | Promise<() => void>;

/** At most `places` at once, first come, first served. */
export function semaphore(places: number): () => Place {
  let free = places;
  const queue: Array<() => void> = [];
  const release = () => {
    const next = queue.shift();
    if (next) next();
    else free += 1;
  };
  const taken = () => {
    let released = false;
    return () => {
      if (!released) {
        released = true;
        release();
      }
    };
  };
  return () => {
    if (free === 0) return new Promise<void>((turn) => queue.push(turn)).then(taken);
    free -= 1;
    return taken();
  };
}
