/** At most `places` at once, first come, first served. */
export function semaphore(places: number): () => Promise<() => void> {
  let free = places;
  const queue: Array<() => void> = [];
  const release = () => {
    const next = queue.shift();
    if (next) next();
    else free += 1;
  };
  return async () => {
    if (free > 0) free -= 1;
    else await new Promise<void>((turn) => queue.push(turn));
    let released = false;
    return () => {
      if (!released) {
        released = true;
        release();
      }
    };
  };
}
