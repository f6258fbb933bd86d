/**
 * Rooms for pieces of large bodies: a few are filled or stored at once, whatever the number of bodies, in buffers that are used again.
 * Whoever waits for one holds nothing meanwhile, and its socket waits. Who has one and gets nothing to fill it with does not keep others.
 */
import type { Clock } from '../../engine/ports.ts';
import { semaphore } from '../../engine/semaphore.ts';

/** So many bodies at once must fit into a worker: parts of an S3 multipart upload would be 5 MB each, these are objects of their own. */
export const PIECE_BYTES = 256 * 1024;

/** At once. More would make no more way: a piece fills at memory's speed with what has come while its body waited. */
const ROOMS = 12;

/** So long one may be filled; after that the next is let in besides, and the buffer stays with who fills it. */
const FILL_MS = 250;

export type Room = {
  /** `PIECE_BYTES` long. */
  readonly buffer: Buffer;
  /** Before it is stored; waits if others have been let in meanwhile. */
  full(): Promise<void>;
  /** `clean`: nobody reads the buffer any longer. */
  leave(clean: boolean): void;
};

/** First come, first served. */
export type Rooms = () => Promise<Room>;

export function rooms(clock: Pick<Clock, 'timer'>): Rooms {
  const place = semaphore(ROOMS);
  const unused: Buffer[] = [];
  return async () => {
    let done = await place();
    let lapsed = false;
    const timer = clock.timer(FILL_MS, () => {
      lapsed = true;
      done();
    });
    const buffer = unused.pop() ?? Buffer.allocUnsafeSlow(PIECE_BYTES);
    return {
      buffer,
      async full() {
        timer.cancel();
        if (lapsed) done = await place();
      },
      leave(clean) {
        timer.cancel();
        if (clean && unused.length < ROOMS) unused.push(buffer);
        done();
      },
    };
  };
}
